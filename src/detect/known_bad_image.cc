// Images of known incidents, by digest, layer and name (known_image_support.h).
#include <string>
#include <string_view>

#include "detect/detector.h"
#include "detect/incident_data_support.h"
#include "detect/known_image_support.h"

namespace lazaret::detect {
namespace {

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  const format::ManifestDescription& manifest = image.manifest();
  const std::string& reference = image.reference();
  ImageIdentity identity;
  identity.references = {reference};
  identity.digests = {{"image", image.digest()}, {"manifest", manifest.digest}, {"config", manifest.config_digest}};
  if (const auto at = reference.find('@'); at != std::string::npos) {
    if (const auto digest = Digest::parse(reference.substr(at + 1))) identity.digests.emplace_back("requested digest", *digest);
  }
  for (const format::LayerReference& layer : manifest.layers) identity.layers.push_back(layer.descriptor.digest);
  identity.layers.insert(identity.layers.end(), manifest.config.diff_ids.begin(), manifest.config.diff_ids.end());
  find_known_images(incident_data(), identity, findings);
}

}  // namespace

extern const Detector known_bad_image_detector;
const Detector known_bad_image_detector = {
    .name = "known-bad-image",
    .summary = "Finds images of known incidents by digest, layer and name.",
    .rules = known_image_rules,
    .patterns = {},
    .kinds = {},
    .trigger = Trigger::on_hit,
    .inspect_image = inspect_image,
};

}  // namespace lazaret::detect
