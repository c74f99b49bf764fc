// The report for people: verdict first, then each finding with where, what and why, then what to do.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "report/terminal_text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

constexpr std::size_t findings_in_full = 25;

void add_finding(std::string& out, const audit::Report& report, const audit::Finding& finding, const Paint& paint, std::size_t width) {
  constexpr std::string_view indent = "             ";
  const std::string severity = to_upper(detect::name_of(finding.severity));
  out += fmt::format("\n  {} {}\n", paint(colour_of(finding.severity), fmt::format("{:<8}", severity)), paint("1", finding.title));
  const auto line = [&](std::string_view label, const std::string& text, const char* colour) {
    if (text.empty()) return;
    const std::string wrapped = wrap(text, width, indent);
    out += fmt::format("    {:<8} {}\n", label, colour == nullptr ? wrapped : paint(colour, wrapped));
  };
  line("where", place_of(finding), nullptr);
  line("layer", layer_of(report, finding), nullptr);
  line("evidence", escape(finding.evidence, 400), "36");
  line("chain", chain_of(finding), nullptr);
  line("why", finding.explanation, nullptr);
  line("weight", fmt::format("{} of 100: {}", finding.weight, finding.reason), "2");
  line("do", finding.remediation, nullptr);
  std::string rule = finding.rule;
  for (const std::string& technique : finding.attack) rule += "  " + technique;
  line("rule", rule, "2");
}

}  // namespace

std::string to_table(const audit::Report& report, const TableStyle& style) {
  const Paint paint{style.colour};
  const std::size_t width = std::clamp<std::size_t>(style.width, 60, 140);
  std::string out = fmt::format("{}  {}  score {}\n", paint(colour_of(report.verdict), fmt::format(" {} ", to_upper(audit::name_of(report.verdict)))),
                                paint("1", escape(report.target)), report.score);
  if (style.quiet) return out;
  for (const std::string& reason : report.reasons) out += "  - " + wrap(escape(reason), width, "    ") + "\n";

  out += fmt::format("\n  image     {}\n", report.image_digest.empty() ? "(no digest)" : report.image_digest);
  for (const auto& manifest : report.manifests) {
    out += fmt::format("  platform  {}, {} layer{}\n", manifest.platform.empty() ? "unknown" : escape(manifest.platform), manifest.layers.size(),
                       manifest.layers.size() == 1 ? "" : "s");
  }
  out += fmt::format("  audited   {} in {} files\n", format_bytes(report.bytes), report.files);

  std::size_t shown = 0, silent = 0;
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight == 0) {
      ++silent;
    } else if (shown < findings_in_full) {
      add_finding(out, report, finding, paint, width);
      ++shown;
    }
  }
  const std::size_t more = report.findings.size() - shown - silent;
  if (more > 0) out += fmt::format("\n  {} more findings: use --format json, sarif or html\n", more);
  if (silent > 0) {
    out += fmt::format("\n  {} finding{} without weight (package files, documentation, capabilities): use --format json to see them\n", silent,
                       silent == 1 ? "" : "s");
  }

  if (!report.indicators.empty()) {
    out += "\n  indicators\n";
    std::size_t count = 0;
    for (const detect::Indicator& indicator : report.indicators) {
      if (++count > 20) {
        out += fmt::format("    and {} more\n", report.indicators.size() - 20);
        break;
      }
      out += fmt::format("    {:<16} {}{}\n", indicator.type, escape(indicator.value, 120), indicator.validated ? "" : "  (not validated)");
    }
  }
  if (!report.incomplete.empty()) {
    out += fmt::format("\n  {}\n", paint("1", "not audited"));
    std::size_t count = 0;
    for (const audit::Incomplete& part : report.incomplete) {
      if (++count > 20) {
        out += fmt::format("    and {} more\n", report.incomplete.size() - 20);
        break;
      }
      out += "    " + wrap(fmt::format("{}: {}", part.path.empty() ? "the image" : escape(part.path, 200), escape(part.reason, 300)), width, "      ") + "\n";
    }
  }
  if (report.findings.empty() && report.incomplete.empty()) out += "\n  nothing found\n";
  return out + "\n";
}

}  // namespace lazaret::report
