#include "source/folder_tar.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <memory>

#include "base/text.h"
#include "source/local_file.h"

namespace lazaret::source {
namespace {

constexpr std::size_t piece_bytes = 1 << 20;

bool is_virtual_file_system(int folder) {
  constexpr std::array<long, 14>
      magics = {PROC_SUPER_MAGIC, SYSFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                DEBUGFS_MAGIC,    TRACEFS_MAGIC,  SECURITYFS_MAGIC,   DEVPTS_SUPER_MAGIC,
                BPF_FS_MAGIC,     PSTOREFS_MAGIC, EFIVARFS_MAGIC,     SELINUX_MAGIC,
                BINFMTFS_MAGIC,   0x62656570 /* configfs, not in magic.h */};
  struct statfs status {};
  if (fstatfs(folder, &status) != 0) return false;
  for (const long magic : magics) {
    if (static_cast<unsigned long>(status.f_type) == static_cast<unsigned long>(magic)) return true;
  }
  return false;
}

std::string read_xattr(int fd, const char* name) {
  std::string value(64 * 1024, '\0');  // XATTR_SIZE_MAX
  const ssize_t size = fgetxattr(fd, name, value.data(), value.size());
  value.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return value;
}

// Attributes that belong to the content. SELinux labels and system.* (ACLs) are the host's.
std::vector<std::pair<std::string, std::string>> read_xattrs(int fd, bool overlay) {
  std::vector<std::pair<std::string, std::string>> result;
  std::string names(64 * 1024, '\0');  // XATTR_LIST_MAX
  const ssize_t size = flistxattr(fd, names.data(), names.size());
  if (size <= 0) return result;
  names.resize(static_cast<std::size_t>(size));
  for (const auto name : split(names, '\0')) {
    if (name.empty() || name == "security.selinux" || name.starts_with("system.")) continue;
    // What overlayfs and fuse-overlayfs noted for themselves.
    if (overlay &&
        (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") ||
         name.starts_with("user.fuseoverlayfs.") || name == "user.containers.override_stat"))
      continue;
    result.emplace_back(name, read_xattr(fd, std::string(name).c_str()));
  }
  std::sort(result.begin(), result.end());
  return result;
}

bool has_overlay_mark(int fd, std::string_view mark) {
  for (const std::string_view prefix :
       {"trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."}) {
    const std::string value = read_xattr(fd, (std::string(prefix) + std::string(mark)).c_str());
    if (value == "y") return true;
  }
  return false;
}

struct Level {
  std::string path;  // with a trailing '/', but "" at the top
  std::vector<std::string> names;
  std::size_t next = 0;
  dev_t device = 0;
  ino_t inode = 0;
};

class Walk {
 public:
  Walk(const FolderTarOptions& folder_options, const SourceOptions& options, BlobBuffer& out,
       Unaudited& unaudited)
      : folder_options_(folder_options),
        options_(options),
        out_(out),
        unaudited_(unaudited),
        buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(piece_bytes)) {}

  Result<void> run(int top) {
    top_ = top;
    auto opened = open_folder_below(top, ".");
    if (!opened) return opened.error();
    current_ = std::move(*opened);
    if (const auto entered = enter(""); !entered) return entered.error();
    while (!levels_.empty() && wanted_) {
      if (is_cancelled(options_)) return cancelled_error();
      Level& level = levels_.back();
      if (level.next == level.names.size()) {
        leave();
        continue;
      }
      const std::string name = level.names[level.next++];
      if (++entries_ > options_.limits.layer_entries) {
        note("", fmt::format("more than {} entries", options_.limits.layer_entries));
        break;
      }
      visit(level.path + name, name);
    }
    if (wanted_) out_.write(tar_end());
    out_.flush();
    return {};
  }

 private:
  void note(const std::string& path, std::string why) {
    if (unaudited_.size() < max_notes) {
      unaudited_.emplace_back(path, std::move(why));
    } else if (unaudited_.size() == max_notes) {
      unaudited_.emplace_back("", "more parts could not be read than are listed");
    }
  }

  // Begins to list current_.
  Result<void> enter(const std::string& path) {
    Level level;
    level.path = path.empty() ? "" : path + "/";
    struct stat status {};
    if (fstat(current_.get(), &status) != 0) return Error{ErrorCode::io, describe_errno(errno)};
    level.device = status.st_dev;
    level.inode = status.st_ino;
    bool more = false;
    auto names = list_folder(current_.get(), options_.limits.layer_entries, more);
    if (!names) return names.error();
    if (more) note(path, "the folder holds more entries than are looked at");
    level.names = std::move(*names);
    levels_.push_back(std::move(level));
    return {};
  }

