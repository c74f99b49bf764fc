#include "host/host_root.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace lazaret::host {
namespace {

constexpr unsigned links_followed = 40;  // as the kernel does

int openat2(int folder, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  int fd = -1;
  // EAGAIN: something was renamed while the path was walked.
  for (int attempt = 0; attempt < 100; ++attempt) {
    fd = static_cast<int>(syscall(SYS_openat2, folder, path, &how, sizeof how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fd;
}

Error error_of(int error, std::string_view path) {
  ErrorCode code = ErrorCode::io;
  if (error == ENOENT || error == ENOTDIR || error == ESRCH) code = ErrorCode::not_found;
  if (error == EACCES || error == EPERM) code = ErrorCode::unauthorized;
  if (error == ELOOP) code = ErrorCode::corrupt;
  return {code, fmt::format("{}: {}", path, source::describe_errno(error))};
}

}  // namespace

Result<HostRoot> HostRoot::open(const std::string& path) {
  auto folder = source::open_folder(path);
  if (!folder) return folder.error();
  HostRoot root;
  root.path_ = path;
  root.folder_ = std::move(*folder);
  struct stat given{}, real{};
  root.is_live_ = fstat(root.folder_.get(), &given) == 0 && stat("/", &real) == 0 && given.st_dev == real.st_dev && given.st_ino == real.st_ino;
  return root;
}

Result<source::FileHandle> HostRoot::open_at(std::string_view path, int flags) const {
  if (path.find('\0') != std::string_view::npos) return Error{ErrorCode::corrupt, "a path with a zero byte"};
  const std::string text = path.empty() ? "." : std::string(path);
  const int fd = openat2(folder_.get(), text.c_str(), flags);
  if (fd < 0 && errno == ENOSYS) {
    // Kernels before 5.6, and sandboxes that do not know the call: without links then.
    if ((flags & O_DIRECTORY) != 0) return source::open_folder_below(folder_.get(), text);
    auto file = source::LocalFile::open_below(folder_.get(), text);
    if (!file) return file.error();
    return source::FileHandle(file->release());
  }
  if (fd < 0) return error_of(errno, path);
  return source::FileHandle(fd);
}

Result<source::FileHandle> HostRoot::open_folder(std::string_view path) const { return open_at(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOCTTY); }

Result<source::FileHandle> HostRoot::open_regular(std::string_view path) const {
  // What it is, is asked before it is opened: opening a device can do something.
  auto place = open_at(path, O_PATH);
  if (!place) return place.error();
  struct stat before{}, after{};
  if (fstat(place->get(), &before) != 0) return error_of(errno, path);
  if (!S_ISREG(before.st_mode)) return Error{ErrorCode::corrupt, fmt::format("{} is not a regular file", path)};
  auto file = open_at(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return file.error();
  if (fstat(file->get(), &after) != 0) return error_of(errno, path);
  if (!S_ISREG(after.st_mode) || after.st_dev != before.st_dev || after.st_ino != before.st_ino) return Error{ErrorCode::io, fmt::format("{} was replaced while it was opened", path)};
  return file;
}

Result<std::string> HostRoot::read(std::string_view path, std::uint64_t limit) const {
  const auto file = open_regular(path);
  if (!file) return file.error();
  std::string bytes;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t got = ::read(file->get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_of(errno, path);
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<std::size_t>(got) > limit) return Error{ErrorCode::limit, fmt::format("{} is larger than {} bytes", path, limit)};
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<std::vector<std::string>> HostRoot::list(std::string_view path, std::size_t limit) const {
  const auto folder = open_folder(path);
  if (!folder) return folder.error();
  bool more = false;
  auto names = source::list_folder(folder->get(), limit, more);
  if (!names) return Error{names.error().code, fmt::format("{}: {}", path, names.error().message)};
  if (more) return Error{ErrorCode::limit, fmt::format("{} holds more than {} entries", path, limit)};
  return names;
}

bool HostRoot::is_immutable(std::string_view path) const {
  const auto file = open_regular(path);
  if (!file) return false;
  int flags = 0;
  return ioctl(file->get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL) != 0;
}

bool HostRoot::is_regular(std::string_view path) const {
  const auto place = open_at(path, O_PATH);
  struct stat status{};
  return place && fstat(place->get(), &status) == 0 && S_ISREG(status.st_mode);
}

Result<std::string> HostRoot::link(std::string_view path) const {
  const auto place = open_at(path, O_PATH | O_NOFOLLOW);
  if (!place) return place.error();
  std::string text(16 << 10, '\0');
  const ssize_t size = readlinkat(place->get(), "", text.data(), text.size());
  if (size < 0) return error_of(errno, path);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string HostRoot::resolve(std::string_view path, std::vector<std::string>& links) const {
  std::vector<std::string> rest;  // last one first
  const auto push = [&rest](std::string_view text) {
    const auto parts = split(text, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->empty() && *part != ".") rest.emplace_back(*part);
    }
  };
  push(path);
  std::string current;
  unsigned followed = 0;
  while (!rest.empty()) {
    const std::string part = std::move(rest.back());
    rest.pop_back();
    if (part == "..") {
      current.resize(current.empty() ? 0 : current.rfind('/'));
      continue;
    }
    const std::string here = current + "/" + part;
    const auto place = open_at(here, O_PATH | O_NOFOLLOW);
    struct stat status{};
    if (!place || fstat(place->get(), &status) != 0) return "";
    if (!S_ISLNK(status.st_mode)) {
      current = here;
      continue;
    }
    const auto target = link(here);
    if (!target || ++followed > links_followed) return "";
    links.push_back(here);
    if (target->starts_with('/')) current.clear();
    push(*target);
  }
  return current.empty() ? "/" : current;
}

Result<source::FileHandle> HostRoot::open_program(std::uint64_t process) const {
  if (!is_live_) return Error{ErrorCode::not_found, "the root is not that of this host"};
  // The one link of the kernel's making that is followed: it leads to the file that was executed, which is a regular one.
  const std::string path = fmt::format("/proc/{}/exe", process);
  source::FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return error_of(errno, path);
  struct stat status{};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return Error{ErrorCode::corrupt, fmt::format("{} is not a regular file", path)};
  return file;
}

bool HostRoot::exists(std::string_view path) const { return open_at(path, O_PATH).ok(); }

}  // namespace lazaret::host
