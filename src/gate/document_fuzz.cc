// Manifests as a client sends them: whatever is accepted names its digests, and can be stored and read back as the same.
#include <cstdlib>

#include "gate/document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazaret;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const Limits limits;
  for (const char* type : {"", "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}) {
    const auto document = gate::read_pushed_document(text, type, false, limits);
    if (!document) continue;
    if (!gate::is_manifest_type(document->media_type)) std::abort();
    for (const store::Reference& reference : document->references) {
      if (reference.digest.empty() || Digest::parse(reference.digest.str()) != reference.digest) std::abort();
      if ((reference.kind == store::ReferenceKind::manifest) != (document->kind == store::ManifestKind::index)) std::abort();
    }
    // The type it was taken for is the type it is kept under.
    const auto again = gate::read_pushed_document(text, document->media_type, false, limits);
    if (!again || again->kind != document->kind || again->references.size() != document->references.size()) std::abort();
  }
  return 0;
}
