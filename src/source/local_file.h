// Files and folders on this host, opened so that hostile content cannot lead out of its folder.
//
// An unpacked image is attacker data with real symbolic links: `blobs/sha256/<x>` may point at
// /etc/shadow, `etc` at /proc/1/root, a name may be a FIFO on which open() waits for ever. So
// nothing below a folder that the user named is opened through a link: every path component is
// opened from its parent's descriptor with O_NOFOLLOW, and what is not a regular file is never
// read.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace lazaret::source {

// Owns a file descriptor.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}
  ~FileHandle();
  FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileHandle& operator=(FileHandle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// A regular file (or, for open(), also a pipe) opened for reading. Reading with read_at() is
// thread-safe.
class LocalFile {
 public:
  // A file that the user named: links are followed. "-" is standard input.
  static Result<LocalFile> open(const std::string& path);
  // `path` below the folder `directory`: no link is followed, ".." is refused, only regular files.
  static Result<LocalFile> open_below(int directory, std::string_view path);

  bool seekable() const { return seekable_; }
  std::uint64_t size() const { return static_cast<std::uint64_t>(status_.st_size); }
  int descriptor() const { return file_.get(); }
  int release() { return file_.release(); }

  // Fills `out` from `offset` on; fewer bytes only at the end of the file.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) const;
  // The next bytes of a file that is read from front to end; 0 at the end.
  Result<std::size_t> read(std::span<std::uint8_t> out);

  // A text that stands for the bytes at `offset` of the file as it is: device, inode, size, times
  // of change, offset. Empty when the file changed so recently that a further change could leave
  // all of them as they are, and for what is not a regular file.
  std::string identity(std::uint64_t offset) const;
  // True when the file is no longer what it was when it was opened.
  bool changed() const;

 private:
  FileHandle file_;
  std::string name_;
  struct stat status_ {};
  bool seekable_ = false;
};

// Opens the folder `path` that the user named.
Result<FileHandle> open_folder(const std::string& path);
// Opens the folder `path` below `directory` without following links; "" or "." is the folder
// itself.
Result<FileHandle> open_folder_below(int directory, std::string_view path);

// The names in a folder but "." and "..", sorted; at most `limit`, `more` tells that there are
// more.
Result<std::vector<std::string>> list_folder(int directory, std::size_t limit, bool& more);

// The whole of a small file; ErrorCode::limit when it is larger than `limit`.
Result<std::string> read_whole(const LocalFile& file, std::uint64_t limit);

// "permission denied" and the like, for an errno.
std::string describe_errno(int error);

}  // namespace lazaret::source
