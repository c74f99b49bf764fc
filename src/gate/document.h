// A manifest or index that is being pushed, read so strictly that no two readers can disagree about it.
//
// What a lenient reader would have to choose between is refused: equal keys, keys that differ in case only, a document that is index and
// manifest at once (GHSA-77vh-xpmg-72qh), a mediaType that is not the Content-Type, embedded data that is not what its digest names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "store/metadata_store.h"

namespace lazaret::gate {

struct PushedDocument {
  std::string media_type;
  store::ManifestKind kind = store::ManifestKind::image;
  std::vector<store::Reference> references;  // digests as written
  Digest subject;
  std::string artifact_type;  // its own; for a manifest without one the media type of its config
  std::vector<std::pair<std::string, std::string>> annotations;
};

// `content_type`: of the request, "" when it had none; parameters are ignored. `foreign_layers`: whether descriptors may have URLs. Errors are
// ErrorCode::invalid and say what is wrong, for the publisher.
Result<PushedDocument> read_pushed_document(std::string_view bytes, std::string_view content_type, bool foreign_layers, const Limits& limits);

// Types that a manifest may be pushed as.
bool is_manifest_type(std::string_view media_type);
// Of layers that registries need not have (image-spec, "Non-Distributable Layers"; docker's foreign layers).
bool is_foreign_layer_type(std::string_view media_type);

}  // namespace lazaret::gate
