// Takes away what nothing refers to, while everything else goes on.
//
// A blob lives as long as some repository holds it; a repository holds it while a manifest there names it, and for a while (Policy::blob_age) after it was
// uploaded, mounted or asked for by a push, so that a push under way finds what it was told is there. Records go first, in transactions that see what pushes
// see; the file goes after that, under the lock that a finishing upload takes, and only when no record came back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gate/gate.h"

namespace lazaret::gate {

struct Collected {
  std::uint64_t uploads = 0, links = 0, manifests = 0, blobs = 0, bytes = 0;
};

// One pass. Thread-safe; may run beside everything, but not beside itself.
Result<Collected> collect(Gate& gate);

struct Checked {
  std::uint64_t blobs = 0, manifests = 0, bytes = 0;
  std::vector<std::string> problems;
};

// Looks whether records and files agree. `content`: also hashes every blob and manifest.
Result<Checked> check(store::BlobStore& blobs, store::MetadataStore& metadata, bool content);

}  // namespace lazaret::gate
