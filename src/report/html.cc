#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "report/finding_groups.h"
#include "report/html_text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

constexpr std::size_t places_open = 3;



std::string plain(std::string_view text, std::size_t limit = 2000) { return html_plain(text, limit); }

void add_row(std::string& out, std::string_view name, const std::string& value) {
  if (!value.empty()) out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, plain(value));
}

// The telling parts of the evidence are marked.
std::string marked(const ShownEvidence& evidence) {
  std::string out;
  std::size_t at = 0;
  const std::string_view text = evidence.text;
  for (const auto& [from, to] : evidence.marks) {
    out += plain(text.substr(at, from - at)) + "<mark>" + plain(text.substr(from, to - from)) + "</mark>";
    at = to;
  }
  return out + plain(text.substr(at));
}

void add_place(std::string& out, const audit::Report& report, const audit::Finding& finding) {
  out += fmt::format("<div class=\"place\" id=\"f{}\"><p class=\"where\">{}</p>\n", plain(finding.id), plain(place_of(finding)));
  const ShownEvidence evidence = evidence_of(report, finding);
  if (!evidence.text.empty()) out += fmt::format("{}<pre>{}</pre>\n", evidence.is_decoded ? "<p class=\"label\">decoded</p>" : "", marked(evidence));
  out += "<dl>\n";
  add_row(out, "chain", chain_of(finding));
  add_row(out, "layer", layer_of(report, finding));
  add_row(out, "weight", fmt::format("{} of 100: {}", finding.weight, finding.reason));
  out += "</dl></div>\n";
}

void add_group(std::string& out, const audit::Report& report, const FindingGroup& group) {
  const audit::Finding& first = group.first();
  const std::string_view severity = detect::name_of(group.severity());
  const std::size_t count = group.findings.size();
  out += fmt::format("<article><h3><span class=\"badge {}\">{}</span> {}{}</h3>\n", severity, severity, plain(first.title),
                     count == 1 ? "" : fmt::format(" <span class=\"dim\">{} places</span>", count));
  out += fmt::format("<p>{}</p>\n", plain(first.explanation));
  const std::size_t full = std::min(count, places_open);
  for (std::size_t i = 0; i < full; ++i) add_place(out, report, *group.findings[i]);
  if (count > full) {
    out += fmt::format("<details><summary>{} more place{}</summary>\n", count - full, count - full == 1 ? "" : "s");
    for (std::size_t i = full; i < count; ++i) add_place(out, report, *group.findings[i]);
    out += "</details>\n";
  }
  out += "<dl>\n";
  add_row(out, "what to do", first.remediation);
  add_row(out, "how sure", certainty_of(first));
  std::string rule = first.rule;
  for (const std::string& technique : first.attack) rule += " · ATT&CK " + technique;
  add_row(out, "rule", rule);
  out += "</dl></article>\n";
}

// How many findings there are of each severity, those that count.
std::string counts_of(const audit::Report& report) {
  std::array<std::size_t, 5> counts{};
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight > 0) ++counts[static_cast<std::size_t>(finding.severity)];
  }
  std::string out;
  for (std::size_t i = counts.size(); i-- > 0;) {
    const std::string_view name = detect::name_of(static_cast<detect::Severity>(i));
    if (counts[i] > 0) out += fmt::format("<span class=\"badge {}\">{} {}</span> ", name, counts[i], name);
  }
  return out;
}

void add_report(std::string& out, const audit::Report& report) {
  const std::string_view verdict = audit::name_of(report.verdict);
  out += fmt::format("<section><h1><span class=\"badge {}\">{}</span> {}</h1>\n<p>Score {} of 100. {} in {} files audited. {}</p>\n<ul>\n", verdict, verdict,
                     plain(report.target), report.score, format_bytes(report.bytes), report.files, counts_of(report));
  for (const std::string& reason : report.reasons) out += fmt::format("<li>{}</li>\n", plain(reason));
  out += "</ul>\n";

  const std::vector<FindingGroup> groups = group_findings(report);
  out += "<h2>Findings</h2>\n";
  if (report.findings.empty()) out += "<p>Nothing found.</p>\n";
  for (const FindingGroup& group : groups) {
    if (group.first().weight > 0) add_group(out, report, group);
  }
  std::string silent;
  for (const FindingGroup& group : groups) {
    if (group.first().weight == 0) add_group(silent, report, group);
  }
  if (!silent.empty()) out += "<details><summary>Findings without weight</summary>\n" + silent + "</details>\n";

  if (!report.incomplete.empty()) {
    out += "<h2>Not audited</h2><table><tr><th>part</th><th>bytes</th><th>reason</th></tr>\n";
    for (const audit::Incomplete& part : report.incomplete) {
      out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", part.path.empty() ? "the image" : plain(part.path), part.bytes, plain(part.reason));
    }
    out += "</table>\n";
  }
  if (!report.indicators.empty()) {
    out += "<h2>Indicators</h2><table><tr><th>type</th><th>value</th><th>validated</th></tr>\n";
    for (const detect::Indicator& indicator : report.indicators) {
      out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", plain(indicator.type), plain(indicator.value), indicator.validated ? "yes" : "no");
    }
    out += "</table>\n";
  }
  out += fmt::format("<h2>Image</h2><p class=\"dim\">{} {}</p>\n", plain(report.image_digest), plain(report.image_media_type));
  for (const auto& manifest : report.manifests) {
    out += fmt::format("<p>Base: {}</p>\n", plain(audit::describe_lineage(manifest.base, manifest.added), 600));
    for (const auto& packages : manifest.packages) out += fmt::format("<p>Packages of {}</p>\n", audit::describe_packages(packages));
    out += fmt::format("<table><tr><th>{}</th><th>size</th><th>made by</th></tr>\n", plain(manifest.platform.empty() ? "layers" : manifest.platform));
    for (const auto& layer : manifest.layers) {
      out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", plain(layer.diff_id), format_bytes(layer.size), plain(layer.created_by, 200));
    }
    out += "</table>\n";
  }
  out += fmt::format("<p class=\"dim\">lazaret {}, ruleset {}</p></section>\n", plain(report.engine_version), plain(report.ruleset));
}

}  // namespace

std::string to_html(const std::vector<audit::Report>& reports) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>lazaret report</title>\n<style>";
  out += html_style;
  out += "</style></head><body>\n";
  for (const audit::Report& report : reports) add_report(out, report);
  return out + "</body></html>\n";
}

}  // namespace lazaret::report
