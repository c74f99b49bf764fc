#include <fmt/format.h>

#include "base/text.h"
#include "report/markdown_text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
std::string to_markdown(const audit::Report& report) {
  std::string out = fmt::format("# {}: {}\n\nScore {} of 100. Image `{}`, {} in {} files audited.\n", to_upper(audit::name_of(report.verdict)),
                                markdown_plain(report.target), report.score, report.image_digest, format_bytes(report.bytes), report.files);
  if (!report.reasons.empty()) out += "\n";
  for (const std::string& reason : report.reasons) out += "- " + markdown_plain(reason) + "\n";

  std::size_t silent = 0;
  bool heading = false;
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight == 0) {
      ++silent;
      continue;
    }
    if (!heading) out += "\n## Findings\n";
    heading = true;
    out += fmt::format("\n### {}: {}\n\n", to_upper(detect::name_of(finding.severity)), markdown_plain(finding.title));
    out += fmt::format("{}\n\n", markdown_plain(place_of(finding), 600));
    if (const std::string layer = layer_of(report, finding); !layer.empty()) out += fmt::format("Layer {}\n\n", markdown_plain(layer));
    if (!finding.evidence.empty()) out += markdown_code(finding.evidence) + "\n";
    if (const std::string chain = chain_of(finding); !chain.empty()) out += fmt::format("Reached by: {}\n\n", markdown_plain(chain, 600));
    out += fmt::format("{} {}\n\n", markdown_plain(finding.explanation, 1000), markdown_plain(finding.remediation, 600));
    std::string techniques;
    for (const std::string& technique : finding.attack) techniques += ", " + technique;
    out += fmt::format("Rule `{}`, weight {} ({}){}\n", finding.rule, finding.weight, markdown_plain(finding.reason), techniques);
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
