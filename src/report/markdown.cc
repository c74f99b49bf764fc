#include <fmt/format.h>

#include "base/text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

// Text of an image inside Markdown: nothing in it may become markup, a link, a mention or an image that is fetched.
std::string plain(std::string_view text, std::size_t limit = 300) {
  std::string out;
  for (const char c : escape(text, limit)) {
    if (std::string_view("\\`*_{}[]<>()#+-!|~@&:").find(c) != std::string_view::npos) {
      if (c == '<') {
        out += "&lt;";
        continue;
      }
      if (c == '>') {
        out += "&gt;";
        continue;
      }
      if (c == '&') {
        out += "&amp;";
        continue;
      }
      if (c == '@' || c == ':') {  // no mention, no automatic link
        out += fmt::format("&#{};", static_cast<int>(c));
        continue;
      }
      out.push_back('\\');
    }
    out.push_back(c);
  }
  return out;
}

// In a code block whose fence is longer than any run of backquotes in the text.
std::string code(std::string_view text) {
  const std::string shown = escape(text, 400);
  std::size_t longest = 0, run = 0;
  for (const char c : shown) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "\n" + shown + "\n" + fence + "\n";
}

}  // namespace

std::string to_markdown(const audit::Report& report) {
  std::string out = fmt::format("# {}: {}\n\nScore {} of 100. Image `{}`, {} in {} files audited.\n", to_upper(audit::name_of(report.verdict)),
                                plain(report.target), report.score, report.image_digest, format_bytes(report.bytes), report.files);
  if (!report.reasons.empty()) out += "\n";
  for (const std::string& reason : report.reasons) out += "- " + plain(reason) + "\n";

  std::size_t silent = 0;
  bool heading = false;
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight == 0) {
      ++silent;
      continue;
    }
    if (!heading) out += "\n## Findings\n";
    heading = true;
    out += fmt::format("\n### {}: {}\n\n", to_upper(detect::name_of(finding.severity)), plain(finding.title));
    out += fmt::format("{}\n\n", plain(place_of(finding), 600));
    if (const std::string layer = layer_of(report, finding); !layer.empty()) out += fmt::format("Layer {}\n\n", plain(layer));
    if (!finding.evidence.empty()) out += code(finding.evidence) + "\n";
    if (const std::string chain = chain_of(finding); !chain.empty()) out += fmt::format("Reached by: {}\n\n", plain(chain, 600));
    out += fmt::format("{} {}\n\n", plain(finding.explanation, 1000), plain(finding.remediation, 600));
    std::string techniques;
    for (const std::string& technique : finding.attack) techniques += ", " + technique;
    out += fmt::format("Rule `{}`, weight {} ({}){}\n", finding.rule, finding.weight, plain(finding.reason), techniques);
  }
  if (silent > 0) out += fmt::format("\n{} further findings carry no weight.\n", silent);
  if (!report.indicators.empty()) {
    out += "\n## Indicators\n\n| type | value |\n|---|---|\n";
    for (const detect::Indicator& indicator : report.indicators) out += fmt::format("| {} | {} |\n", plain(indicator.type), plain(indicator.value));
  }
  if (!report.incomplete.empty()) {
    out += "\n## Not audited\n\n";
    for (const audit::Incomplete& part : report.incomplete) {
      out += fmt::format("- {}: {}\n", part.path.empty() ? "the image" : plain(part.path), plain(part.reason));
    }
  }
  return out + fmt::format("\nlazaret {}, ruleset `{}`\n\n", report.engine_version, report.ruleset);
}

}  // namespace lazaret::report
