// The root file system that is looked at: this host's, or one on a mounted disk.
//
// Whoever ran on the host may have written any of it. Links are followed inside of the root only
// (openat2(2), RESOLVE_IN_ROOT), so that `etc -> /srv/other` of a mounted disk means a folder of that
// disk; links of the kernel's own making (/proc/PID/root) are not followed; FIFOs, devices and
// sockets are not opened. Nothing is written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/local_file.h"

namespace lazaret::host {

class HostRoot {
 public:
  // Links in the path of the root itself are followed: the user named it.
  static Result<HostRoot> open(const std::string& path);

  // True for "/": then processes and sockets are this host's.
  bool is_live() const { return is_live_; }
  const std::string& path() const { return path_; }
  int folder() const { return folder_.get(); }

  Result<source::FileHandle> open_folder(std::string_view path) const;
  // The whole of a regular file (also one of /proc). ErrorCode::corrupt when it is something else, ErrorCode::limit when it is larger.
  Result<std::string> read(std::string_view path, std::uint64_t limit) const;
  // The names in a folder, sorted. ErrorCode::limit when there are more than `limit`.
  Result<std::vector<std::string>> list(std::string_view path, std::size_t limit) const;
  // The file system's attributes of a regular file (ioctl_iflags(2)): whether it is immutable. False when they cannot be had.
  bool is_immutable(std::string_view path) const;
  bool exists(std::string_view path) const;
  bool is_regular(std::string_view path) const;
  // What a link says; of /proc too ("/usr/bin/bash", "socket:[7]").
  Result<std::string> link(std::string_view path) const;
  // Where a path leads to inside of the root, without links; "" when nothing is there. Each link on the way is added to `links`.
  std::string resolve(std::string_view path, std::vector<std::string>& links) const;
  // The program of a running process, also one whose file is gone. ErrorCode::not_found for roots that are not live.
  Result<source::FileHandle> open_program(std::uint64_t process) const;

 private:
  Result<source::FileHandle> open_at(std::string_view path, int flags) const;
  Result<source::FileHandle> open_regular(std::string_view path) const;

  std::string path_;
  source::FileHandle folder_;
  bool is_live_ = false;
};

}  // namespace lazaret::host
