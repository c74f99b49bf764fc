// The report for people: verdict first, then each finding with where, what and why, then what to do.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/finding_groups.h"
#include "report/report_parts.h"
#include "report/terminal_text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

constexpr std::size_t groups_in_full = 20, places_in_full = 3, places_listed = 10, listed = 20;
constexpr std::string_view indent = "             ";

// A label and text that continues under itself.
void add_line(std::string& out, const Paint& paint, std::size_t width, std::string_view label, const std::string& text, const char* colour = nullptr) {
  if (text.empty()) return;
  const std::string wrapped = wrap(text, width, indent);
  out += fmt::format("    {:<8} {}\n", label, colour == nullptr ? wrapped : paint(colour, wrapped));
}

// The telling parts are underlined; without colour by a line of carets, where the text fits on one line.
void add_evidence(std::string& out, const Paint& paint, std::size_t width, const audit::Report& report, const audit::Finding& finding) {
  const ShownEvidence evidence = evidence_of(report, finding);
  const char* label = evidence.is_decoded ? "decoded" : "evidence";
  if (evidence.marks.empty() || indent.size() + evidence.text.size() > width) return add_line(out, paint, width, label, evidence.text, "36");
  std::string text, carets;
  std::size_t at = 0;
  for (const auto& [from, to] : evidence.marks) {
    text += paint("36", std::string_view(evidence.text).substr(at, from - at)) + paint("1;4;36", std::string_view(evidence.text).substr(from, to - from));
    carets.append(from - at, ' ').append(to - from, '^');
    at = to;
  }
  text += paint("36", std::string_view(evidence.text).substr(at));
  out += fmt::format("    {:<8} {}\n", label, text);
  const bool is_plain = std::none_of(evidence.text.begin(), evidence.text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  if (!paint.on && is_plain) out += std::string(indent) + carets + "\n";
}

void add_place(std::string& out, const Paint& paint, std::size_t width, const audit::Report& report, const audit::Finding& finding) {
  add_line(out, paint, width, "where", place_of(finding), "1");
  add_evidence(out, paint, width, report, finding);
  add_line(out, paint, width, "chain", chain_of(finding));
  add_line(out, paint, width, "layer", layer_of(report, finding), "2");
}

void add_group(std::string& out, const audit::Report& report, const FindingGroup& group, const Paint& paint, std::size_t width) {
  const audit::Finding& first = group.first();
  const std::size_t count = group.findings.size();
  const std::string severity = to_upper(detect::name_of(group.severity()));
  const std::string title = first.title + (count == 1 ? "" : fmt::format(" ({} places)", count));
  out += fmt::format("\n  {} {}\n", paint(colour_of(group.severity()), fmt::format("{:<8}", severity)), paint("1", wrap(title, width, "           ")));
  // What stands at many places in files that look alike is told once.
  const std::size_t full = count <= places_in_full + 1 ? count : places_in_full;
  for (std::size_t i = 0; i < full; ++i) add_place(out, paint, width, report, *group.findings[i]);
  if (count > full) {
    std::string places;
    for (std::size_t i = full; i < std::min(count, full + places_listed); ++i) places += (places.empty() ? "" : "; ") + place_of(*group.findings[i]);
    if (count > full + places_listed) places += fmt::format("; and {} more (--format json has all)", count - full - places_listed);
    add_line(out, paint, width, "also", places);
  }
  add_line(out, paint, width, "why", first.explanation);
  add_line(out, paint, width, "sure", certainty_of(first));
  add_line(out, paint, width, "do", first.remediation);
  std::string rule = first.rule;
  for (const std::string& technique : first.attack) rule += "  " + technique;
  add_line(out, paint, width, "rule", fmt::format("{}, weight {} of 100: {}", rule, first.weight, escape(first.reason)), "2");
}

}  // namespace

