// Images of known incidents, by digest and by name.
//
// A digest is proof. A name is what somebody chose: on Docker Hub the account is the publisher, on
// another registry the same path may be a mirror's copy or a stranger's.
#include <string>
#include <string_view>

#include "detect/detector.h"
#include "detect/incident_data_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice =
    "Do not run the image. Where it ran, treat the host as compromised and rebuild it.";

constexpr Rule rules[] = {
    {.id = "known-bad.image-digest",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Image of a known incident (digest)",
     .explanation = "A report of a documented incident lists exactly this image as malicious.",
     .remediation = advice,
     .attack = {"T1204.003"}},
    {.id = "known-bad.image-name",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Image of a known incident (name)",
     .explanation = "Everything published under this name was malware when the incident was "
                    "documented.",
     .remediation = advice,
     .attack = {"T1204.003", "T1608.001"}},
};

struct Name {
  std::string_view registry, path;  // "docker.io", "alice/tomcat"
};

Name parse_name(std::string_view reference) {
  reference = reference.substr(0, reference.find('@'));
  const auto slash = reference.find('/');
  if (slash == std::string_view::npos) return {};
  Name name{reference.substr(0, slash), reference.substr(slash + 1)};
  const auto colon = name.path.rfind(':');
  if (colon != std::string_view::npos && name.path.find('/', colon) == std::string_view::npos)
    name.path = name.path.substr(0, colon);
  return name;
}

std::string describe(const KnownImage& image) {
  std::string text = image.repository;
  if (!image.tags.empty()) text += ":" + image.tags.front();
  return text;
}

void add(const Rule& rule, const IncidentFact& fact, std::string evidence,
         std::vector<ImageFinding>& findings) {
  ImageFinding finding;
  finding.rule = &rule;
  finding.evidence = std::move(evidence) + " (incident " + fact.incident->id + ": " +
                     fact.incident->title + "; source: " + fact.source + ")";
  finding.confidence = fact.confidence;
  findings.push_back(std::move(finding));
}

void inspect_digests(const ImageView& image, std::vector<ImageFinding>& findings) {
  const IncidentData& data = incident_data();
  const auto look_up = [&](const Digest& digest, std::string_view what) {
    const KnownImage* known = data.find_image(digest);
    if (known == nullptr) return false;
    add(rules[0], *known, std::string(what) + " " + digest.str() + " is " + describe(*known),
        findings);
    return true;
  };
  const format::ManifestDescription& manifest = image.manifest();
  if (look_up(image.digest(), "image")) return;
  if (look_up(manifest.digest, "manifest")) return;
  if (look_up(manifest.config_digest, "config")) return;
  const std::string_view reference = image.reference();
  if (const auto at = reference.find('@'); at != std::string_view::npos) {
    if (const auto digest = Digest::parse(reference.substr(at + 1)))
      look_up(*digest, "requested digest");
  }
}

void inspect_name(const ImageView& image, std::vector<ImageFinding>& findings) {
  const IncidentData& data = incident_data();
  const Name name = parse_name(image.reference());
  if (name.path.empty()) return;
  const auto judge = [&](const IncidentFact& fact, const Name& known, std::string_view what) {
    add(rules[1], fact, image.reference() + ": " + std::string(what), findings);
    if (name.registry != known.registry) {
      findings.back().severity = Severity::high;
      findings.back().confidence = Confidence::medium;
    }
  };
  for (const KnownImage& known : data.images) {
    if (!known.digest.empty()) continue;
    const Name bad = parse_name(known.repository);
    if (name.path == bad.path) return judge(known, bad, "image");
  }
  for (const KnownPublisher& known : data.publishers) {
    const Name bad = parse_name(known.account);
    if (name.path.size() > bad.path.size() && name.path.starts_with(bad.path) &&
        name.path[bad.path.size()] == '/')
      return judge(known, bad, "publisher " + known.account);
  }
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  inspect_digests(image, findings);
  inspect_name(image, findings);
}

}  // namespace

extern const Detector known_bad_image_detector;
const Detector known_bad_image_detector = {
    .name = "known-bad-image",
    .summary = "Finds images of known incidents by digest and name.",
    .rules = rules,
    .patterns = {},
    .kinds = {},
    .trigger = Trigger::on_hit,
    .inspect_image = inspect_image,
};

}  // namespace lazaret::detect
