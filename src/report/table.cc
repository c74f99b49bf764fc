// The report for people: verdict first, then each finding with where, what and why, then what to do.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

constexpr std::size_t findings_in_full = 25;

struct Paint {
  bool on;
  std::string operator()(const char* code, std::string_view text) const {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
};

const char* colour_of(audit::Verdict verdict) {
  switch (verdict) {
    case audit::Verdict::malicious: return "1;97;41";
    case audit::Verdict::suspicious: return "1;30;43";
    case audit::Verdict::incomplete: return "1;30;46";
    case audit::Verdict::clean: return "1;30;42";
  }
  return "0";
}

const char* colour_of(detect::Severity severity) {
  switch (severity) {
    case detect::Severity::critical: return "1;31";
    case detect::Severity::high: return "31";
    case detect::Severity::medium: return "33";
    default: return "2";
  }
}

// Breaks at spaces; a word longer than the line is broken where the line ends. Continues with `indent`.
std::string wrap(std::string_view text, std::size_t width, std::string_view indent) {
  std::string out;
  std::size_t column = indent.size();
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, space);
    if (column > indent.size() && column + 1 + word.size() > width) {
      out += "\n" + std::string(indent);
      column = indent.size();
    } else if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    while (column + word.size() > width && width > indent.size() + 8) {
      std::size_t part = width - column;
      while (part > 1 && (static_cast<unsigned char>(word[part]) & 0xc0) == 0x80) --part;  // not inside a character
      out += word.substr(0, part);
      out += "\n" + std::string(indent);
      word.remove_prefix(part);
      column = indent.size();
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out;
}

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
