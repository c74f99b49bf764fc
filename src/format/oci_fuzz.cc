// Any bytes as every document an image has.
#include <cstdlib>

#include "format/oci.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Limits limits;
  const DocumentShape shape = document_shape(text, limits);
  const IndexDocument index = parse_index(text, limits);
  const ManifestDocument manifest = parse_manifest(text, limits);
  if (!shape.valid && shape.has_manifests) std::abort();
  (void)platform_of(parse_config(text, limits).config);
  (void)parse_docker_archive_manifest(text, limits);
  return 0;
}
