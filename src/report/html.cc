#include <fmt/format.h>

#include "base/text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

constexpr std::string_view style = R"(
:root{color-scheme:light dark;--line:#8884;--dim:#777}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.badge{display:inline-block;padding:.1rem .6rem;border-radius:.3rem;color:#fff;font-weight:600}
.malicious,.critical{background:#b3261e}.suspicious,.high{background:#b26a00}.incomplete,.medium{background:#3b6ea5}
.clean{background:#2e7d32}.low,.info{background:#666}
article{border:1px solid var(--line);border-radius:.4rem;padding:.6rem 1rem;margin:1rem 0}
article h3{margin:.2rem 0;font-size:1rem}
pre{background:#8881;padding:.5rem;overflow-x:auto;white-space:pre-wrap;word-break:break-all;border-radius:.3rem}
dl{display:grid;grid-template-columns:7rem 1fr;gap:.2rem .8rem;margin:.4rem 0}dt{color:var(--dim)}dd{margin:0;word-break:break-word}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);text-align:left;padding:.25rem .5rem;word-break:break-all}
.dim{color:var(--dim)}
)";

std::string plain(std::string_view text, std::size_t limit = 2000) {
  std::string out;
  for (const char c : escape(text, limit)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

void add_row(std::string& out, std::string_view name, const std::string& value) {
  if (!value.empty()) out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, plain(value));
}

void add_finding(std::string& out, const audit::Report& report, const audit::Finding& finding) {
  const std::string_view severity = detect::name_of(finding.severity);
  out += fmt::format("<article id=\"f{}\"><h3><span class=\"badge {}\">{}</span> {}</h3>\n", plain(finding.id), severity, severity, plain(finding.title));
  if (!finding.evidence.empty()) out += fmt::format("<pre>{}</pre>\n", plain(finding.evidence));
  out += "<dl>\n";
  add_row(out, "where", place_of(finding));
  add_row(out, "layer", layer_of(report, finding));
  add_row(out, "chain", chain_of(finding));
  add_row(out, "why", finding.explanation);
  add_row(out, "what to do", finding.remediation);
  add_row(out, "weight", fmt::format("{} of 100: {}", finding.weight, finding.reason));
  std::string rule = finding.rule;
  for (const std::string& technique : finding.attack) rule += " · ATT&CK " + technique;
  add_row(out, "rule", rule);
  out += "</dl></article>\n";
}

void add_report(std::string& out, const audit::Report& report) {
  const std::string_view verdict = audit::name_of(report.verdict);
  out += fmt::format("<section><h1><span class=\"badge {}\">{}</span> {}</h1>\n<p>Score {} of 100. {} in {} files audited.</p>\n<ul>\n", verdict, verdict,
                     plain(report.target), report.score, format_bytes(report.bytes), report.files);
  for (const std::string& reason : report.reasons) out += fmt::format("<li>{}</li>\n", plain(reason));
  out += "</ul>\n";

  out += fmt::format("<h2>Findings ({})</h2>\n", report.findings.size());
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight > 0) add_finding(out, report, finding);
  }
  std::string silent;
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight == 0) add_finding(silent, report, finding);
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
  out += style;
  out += "</style></head><body>\n";
  for (const audit::Report& report : reports) add_report(out, report);
  return out + "</body></html>\n";
}

}  // namespace lazaret::report
