#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/finding_groups.h"
#include "report/markdown_text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

constexpr std::size_t places_in_full = 3, places_listed = 50;

}  // namespace

std::string to_markdown(const audit::Report& report) {
  std::string out = fmt::format("# {}: {}\n\nScore {} of 100. Image `{}`, {} in {} files audited.\n", to_upper(audit::name_of(report.verdict)),
                                markdown_plain(report.target), report.score, report.image_digest, format_bytes(report.bytes), report.files);
  for (const auto& manifest : report.manifests) {
    out += fmt::format("\nBase: {}.\n", markdown_plain(audit::describe_lineage(manifest.base, manifest.added), 600));
    for (const auto& packages : manifest.packages) out += fmt::format("Packages of {}.\n", audit::describe_packages(packages));
  }
  if (!report.reasons.empty()) out += "\n";
  for (const std::string& reason : report.reasons) out += "- " + markdown_plain(reason) + "\n";

  std::size_t silent = 0;
  bool heading = false;
  for (const FindingGroup& group : group_findings(report)) {
    const audit::Finding& first = group.first();
    const std::size_t count = group.findings.size();
    if (first.weight == 0) {
      silent += count;
      continue;
    }
    if (!heading) out += "\n## Findings\n";
    heading = true;
    out += fmt::format("\n### {}: {}{}\n\n", to_upper(detect::name_of(group.severity())), markdown_plain(first.title), count == 1 ? "" : fmt::format(" ({} places)", count));
    for (std::size_t i = 0; i < std::min(count, places_in_full); ++i) {
      const audit::Finding& finding = *group.findings[i];
      out += fmt::format("**{}**\n\n", markdown_plain(place_of(finding), 600));
      const ShownEvidence evidence = evidence_of(report, finding);
      if (evidence.is_decoded) out += "Decoded:\n\n";
      if (!finding.evidence.empty()) out += markdown_code(finding.evidence) + "\n";
      if (const std::string chain = chain_of(finding); !chain.empty()) out += fmt::format("Reached by: {}\n\n", markdown_plain(chain, 600));
      if (const std::string layer = layer_of(report, finding); !layer.empty()) out += fmt::format("Layer {}\n\n", markdown_plain(layer));
    }
    if (count > places_in_full) {
      std::string places;
      for (std::size_t i = places_in_full; i < std::min(count, places_in_full + places_listed); ++i) {
        places += (places.empty() ? "" : "; ") + markdown_plain(place_of(*group.findings[i]), 600);
      }
      if (count > places_in_full + places_listed) places += fmt::format("; and {} more", count - places_in_full - places_listed);
      out += fmt::format("Also: {}\n\n", places);
    }
    out += fmt::format("- Why: {}\n", markdown_plain(first.explanation, 1000));
    out += fmt::format("- How sure: {}\n", markdown_plain(certainty_of(first), 1000));
    out += fmt::format("- What to do: {}\n", markdown_plain(first.remediation, 600));
    std::string techniques;
    for (const std::string& technique : first.attack) techniques += ", " + technique;
    out += fmt::format("- Rule `{}`, weight {} ({}){}\n", first.rule, first.weight, markdown_plain(first.reason), techniques);
  }
  if (silent > 0) out += fmt::format("\n{} further findings carry no weight.\n", silent);
  if (!report.indicators.empty()) {
    out += "\n## Indicators\n\n| type | value |\n|---|---|\n";
    for (const detect::Indicator& indicator : report.indicators) out += fmt::format("| {} | {} |\n", markdown_plain(indicator.type), markdown_plain(indicator.value));
  }
  if (!report.incomplete.empty()) {
    out += "\n## Not audited\n\n";
    for (const audit::Incomplete& part : report.incomplete) {
      out += fmt::format("- {}: {}\n", part.path.empty() ? "the image" : markdown_plain(part.path), markdown_plain(part.reason));
    }
  }
  return out + fmt::format("\nlazaret {}, ruleset `{}`\n\n", report.engine_version, report.ruleset);
}

}  // namespace lazaret::report
