#include "detect/known_image_support.h"

namespace lazaret::detect {
namespace {

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
  if (image.repository.empty()) return "an image that the incident lists by its digest";
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

void find_digest(const IncidentData& data, const ImageIdentity& image,
                 std::vector<ImageFinding>& findings) {
  for (const auto& [what, digest] : image.digests) {
    const KnownImage* known = data.find_image(digest);
    if (known == nullptr) continue;
    add(known_image_rules[0], *known,
        std::string(what) + " " + digest.str() + " is " + describe(*known), findings);
    return;
  }
}

void find_layer(const IncidentData& data, const ImageIdentity& image,
                std::vector<ImageFinding>& findings) {
  for (const KnownIndicator& indicator : data.indicators) {
    if (indicator.type != "layer") continue;
    for (const Digest& layer : image.layers) {
      if (layer.str() != indicator.value) continue;
      add(known_image_rules[2], indicator, "layer " + indicator.value, findings);
      findings.back().indicators.push_back({"layer", indicator.value, true});
      return;
    }
  }
}

bool find_name(const IncidentData& data, const std::string& reference,
               std::vector<ImageFinding>& findings) {
  const Name name = parse_name(reference);
  if (name.path.empty()) return false;
  const auto judge = [&](const IncidentFact& fact, const Name& known, std::string_view what) {
    add(known_image_rules[1], fact, reference + ": " + std::string(what), findings);
    if (name.registry != known.registry) {
      findings.back().severity = Severity::high;
      findings.back().confidence = Confidence::medium;
    }
  };
  for (const KnownImage& known : data.images) {
    if (!known.digest.empty()) continue;
    const Name bad = parse_name(known.repository);
    if (name.path == bad.path) return judge(known, bad, "image"), true;
  }
  for (const KnownPublisher& known : data.publishers) {
    const Name bad = parse_name(known.account);
    if (name.path.size() > bad.path.size() && name.path.starts_with(bad.path) &&
        name.path[bad.path.size()] == '/')
      return judge(known, bad, "publisher " + known.account), true;
  }
  return false;
}

}  // namespace

void find_known_images(const IncidentData& data, const ImageIdentity& image,
                       std::vector<ImageFinding>& findings) {
  find_digest(data, image, findings);
  find_layer(data, image, findings);
  for (const std::string& reference : image.references) {
    if (find_name(data, reference, findings)) return;
  }
}

}  // namespace lazaret::detect
