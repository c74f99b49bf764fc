// Blobs as files.
//
// Order of a finished upload: fsync of the file, rename to its place, fsync of the folder. Whatever happens in between, a name under blobs/ stands
// for whole bytes (all of them on the disk), and an upload that was cut is a file under uploads/ that can go on or is collected.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "store/blob_store.h"

namespace lazaret::store {
namespace {

constexpr std::uint64_t write_out_bytes = 8 << 20;

Error system_error(std::string_view act, const std::string& path) {
  const int number = errno;
  const ErrorCode code = number == ENOENT                                            ? ErrorCode::not_found
                         : number == ENOSPC || number == EDQUOT || number == EFBIG ? ErrorCode::limit
                                                                                    : ErrorCode::io;
  return {code, fmt::format("cannot {} {}: {}", act, path, std::strerror(number))};
}

Result<std::size_t> read_at(int descriptor, std::uint64_t offset, std::span<std::uint8_t> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t got = ::pread(descriptor, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read", "a stored blob");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

class FolderUpload final : public BlobUpload {
 public:
  FolderUpload(int descriptor, std::string path, std::uint64_t size) : file_(descriptor), path_(std::move(path)), size_(size) {}

  std::uint64_t size() const override { return size_.load(std::memory_order_acquire); }

  Result<void> append(Bytes bytes) override {
    const std::uint64_t begin = size();
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = ::pwrite(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(begin + done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        const Error error = system_error("write", path_);
        // What was written of it goes, so that the client can send it again once there is room.
        [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(begin));
        return error;
      }
      done += static_cast<std::size_t>(put);
    }
    const std::uint64_t end = begin + bytes.size();
    size_.store(end, std::memory_order_release);
    // The disk begins while bytes still come in, so that there is little left to wait for at the end.
    if (end - written_out_ >= write_out_bytes) {
      (void)::sync_file_range(file_.get(), static_cast<off_t>(written_out_), static_cast<off_t>(end - written_out_), SYNC_FILE_RANGE_WRITE);
      written_out_ = end;
    }
    return {};
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> buffer) const override {
    const std::uint64_t end = size();
    if (offset >= end) return std::size_t{0};
    return read_at(file_.get(), offset, buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - offset))));
  }

  int descriptor() const { return file_.get(); }

 private:
  const FileDescriptor file_;
  const std::string path_;
  std::atomic<std::uint64_t> size_;
  std::uint64_t written_out_ = 0;  // of the one who appends
};

class FolderBlobStore final : public BlobStore {
 public:
  explicit FolderBlobStore(std::string folder) : folder_(std::move(folder)) {}

  Result<void> make_folders() {
    std::error_code error;
    for (const char* part : {"/uploads", "/blobs/sha256"}) {
      std::filesystem::create_directories(folder_ + part, error);
      if (error) return Error{ErrorCode::io, fmt::format("cannot make the folder {}{}: {}", folder_, part, error.message())};
    }
    for (int i = 0; i < 256; ++i) {
      const std::string path = fmt::format("{}/blobs/sha256/{:02x}", folder_, i);
      if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error("make the folder", path);
    }
    for (const char* part : {"/blobs/sha256", "/blobs", ""}) {
      if (const auto synced = sync_folder(folder_ + part); !synced) return synced.error();
    }
    return {};
  }

  Result<std::unique_ptr<BlobUpload>> create_upload(const std::string& id) override {
    return open_upload_file(id, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC);
  }
  Result<std::unique_ptr<BlobUpload>> open_upload(const std::string& id) override { return open_upload_file(id, O_RDWR | O_CLOEXEC); }

  Result<void> remove_upload(const std::string& id) override { return remove_file(upload_path(id)); }

  Result<std::vector<UploadFile>> uploads() override {
    std::vector<UploadFile> found;
    const auto listed = list(folder_ + "/uploads", [&](const std::string& name, std::uint64_t size) {
      found.push_back({name, size});
      return true;
    });
    if (!listed) return listed.error();
    return found;
  }

