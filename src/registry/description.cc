#include "registry/description.h"

#include "format/oci.h"
#include "source/oci_graph.h"

namespace lazaret::registry {

format::ImageDescription describe_manifest(const store::Manifest& manifest, const std::string& bytes,
                                           const std::function<Result<std::string>(const Digest&, std::uint64_t)>& read, const Limits& limits) {
  format::ImageDescription image;
  image.reference = manifest.digest.str();
  image.digest = manifest.digest;
  image.media_type = manifest.media_type;
  if (manifest.kind == store::ManifestKind::index) {
    const format::IndexDocument index = format::parse_index(bytes, limits);
    image.diagnostics = index.diagnostics;
    image.documents.emplace_back("index " + manifest.digest.str(), bytes);
    return image;
  }
  source::SourceOptions options;
  options.limits = limits;
  source::OciGraph graph([&](const format::Descriptor& descriptor, std::uint64_t limit) { return read(descriptor.digest, limit); },
                         [](const Digest& digest) { return digest.str(); }, options);
  format::Descriptor top;
  top.media_type = manifest.media_type;
  top.digest = manifest.digest;
  top.size = bytes.size();
  graph.follow(top, bytes);
  auto manifests = std::move(graph.manifests);
  source::describe(std::move(graph), std::move(manifests), image);
  return image;
}

}  // namespace lazaret::registry
