// Which known incident an image belongs to: by digest, by layer, by name.
//
// A digest is proof, and so is a layer, which is never listed but for what it brings. A name is what
// somebody chose: on Docker Hub the account is the publisher, on another registry the same path may
// be a mirror's copy or a stranger's.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "detect/detector.h"
#include "detect/incident_data_support.h"

namespace lazaret::detect {

inline constexpr std::string_view known_image_advice =
    "Do not run the image. Where it ran, treat the host as compromised and rebuild it.";

inline constexpr std::array known_image_rules = {
    Rule{.id = "known-bad.image-digest",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Image of a known incident (digest)",
     .explanation = "A report of a documented incident lists exactly this image as malicious.",
     .remediation = known_image_advice,
     .attack = {"T1204.003"}},
    Rule{.id = "known-bad.image-name",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Image of a known incident (name)",
     .explanation = "Everything published under this name was malware when the incident was "
                    "documented.",
     .remediation = known_image_advice,
     .attack = {"T1204.003", "T1608.001"}},
    Rule{.id = "known-bad.image-layer",
         .category = Category::known_bad,
         .severity = Severity::critical,
         .confidence = Confidence::high,
         .title = "Image with a layer of a known incident",
         .explanation = "A report of a documented incident lists this layer as malicious; under "
                        "another name and with other layers it is the same files.",
         .remediation = known_image_advice,
         .attack = {"T1204.003"}},
};

// What is known of an image. References are full names ("docker.io/alice/tomcat:1").
struct ImageIdentity {
  std::vector<std::string> references;
  std::vector<std::pair<std::string_view, Digest>> digests;  // (what it is of, digest): the first that is known counts
  std::vector<Digest> layers;                                // digests and diff_ids
};

// Adds what the incidents say of the image, at most one finding of each rule.
void find_known_images(const IncidentData& data, const ImageIdentity& image,
                       std::vector<ImageFinding>& findings);

}  // namespace lazaret::detect
