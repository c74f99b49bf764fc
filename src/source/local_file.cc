#include "source/local_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/text.h"

namespace lazaret::source {
namespace {

// Time stamps of files advance with the kernel's tick (up to 10 ms), and some file systems keep
// whole seconds only; a change within that time of an earlier one can leave no trace.
constexpr std::int64_t settled_seconds = 2;

Error error_of(int error, std::string message) {
  ErrorCode code = ErrorCode::io;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::not_found;
  if (error == EACCES || error == EPERM) code = ErrorCode::unauthorized;
  if (error == ELOOP) code = ErrorCode::corrupt;
  return {code, std::move(message)};
}

bool is_seekable(int fd, const struct stat& status) {
  return S_ISREG(status.st_mode) && lseek(fd, 0, SEEK_CUR) >= 0;
}

// Opens each component of `path` from its parent. The last one with `flags`.
Result<FileHandle> open_components(int directory, std::string_view path, int flags) {
  FileHandle current;
  int parent = directory;
  const auto parts = split(path, '/');
  std::vector<std::string> names;
  for (const auto part : parts) {
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return Error{ErrorCode::corrupt, fmt::format("\"{}\" leads out of its folder", path)};
    if (part.find('\0') != std::string_view::npos)
      return Error{ErrorCode::corrupt, fmt::format("\"{}\" is not a file name", path)};
    names.emplace_back(part);
  }
  if (names.empty()) names.emplace_back(".");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    const int mode = last ? flags : O_RDONLY | O_DIRECTORY;
    int fd = -1;
    do {
      fd = openat(parent, names[i].c_str(), mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
      // With O_DIRECTORY a link gives ENOTDIR.
      struct stat status {};
      const int error = errno;
      if ((error == ELOOP || error == ENOTDIR) &&
          fstatat(parent, names[i].c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISLNK(status.st_mode))
        return Error{ErrorCode::corrupt,
                     fmt::format("\"{}\" is a symbolic link, which is not followed", path)};
      return error_of(error, fmt::format("\"{}\": {}", path, describe_errno(error)));
    }
    current = FileHandle(fd);
    parent = current.get();
  }
  return current;
}

}  // namespace

FileHandle::~FileHandle() {
  if (fd_ >= 0) close(fd_);
}

std::string describe_errno(int error) {
  char buffer[256];
  return strerror_r(error, buffer, sizeof buffer);  // GNU's form: returns the text
}

Result<LocalFile> LocalFile::open(const std::string& path) {
  LocalFile file;
  file.name_ = path;
  int fd = -1;
  if (path == "-") {
    fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  } else {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  }
  if (fd < 0)
    return error_of(errno, fmt::format("cannot open {}: {}", path, describe_errno(errno)));
  file.file_ = FileHandle(fd);
  if (fstat(fd, &file.status_) != 0)
    return error_of(errno, fmt::format("cannot look at {}: {}", path, describe_errno(errno)));
  if (S_ISDIR(file.status_.st_mode))
    return Error{ErrorCode::invalid, fmt::format("{} is a folder, not an archive file", path)};
  file.seekable_ = is_seekable(fd, file.status_);
  return file;
}

Result<LocalFile> LocalFile::open_below(int directory, std::string_view path) {
  auto opened = open_components(directory, path, O_RDONLY);
  if (!opened) return opened.error();
  LocalFile file;
  file.name_ = std::string(path);
  file.file_ = std::move(*opened);
  if (fstat(file.file_.get(), &file.status_) != 0)
    return error_of(errno, fmt::format("\"{}\": {}", path, describe_errno(errno)));
  if (!S_ISREG(file.status_.st_mode))
    return Error{ErrorCode::corrupt, fmt::format("\"{}\" is not a regular file", path)};
  file.seekable_ = true;
  return file;
}

Result<std::size_t> LocalFile::read_at(std::uint64_t offset, std::span<std::uint8_t> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto at = checked_add(offset, done);
    if (!at || *at > static_cast<std::uint64_t>(INT64_MAX)) break;
    const ssize_t got =
        pread(file_.get(), out.data() + done, out.size() - done, static_cast<off_t>(*at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return error_of(errno, fmt::format("cannot read {}: {}", name_, describe_errno(errno)));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::size_t> LocalFile::read(std::span<std::uint8_t> out) {
  while (true) {
    const ssize_t got = ::read(file_.get(), out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return error_of(errno, fmt::format("cannot read {}: {}", name_, describe_errno(errno)));
    return static_cast<std::size_t>(got);
  }
}

std::string LocalFile::identity(std::uint64_t offset) const {
  if (!S_ISREG(status_.st_mode)) return {};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t changed_at = std::max(status_.st_ctim.tv_sec, status_.st_mtim.tv_sec);
  if (changed_at + settled_seconds > now.tv_sec) return {};
  return fmt::format("{:x}:{:x}:{}:{}.{:09}:{}.{:09}:{}", status_.st_dev, status_.st_ino,
                     status_.st_size, status_.st_mtim.tv_sec, status_.st_mtim.tv_nsec,
                     status_.st_ctim.tv_sec, status_.st_ctim.tv_nsec, offset);
}

bool LocalFile::changed() const {
  if (!S_ISREG(status_.st_mode)) return false;
  struct stat now {};
  if (fstat(file_.get(), &now) != 0) return true;
  return now.st_size != status_.st_size || now.st_mtim.tv_sec != status_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != status_.st_mtim.tv_nsec ||
         now.st_ctim.tv_sec != status_.st_ctim.tv_sec ||
         now.st_ctim.tv_nsec != status_.st_ctim.tv_nsec;
}

Result<FileHandle> open_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return error_of(errno,
                    fmt::format("cannot open the folder {}: {}", path, describe_errno(errno)));
  return FileHandle(fd);
}

Result<FileHandle> open_folder_below(int directory, std::string_view path) {
  return open_components(directory, path, O_RDONLY | O_DIRECTORY);
}

Result<std::vector<std::string>> list_folder(int directory, std::size_t limit, bool& more) {
  more = false;
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return error_of(errno, describe_errno(errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(copy), closedir);
  if (!stream) {
    const int error = errno;
    close(copy);
    return error_of(error, describe_errno(error));
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) return error_of(errno, describe_errno(errno));
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= limit) {
      more = true;
      break;
    }
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> read_whole(const LocalFile& file, std::uint64_t limit) {
  // One byte more than allowed is asked for: the size of a file in /proc is 0.
  std::string bytes;
  std::uint8_t buffer[64 * 1024];
  while (true) {
    const auto got = file.read_at(bytes.size(), buffer);
    if (!got) return got.error();
    if (bytes.size() + *got > limit)
      return Error{ErrorCode::limit,
                   fmt::format("larger than the limit of {}", format_bytes(limit))};
    bytes.append(reinterpret_cast<const char*>(buffer), *got);
    if (*got < sizeof buffer) return bytes;
  }
}

}  // namespace lazaret::source
