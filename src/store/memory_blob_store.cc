#include <cstring>
#include <limits>
#include <map>
#include <mutex>

#include "store/blob_store.h"

namespace lazaret::store {
namespace {

struct Content {
  std::mutex mutex;
  std::string text;
};

class MemoryUpload final : public BlobUpload {
 public:
  explicit MemoryUpload(std::shared_ptr<Content> bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t size() const override {
    const std::lock_guard lock(bytes_->mutex);
    return bytes_->text.size();
  }
  Result<void> append(Bytes bytes) override {
    const std::lock_guard lock(bytes_->mutex);
    bytes_->text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> buffer) const override {
    const std::lock_guard lock(bytes_->mutex);
    if (offset >= bytes_->text.size()) return std::size_t{0};
    const std::size_t length = std::min(buffer.size(), bytes_->text.size() - static_cast<std::size_t>(offset));
    std::memcpy(buffer.data(), bytes_->text.data() + offset, length);
    return length;
  }

 private:
  const std::shared_ptr<Content> bytes_;
};

class MemoryBlobStore final : public BlobStore {
 public:
  Result<std::unique_ptr<BlobUpload>> create_upload(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = uploads_.emplace(id, std::make_shared<Content>());
    if (!is_new) return Error{ErrorCode::io, "the upload " + id + " exists"};
    return std::unique_ptr<BlobUpload>(new MemoryUpload(place->second));
  }
  Result<std::unique_ptr<BlobUpload>> open_upload(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const auto place = uploads_.find(id);
    if (place == uploads_.end()) return Error{ErrorCode::not_found, "there is no upload " + id};
    return std::unique_ptr<BlobUpload>(new MemoryUpload(place->second));
  }
  Result<void> remove_upload(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    uploads_.erase(id);
    return {};
  }
  Result<std::vector<UploadFile>> uploads() override {
    const std::lock_guard lock(mutex_);
    std::vector<UploadFile> found;
    for (const auto& [id, bytes] : uploads_) {
      const std::lock_guard content(bytes->mutex);
      found.push_back({id, bytes->text.size()});
    }
    return found;
  }
  Result<void> finish_upload(const std::string& id, BlobUpload&, const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    const auto place = uploads_.find(id);
    if (place == uploads_.end()) return Error{ErrorCode::not_found, "there is no upload " + id};
    const std::lock_guard content(place->second->mutex);
    blobs_.emplace(digest, std::make_shared<const std::string>(place->second->text));
    uploads_.erase(place);
    return {};
  }
  Result<OpenBlob> open(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    const auto place = blobs_.find(digest);
    if (place == blobs_.end()) return Error{ErrorCode::not_found, "there is no blob " + digest.str()};
    return OpenBlob{nullptr, place->second, place->second->size()};
  }
  Result<void> remove(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    blobs_.erase(digest);
    return {};
  }
  Result<void> for_each(const std::function<bool(const Digest&, std::uint64_t)>& visit) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [digest, bytes] : blobs_) {
      if (!visit(digest, bytes->size())) break;
    }
    return {};
  }
  std::uint64_t free_bytes() override { return std::numeric_limits<std::uint64_t>::max(); }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Content>> uploads_;
  std::map<Digest, std::shared_ptr<const std::string>> blobs_;
};

}  // namespace

std::unique_ptr<BlobStore> make_memory_blob_store() { return std::make_unique<MemoryBlobStore>(); }

}  // namespace lazaret::store
