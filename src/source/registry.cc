#include "source/registry.h"

#include <fmt/format.h>

#include "source/delivery.h"
#include "source/oci_graph.h"
#include "source/reference.h"
#include "source/registry_client.h"

namespace lazaret::source {
namespace {

class Registry final : public ImageSource {
 public:
  explicit Registry(ImageName image) : image_(std::move(image)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    auto credentials = find_credentials(image_, options.auth_file);
    if (!credentials) return credentials.error();
    RegistryClient client(image_, options, std::move(*credentials));

    // The tag is resolved once; everything else is asked for by digest.
    auto top = client.manifest(image_.digest.empty() ? image_.tag : image_.digest.str(),
                               options.limits.manifest_bytes);
    if (!top) return top.error();
    const Digest computed =
        hash(image_.digest.empty() ? HashAlgorithm::sha256 : image_.digest.algorithm(),
             as_bytes(top->body));
    if (!image_.digest.empty() && image_.digest != computed) {
      return Error{ErrorCode::corrupt,
                   fmt::format("{}: the registry gives a document whose digest is {}", image_.str(),
                               computed.str())};
    }
    format::ImageDescription description;
    description.reference = image_.str();
    description.digest = computed;
    description.media_type = top->media_type;
    if (!top->digest.empty() && top->digest.algorithm() == computed.algorithm() &&
        top->digest != computed) {
      description.diagnostics.push_back(
          {"integrity.document-digest",
           fmt::format("the registry names the document {}, its bytes are {}", top->digest.str(),
                       computed.str()),
           0, false, 0});
    }

    OciGraph graph(
        [&](const format::Descriptor& descriptor, std::uint64_t limit) -> Result<std::string> {
          // A config is a blob, everything else a document.
          const bool config = descriptor.media_type.find("config") != std::string::npos ||
                              descriptor.media_type.find("container.image.v1") != std::string::npos;
          if (config) return client.small_blob(descriptor.digest, limit);
          auto document = client.manifest(descriptor.digest.str(), limit);
          if (!document) return document.error();
          return std::move(document->body);
        },
        [](const Digest& digest) { return digest.str(); }, options);
    format::Descriptor descriptor;
    descriptor.digest = computed;
    descriptor.media_type = top->media_type;
    descriptor.size = top->body.size();
    graph.follow(descriptor, std::move(top->body));
    std::vector<GraphManifest> manifests = std::move(graph.manifests);
    if (const auto selected = select_platform(manifests, options); !selected)
      return selected.error();

    std::vector<PendingBlob> blobs;
    std::map<Digest, std::size_t> known;
    for (GraphManifest& manifest : manifests) {
      for (std::size_t i = 0; i < manifest.blobs.size(); ++i) {
        const format::Descriptor& blob = manifest.blobs[i];
        if (blob.digest.empty() || !known.emplace(blob.digest, blobs.size()).second) continue;
        if (!blob.urls.empty()) {
          manifest.unaudited.emplace_back(
              blob.digest.str(),
              fmt::format("a foreign layer, to be fetched from {}, which is not done",
                          blob.urls.front()));
          continue;
        }
        PendingBlob pending;
        pending.offer.key = blob.digest.str();
        pending.offer.digest = blob.digest;
        pending.offer.size = blob.size;
        pending.offer.media_type = blob.media_type;
        if (i < manifest.description.config.diff_ids.size())
          pending.offer.diff_id = manifest.description.config.diff_ids[i];
        // Every client verifies what it downloads against this digest, so the digest is what the
        // image has.
        pending.offer.digest_is_proved = true;
        pending.push = [&client, blob](BlobWriter& writer) {
          return client.stream_blob(blob, writer);
        };
        blobs.push_back(std::move(pending));
      }
    }
    announce(blobs, options);
    if (const auto delivered = deliver_blobs(blobs, consumer, options); !delivered)
      return delivered.error();
    describe(std::move(graph), std::move(manifests), description);
    return description;
  }

 private:
  const ImageName image_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> open_registry(const Target& target) {
  auto image = parse_image_name(target.reference);
  if (!image) return image.error();
  return std::unique_ptr<ImageSource>(std::make_unique<Registry>(std::move(*image)));
}

}  // namespace lazaret::source