std::string findings_text(const audit::Report& report, const TableStyle& style) {
  const Paint paint{style.colour};
  const std::size_t width = std::clamp<std::size_t>(style.width, 60, 140);
  std::string out;
  const std::vector<FindingGroup> groups = group_findings(report);
  std::size_t shown = 0, more = 0, silent = 0;
  for (const FindingGroup& group : groups) {
    if (group.first().weight == 0) {
      silent += group.findings.size();
    } else if (shown < groups_in_full) {
      add_group(out, report, group, paint, width);
      ++shown;
    } else {
      more += group.findings.size();
    }
  }
  if (more > 0) out += fmt::format("\n  {} more findings: use --format json, sarif or html\n", more);
  if (silent > 0) {
    out += "\n  " + wrap(fmt::format("{} finding{} without weight (package files, documentation, capabilities): use --format json to see {}", silent, silent == 1 ? "" : "s",
                                     silent == 1 ? "it" : "them"),
                         width, "  ") + "\n";
  }
  return out;
}

std::string to_table(const audit::Report& report, const TableStyle& style) {
  const Paint paint{style.colour};
  const std::size_t width = std::clamp<std::size_t>(style.width, 60, 140);
  const std::string verdict = fmt::format(" {} ", to_upper(audit::name_of(report.verdict)));
  std::string out = fmt::format("{} {}\n", paint(colour_of(report.verdict), verdict),
                                paint("1", wrap(fmt::format("{}, score {} of 100", escape(report.target, 300), report.score), width, std::string(verdict.size() + 1, ' '))));
  if (style.quiet) return out;
  for (const std::string& reason : report.reasons) out += "  - " + wrap(escape(reason), width, "    ") + "\n";

  out += findings_text(report, style);

  // What is not known by its checksum or structure comes last and says so.
  if (!report.indicators.empty()) {
    out += "\n  " + paint("1", "indicators") + "\n";
    for (std::size_t i = 0; i < std::min(report.indicators.size(), listed); ++i) {
      const detect::Indicator& indicator = report.indicators[i];
      out += fmt::format("    {:<16} {}\n", indicator.type,
                         wrap(escape(indicator.value, 120) + (indicator.validated ? "" : "  (not validated)"), width, std::string(21, ' ')));
    }
    if (report.indicators.size() > listed) out += fmt::format("    and {} more\n", report.indicators.size() - listed);
  }
  if (!report.incomplete.empty()) {
    out += fmt::format("\n  {}\n", paint("1", "not audited"));
    for (std::size_t i = 0; i < std::min(report.incomplete.size(), listed); ++i) {
      const audit::Incomplete& part = report.incomplete[i];
      out += "    " + wrap(fmt::format("{}: {}", part.path.empty() ? "the image" : escape(part.path, 200), escape(part.reason, 300)), width, "      ") + "\n";
    }
    if (report.incomplete.size() > listed) out += fmt::format("    and {} more\n", report.incomplete.size() - listed);
  }
  if (report.findings.empty() && report.incomplete.empty()) out += "\n  nothing found\n";

  out += fmt::format("\n  image  {}\n", wrap(report.image_digest.empty() ? "(no digest)" : report.image_digest, width, "         "));
  for (const auto& manifest : report.manifests) {
    out += fmt::format("         {}, {} layer{}\n", manifest.platform.empty() ? "unknown platform" : escape(manifest.platform, 60), manifest.layers.size(),
                       manifest.layers.size() == 1 ? "" : "s");
  }
  for (const auto& manifest : report.manifests) {
    out += fmt::format("         base: {}\n", wrap(escape(audit::describe_lineage(manifest.base, manifest.added), 300), width, "           "));
    for (const auto& packages : manifest.packages) out += fmt::format("         packages of {}\n", audit::describe_packages(packages));
  }
  out += fmt::format("         {} in {} file{} audited\n", format_bytes(report.bytes), report.files, report.files == 1 ? "" : "s");
  return out + "\n";
}

}  // namespace lazaret::report
