// A stored manifest as the audit takes it.
#pragma once

#include <functional>
#include <string>

#include "base/limits.h"
#include "format/image.h"
#include "store/metadata_store.h"

namespace lazaret::registry {

// Named by its digest alone, so that the report is the same in whatever repository it stands. An index is its own document only: each of its manifests is
// judged by itself. `read` gives the bytes of a blob.
format::ImageDescription describe_manifest(const store::Manifest& manifest, const std::string& bytes,
                                           const std::function<Result<std::string>(const Digest&, std::uint64_t limit)>& read, const Limits& limits);

}  // namespace lazaret::registry
