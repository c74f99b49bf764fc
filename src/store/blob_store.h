// Where the bytes of blobs lie: quarantine files that grow while they are uploaded, and whole blobs under their digest.
//
// A blob is named by the sha256 of its bytes, whatever digest a client uses for it; other names are aliases in the metadata store. What is
// in a quarantine file has no name and can be read by nobody but the audit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/result.h"

namespace lazaret::store {

// A whole blob, open for reading; a transfer under way survives the deletion of the file. `file` is null in a store that keeps its bytes in memory; they are in `memory` then.
struct OpenBlob {
  std::shared_ptr<const FileDescriptor> file;
  std::shared_ptr<const std::string> memory;
  std::uint64_t size = 0;

  // Up to buffer.size() bytes from `offset`; fewer only at the end.
  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> buffer) const;
};

// A quarantine file. One thread appends; others may read what has been appended. Destroying it leaves the bytes where they are.
class BlobUpload {
 public:
  virtual ~BlobUpload() = default;
  // Bytes appended so far.
  virtual std::uint64_t size() const = 0;
  // All of `bytes` or none of them. ErrorCode::limit: the disk is full.
  virtual Result<void> append(Bytes bytes) = 0;
  // As OpenBlob::read(), of what was appended before the call.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> buffer) const = 0;
};

struct UploadFile {
  std::string id;
  std::uint64_t size = 0;
};

// Thread-safe. `id` of uploads: letters, digits and '-', made by us.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  virtual Result<std::unique_ptr<BlobUpload>> create_upload(const std::string& id) = 0;
  // ErrorCode::not_found when there is none.
  virtual Result<std::unique_ptr<BlobUpload>> open_upload(const std::string& id) = 0;
  // Nothing to remove is no error.
  virtual Result<void> remove_upload(const std::string& id) = 0;
  virtual Result<std::vector<UploadFile>> uploads() = 0;

  // Makes the upload the blob `digest`, which the caller has computed over its bytes: durable when this returns. A blob that is there already
  // stays, and the upload is removed.
  virtual Result<void> finish_upload(const std::string& id, BlobUpload& upload, const Digest& digest) = 0;

  // ErrorCode::not_found when there is none.
  virtual Result<OpenBlob> open(const Digest& digest) = 0;
  virtual Result<void> remove(const Digest& digest) = 0;
  // Every blob with its size, in no particular order, until `visit` returns false.
  virtual Result<void> for_each(const std::function<bool(const Digest&, std::uint64_t size)>& visit) = 0;
  // Bytes that can still be written; the largest number when not known.
  virtual std::uint64_t free_bytes() = 0;
};

// A folder: uploads/<id> and blobs/sha256/<two digits>/<hex>. Makes what is missing.
Result<std::unique_ptr<BlobStore>> open_folder_blob_store(const std::string& folder);
// For tests.
std::unique_ptr<BlobStore> make_memory_blob_store();

}  // namespace lazaret::store
