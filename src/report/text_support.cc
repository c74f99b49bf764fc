#include "report/text_support.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lazaret::report {

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return upper;
}

std::string place_of(const audit::Finding& finding) {
  const audit::Location& location = finding.location;
  std::string place = location.path.empty() ? "the image" : escape(location.path, 300);
  for (const std::string& name : location.nested) place += " -> " + escape(name, 200);
  if (location.line > 0) {
    place += fmt::format(", line {}", location.line);
  } else if (location.offset > 0) {
    place += fmt::format(", offset {}", location.offset);
  }
  if (!location.layer.empty() && !location.path.empty() && !location.in_final_rootfs) place += " (not visible in a container)";
  return place;
}

std::string layer_of(const audit::Report& report, const audit::Finding& finding) {
  if (finding.location.layer.empty()) return "";
  for (const auto& manifest : report.manifests) {
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      if (manifest.layers[i].diff_id != finding.location.layer) continue;
      const std::string step = manifest.layers[i].created_by.empty() ? "" : ", " + escape(manifest.layers[i].created_by, 80);
      return fmt::format("{} ({} of {}{})", finding.location.layer.substr(0, 19), i + 1, manifest.layers.size(), step);
    }
  }
  return fmt::format("{} (no manifest refers to it)", finding.location.layer.substr(0, 19));
}

std::string chain_of(const audit::Finding& finding) {
  std::string chain;
  for (const std::string& step : finding.chain) chain += (chain.empty() ? "" : " -> ") + escape(step, 200);
  return chain;
}

}  // namespace lazaret::report
