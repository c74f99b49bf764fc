// Takes away what nothing refers to, while everything else goes on.
//
// A blob lives as long as some repository holds it; a repository holds it while a manifest there names it, and for a while (Policy::blob_age) after it was
// uploaded, mounted or asked for by a push, so that a push under way finds what it was told is there. Records go first, in transactions that see what pushes
// see; the file goes after that, under the lock that a finishing upload takes, and only when no record came back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "gate/gate.h"

namespace lazaret::gate {

struct Collected {
  std::uint64_t uploads = 0, links = 0, manifests = 0, blobs = 0, bytes = 0;
};

// What a collection works on. `lock` gives what Gate::blob_lock() does; empty when no server runs.
struct Collection {
  store::BlobStore& blobs;
  store::MetadataStore& metadata;
  std::function<std::mutex&(const Digest&)> lock;
  // Whether somebody writes to the upload, or did a moment ago: its record is written when that ends. Empty when no server runs.
  std::function<bool(const std::string& id)> upload_in_use;
  store::Time now = 0;
  std::chrono::hours upload_age{24}, blob_age{24};
};

// One pass. May run beside everything, but not beside itself.
Result<Collected> collect(const Collection& collection);
inline Result<Collected> collect(Gate& gate, std::function<bool(const std::string& id)> upload_in_use = nullptr) {
  return collect({gate.blobs(), gate.metadata(), [&gate](const Digest& digest) -> std::mutex& { return gate.blob_lock(digest); }, std::move(upload_in_use), gate.now(),
                  gate.policy().upload_age, gate.policy().blob_age});
}
// Quarantine files without a record, which a crash left. Only before requests come.
Result<std::uint64_t> remove_lost_uploads(store::BlobStore& blobs, store::MetadataStore& metadata);

struct Checked {
  std::uint64_t blobs = 0, manifests = 0, bytes = 0;
  std::vector<std::string> problems;
  std::uint64_t leftovers = 0;  // files without a record, which a crash leaves and a collection removes
};

// Looks whether records and files agree. `content`: also hashes every blob and manifest.
Result<Checked> check(store::BlobStore& blobs, store::MetadataStore& metadata, bool content);

}  // namespace lazaret::gate
