// Files of known incidents, by digest and by the exact path that an incident's scripts use.
#include <string>
#include <string_view>
#include <vector>

#include "detect/detector.h"
#include "detect/incident_data_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "known-bad.file",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "File of a known incident",
     .explanation = "The file's SHA-256 is that of a payload of a documented incident.",
     .remediation = "Do not run the image. Where it ran, treat the host as compromised.",
     .attack = {"T1204.003"}},
    {.id = "known-bad.file-path",
     .category = Category::known_bad,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "File where a known incident puts its files",
     .explanation = "Scripts of a documented incident write exactly this path. The content is "
                    "unknown; the name occurs nowhere else.",
     .remediation = "Look at what creates and starts the file.",
     .attack = {"T1036.005"}},
};

// A path, or everything below it when it ends in '/'.
const KnownIndicator* find_path(std::string_view path) {
  static const std::vector<const KnownIndicator*> known = [] {
    std::vector<const KnownIndicator*> result;
    for (const KnownIndicator& indicator : incident_data().indicators) {
      if (indicator.type == "path") result.push_back(&indicator);
    }
    return result;
  }();
  for (const KnownIndicator* indicator : known) {
    if (path == indicator->value ||
        (indicator->value.ends_with('/') && path.starts_with(indicator->value)))
      return indicator;
  }
  return nullptr;
}

void inspect(const FileView& file, FileReport& report) {
  if (file.origin != Origin::file || file.content_offset != 0) return;
  if (!file.sha256.empty()) {
    const std::string hex = file.sha256.hex();
    if (const KnownIndicator* known = incident_data().find_file(hex)) {
      FileFinding finding;
      finding.rule = &rules[0];
      finding.evidence = "sha256 " + hex + " (incident " + known->incident->id + ")";
      finding.indicators.push_back({"file-sha256", hex, true});
      finding.confidence = known->confidence;
      report.add(std::move(finding));
    }
  }
  if (file.nesting == 0) {
    if (const KnownIndicator* known = find_path(file.path)) {
      FileFinding finding;
      finding.rule = &rules[1];
      finding.evidence = std::string(file.path) + " (incident " + known->incident->id + ")";
      report.add(std::move(finding));
    }
  }
}

}  // namespace

extern const Detector known_bad_file_detector;
const Detector known_bad_file_detector = {
    .name = "known-bad-file",
    .summary = "Finds files of known incidents by digest and path.",
    .rules = rules,
    .patterns = {},
    .kinds = format::KindSet::all(),
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