  // Back to the folder above. Not by a kept descriptor, since depth is the attacker's choice; by
  // ".." only when that is still the folder that we came from.
  void leave() {
    levels_.pop_back();
    if (levels_.empty()) return;
    const Level& above = levels_.back();
    FileHandle parent(openat(current_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    if (!parent.valid() || fstat(parent.get(), &status) != 0 || status.st_dev != above.device ||
        status.st_ino != above.inode) {
      auto again = open_folder_below(top_, above.path);
      if (!again || fstat(again->get(), &status) != 0 || status.st_dev != above.device ||
          status.st_ino != above.inode) {
        note(above.path, "the folder was moved or replaced while it was read");
        levels_.back().next = levels_.back().names.size();
        if (again) current_ = std::move(*again);
        return;
      }
      parent = std::move(*again);
    }
    current_ = std::move(parent);
  }

  void visit(const std::string& path, const std::string& name) {
    if (path.size() > options_.limits.path_bytes) {
      note(escape(path, 200), "the path is longer than the limit");
      return;
    }
    struct stat status {};
    if (fstatat(current_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) !=
        0) {
      // A name that went away between listing and looking is no longer part of the folder.
      if (errno != ENOENT) note(path, describe_errno(errno));
      return;
    }
    if (folder_options_.wanted && !folder_options_.wanted(path, status)) return;
    TarMember member;
    member.path = path;
    member.mode = status.st_mode & 07777;
    member.uid = status.st_uid;
    member.gid = status.st_gid;
    member.mtime = status.st_mtim.tv_sec;
    switch (status.st_mode & S_IFMT) {
      case S_IFREG:
        return visit_file(member, name, status);
      case S_IFDIR:
        return visit_folder(member, name, status);
      case S_IFLNK:
        return visit_link(member, name);
      case S_IFCHR:
        if (folder_options_.overlay && status.st_rdev == 0) return put_whiteout(member, name);
        member.type = '3';
        break;
      case S_IFBLK:
        member.type = '4';
        break;
      case S_IFIFO:
        member.type = '6';
        break;
      default:
        return;  // a socket has no form in tar and no content
    }
    member.device_major = major(status.st_rdev);
    member.device_minor = minor(status.st_rdev);
    put(tar_header(member));
  }

  void put_whiteout(TarMember member, const std::string& name) {
    member.path.insert(member.path.size() - name.size(), ".wh.");
    member.type = '0';
    member.size = 0;
    member.xattrs.clear();
    put(tar_header(member));
  }

  void visit_link(TarMember& member, const std::string& name) {
    std::string target(64 * 1024, '\0');  // more than any file system of Linux holds
    const ssize_t size = readlinkat(current_.get(), name.c_str(), target.data(), target.size());
    if (size < 0) return note(member.path, describe_errno(errno));
    target.resize(static_cast<std::size_t>(size));
    member.type = '2';
    member.link_target = std::move(target);
    put(tar_header(member));
  }

  void visit_folder(TarMember& member, const std::string& name, const struct stat& status) {
    FileHandle folder(
        openat(current_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.valid()) return note(member.path, describe_errno(errno));
    member.type = '5';
    const std::string path = member.path;
    member.path += '/';
    member.xattrs = read_xattrs(folder.get(), folder_options_.overlay);
    put(tar_header(member));
    if (status.st_dev != levels_.back().device && is_virtual_file_system(folder.get())) return;
    if (folder_options_.overlay && has_overlay_mark(folder.get(), "opaque")) {
      TarMember opaque;
      opaque.path = path + "/.wh..wh..opq";
      put(tar_header(opaque));
    }
    current_ = std::move(folder);
    if (const auto entered = enter(path); !entered) {
      note(path, entered.error().message);
      // enter() added no level: this one stands for it, so that leave() finds the way back.
      levels_.push_back({path + "/", {}, 0, 0, 0});
    }
  }

  void visit_file(TarMember& member, const std::string& name, const struct stat& listed) {
    const FileHandle file(openat(current_.get(), name.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!file.valid()) {
      if (errno != ENOENT) note(member.path, describe_errno(errno));
      return;
    }
    struct stat status {};
    if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_dev != listed.st_dev || status.st_ino != listed.st_ino)
      return note(member.path, "the file was replaced while the folder was read");
    if (folder_options_.overlay && status.st_size == 0 && has_overlay_mark(file.get(), "whiteout"))
      return put_whiteout(member, name);
    if (status.st_nlink > 1) {
      const auto [known, first] =
          links_.try_emplace(std::pair(status.st_dev, status.st_ino), member.path);
      if (!first) {
        member.type = '1';
        member.link_target = known->second;
        return put(tar_header(member));
      }
    }
    member.mode = status.st_mode & 07777;
    member.mtime = status.st_mtim.tv_sec;
    member.size = static_cast<std::uint64_t>(status.st_size);
    member.xattrs = read_xattrs(file.get(), folder_options_.overlay);
    put(tar_header(member));
    put_content(member, file.get());
    put(tar_padding(member.size));
  }

  // Exactly member.size bytes, whatever happens to the file meanwhile.
  void put_content(const TarMember& member, int fd) {
    std::uint64_t done = 0;
    while (done < member.size && wanted_) {
      if (is_cancelled(options_)) return;
      const auto wanted =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, member.size - done));
      const ssize_t got = ::read(fd, buffer_.get(), wanted);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        note(member.path, got < 0 ? fmt::format("cannot be read: {}", describe_errno(errno))
                                  : "the file became shorter while it was read");
        wanted_ = out_.write_zeros(member.size - done);
        return;
      }
      wanted_ = out_.write(Bytes(buffer_.get(), static_cast<std::size_t>(got)));
      done += static_cast<std::uint64_t>(got);
    }
    std::uint8_t one = 0;
    if (wanted_ && ::read(fd, &one, 1) == 1)
      note(member.path, "the file grew while it was read; what was added is not audited");
  }

  void put(const std::string& bytes) { wanted_ = wanted_ && out_.write(bytes); }

  static constexpr std::size_t max_notes = 1000;

  const FolderTarOptions& folder_options_;
  const SourceOptions& options_;
  BlobBuffer& out_;
  Unaudited& unaudited_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  int top_ = -1;
  FileHandle current_;
  std::vector<Level> levels_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  std::uint64_t entries_ = 0;
  bool wanted_ = true;
};

}  // namespace

Result<void> write_folder_tar(int folder, const FolderTarOptions& folder_options,
                              const SourceOptions& options, BlobBuffer& out, Unaudited& unaudited) {
  return Walk(folder_options, options, out, unaudited).run(folder);
}

}  // namespace lazaret::source