  Result<void> finish_upload(const std::string& id, BlobUpload& upload, const Digest& digest) override {
    const int descriptor = static_cast<FolderUpload&>(upload).descriptor();
    const std::string from = upload_path(id), to = blob_path(digest);
    struct stat info {};
    if (::stat(to.c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) == upload.size()) return remove_upload(id);
    if (::fdatasync(descriptor) != 0) return system_error("write", from);
    if (::fchmod(descriptor, 0400) != 0) return system_error("protect", from);
    if (::rename(from.c_str(), to.c_str()) != 0) return system_error("move into place", from);
    return sync_folder(to.substr(0, to.rfind('/')));
  }

  Result<OpenBlob> open(const Digest& digest) override {
    const std::string path = blob_path(digest);
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return system_error("open", path);
    auto file = std::make_shared<const FileDescriptor>(descriptor);
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return system_error("read", path);
    return OpenBlob{std::move(file), nullptr, static_cast<std::uint64_t>(info.st_size)};
  }

  Result<void> remove(const Digest& digest) override { return remove_file(blob_path(digest)); }

  Result<void> for_each(const std::function<bool(const Digest&, std::uint64_t)>& visit) override {
    bool go_on = true;
    for (int i = 0; i < 256 && go_on; ++i) {
      const auto listed = list(fmt::format("{}/blobs/sha256/{:02x}", folder_, i), [&](const std::string& name, std::uint64_t size) {
        if (const auto digest = Digest::parse("sha256:" + name)) go_on = visit(*digest, size);
        return go_on;
      });
      if (!listed) return listed.error();
    }
    return {};
  }

  std::uint64_t free_bytes() override {
    struct statvfs info {};
    if (::statvfs(folder_.c_str(), &info) != 0) return std::numeric_limits<std::uint64_t>::max();
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  std::string upload_path(const std::string& id) const { return folder_ + "/uploads/" + id; }
  std::string blob_path(const Digest& digest) const {
    assert(digest.algorithm() == HashAlgorithm::sha256 && !digest.empty());
    const std::string hex = digest.hex();
    return folder_ + "/blobs/sha256/" + hex.substr(0, 2) + "/" + hex;
  }

  Result<std::unique_ptr<BlobUpload>> open_upload_file(const std::string& id, int flags) {
    // Ids are made by us; one that came back from a client has been compared with ours before it gets here.
    assert(!id.empty() && id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == std::string::npos);
    const std::string path = upload_path(id);
    const int descriptor = ::open(path.c_str(), flags, 0600);
    if (descriptor < 0) return system_error("open", path);
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) {
      const Error error = system_error("read", path);
      ::close(descriptor);
      return error;
    }
    return std::unique_ptr<BlobUpload>(new FolderUpload(descriptor, path, static_cast<std::uint64_t>(info.st_size)));
  }

  static Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove", path);
    return {};
  }

  static Result<void> sync_folder(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return system_error("open", path);
    const FileDescriptor folder(descriptor);
    if (::fsync(descriptor) != 0) return system_error("write", path);
    return {};
  }

  static Result<void> list(const std::string& path, const std::function<bool(const std::string&, std::uint64_t)>& visit) {
    DIR* const folder = ::opendir(path.c_str());
    if (folder == nullptr) return system_error("list", path);
    while (const dirent* entry = ::readdir(folder)) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info {};
      if (::fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) continue;
      if (!visit(name, static_cast<std::uint64_t>(info.st_size))) break;
    }
    ::closedir(folder);
    return {};
  }

  const std::string folder_;
};

}  // namespace

Result<std::size_t> OpenBlob::read(std::uint64_t offset, std::span<std::uint8_t> buffer) const {
  if (file != nullptr) return read_at(file->get(), offset, buffer);
  if (offset >= memory->size()) return std::size_t{0};
  const std::size_t length = std::min(buffer.size(), memory->size() - static_cast<std::size_t>(offset));
  std::memcpy(buffer.data(), memory->data() + offset, length);
  return length;
}

Result<std::unique_ptr<BlobStore>> open_folder_blob_store(const std::string& folder) {
  auto store = std::make_unique<FolderBlobStore>(folder);
  if (const auto made = store->make_folders(); !made) return made.error();
  return std::unique_ptr<BlobStore>(std::move(store));
}

}  // namespace lazaret::store
