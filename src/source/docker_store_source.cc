// Images of Docker's own folder, and what containers wrote, delivered as a source does.

#include <fmt/core.h>

#include <memory>

#include "format/oci.h"
#include "source/stored_images.h"
#include "source/unpacked_delivery.h"

namespace lazaret::source {
Result<format::ImageDescription> deliver_image(const DockerStore& store, const DockerImage& image,
                                               std::string reference, BlobConsumer& consumer,
                                               const SourceOptions& options) {
  format::ImageDescription description;
  description.reference = std::move(reference);
  description.digest = image.id;
  auto bytes = store.config(image, options);
  if (!bytes) return bytes.error();

  format::ManifestDescription manifest;
  manifest.digest = image.id;  // as in docker-archive: the manifest itself is not kept
  manifest.config_digest = sha256(as_bytes(*bytes));
  if (manifest.config_digest != image.id)
    description.diagnostics.push_back(
        {"integrity.document-digest",
         fmt::format("The config is named {}, its bytes are {}.", image.id.str(),
                     manifest.config_digest.str()),
         0, false, 0});
  auto parsed = format::parse_config(*bytes, options.limits);
  for (auto& diagnostic : parsed.diagnostics) description.diagnostics.push_back(std::move(diagnostic));
  manifest.config = std::move(parsed.config);
  manifest.platform = format::platform_of(manifest.config);
  manifest.config_json = std::move(*bytes);

  UnpackedDelivery layers(consumer, options);
  Digest chain;
  for (const Digest& diff_id : manifest.config.diff_ids) {
    if (manifest.layers.size() >= options.limits.layers) {
      description.unaudited.emplace_back(
          "layer " + diff_id.str(), fmt::format("there are more than {} layers", options.limits.layers));
      break;
    }
    chain = chain.empty() ? diff_id : sha256(as_bytes(chain.str() + " " + diff_id.str()));
    format::LayerReference layer;
    layer.key = "layer " + chain.str();
    if (const auto digests = store.layer_digests(image.driver, diff_id); !digests.empty())
      layer.descriptor.digest = digests.front();
    layer.form = format::LayerForm::unpacked;
    BlobOffer offer;
    offer.key = layer.key;
    offer.diff_id = diff_id;
    layers.add(std::move(offer), [&store, driver = image.driver, chain] {
      return store.open_layer(driver, chain);
    });
    manifest.layers.push_back(std::move(layer));
  }
  if (const auto delivered = layers.deliver(); !delivered) return delivered.error();
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    auto& layer = manifest.layers[i];
    LayerOutcome* outcome = layers.outcome(layer.key);
    if (outcome == nullptr) continue;
    if (!outcome->exact) layer.form = format::LayerForm::rebuilt;
    tell_outcome(manifest.config.diff_ids[i].str(), *outcome, description);
  }
  description.manifests.push_back(std::move(manifest));
  return description;
}

Result<format::ImageDescription> deliver_written_layer(UnpackedLayer layer, std::string reference,
                                                       BlobConsumer& consumer,
                                                       const SourceOptions& options) {
  format::ImageDescription description;
  description.reference = std::move(reference);
  format::ManifestDescription manifest;
  manifest.layers.push_back({"written by the container", {}, format::LayerForm::rebuilt});
  BlobOffer offer;
  offer.key = manifest.layers.front().key;
  UnpackedDelivery layers(consumer, options);
  const auto shared = std::make_shared<UnpackedLayer>(std::move(layer));
  layers.add(std::move(offer), [shared]() -> Result<UnpackedLayer> { return std::move(*shared); });
  if (const auto delivered = layers.deliver(); !delivered) return delivered.error();
  if (LayerOutcome* outcome = layers.outcome(manifest.layers.front().key)) {
    for (auto& [what, why] : outcome->unaudited)
      description.unaudited.emplace_back(std::move(what), std::move(why));
  }
  description.manifests.push_back(std::move(manifest));
  return description;
}

}  // namespace lazaret::source
