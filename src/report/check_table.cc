// The host for people: verdict, then each subject in which something was found, then what was looked at and what could not be.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/check_writer.h"
#include "report/report_parts.h"
#include "report/terminal_text.h"
#include "report/text_support.h"

namespace lazaret::report {
namespace {

constexpr std::size_t listed = 20;

std::string describe(const host::Subject& subject) {
  std::string text = fmt::format("{} {}", host::name_of(subject.kind), escape(subject.name, 200));
  if (!subject.state.empty()) text += ", " + subject.state;
  if (!subject.store.empty()) text += fmt::format(", {} in {}", subject.store, escape(subject.place, 200));
  return text;
}

void add_subject(std::string& out, const host::Subject& subject, const Paint& paint, std::size_t width, const TableStyle& style) {
  const std::string verdict = fmt::format(" {} ", to_upper(audit::name_of(subject.report.verdict)));
  out += fmt::format("\n{} {}\n", paint(colour_of(subject.report.verdict), verdict), paint("1", wrap(describe(subject), width, std::string(verdict.size() + 1, ' '))));
  out += findings_text(subject.report, style);
  if (subject.left_out > 0) out += "\n  " + wrap(fmt::format("{} more: lazaret scan {}", subject.left_out, escape(subject.target, 300)), width, "    ") + "\n";
  for (std::size_t i = 0; i < std::min(subject.report.incomplete.size(), listed); ++i) {
    const audit::Incomplete& part = subject.report.incomplete[i];
    out += "    not audited: " + wrap(fmt::format("{}{}{}", escape(part.path, 200), part.path.empty() ? "" : ": ", escape(part.reason, 300)), width, "      ") + "\n";
  }
}

}  // namespace

std::string to_table(const host::CheckReport& report, const TableStyle& style) {
  const Paint paint{style.colour};
  const std::size_t width = std::clamp<std::size_t>(style.width, 60, 140);
  const std::string verdict = fmt::format(" {} ", to_upper(audit::name_of(report.verdict)));
  std::string out = fmt::format("{} {}\n", paint(colour_of(report.verdict), verdict), paint("1", wrap(fmt::format("host {}, score {} of 100", escape(report.root, 300), report.score), width, std::string(verdict.size() + 1, ' '))));
  if (style.quiet) return out;
  for (const std::string& reason : report.reasons) out += "  - " + wrap(escape(reason), width, "    ") + "\n";

  std::size_t clean = 0;
  for (const host::Subject& subject : report.subjects) {
    const bool weighs = std::any_of(subject.report.findings.begin(), subject.report.findings.end(), [](const audit::Finding& finding) { return finding.weight > 0; });
    if (weighs || subject.report.verdict != audit::Verdict::clean) {
      add_subject(out, subject, paint, width, style);
    } else {
      ++clean;
    }
  }
  out += "\n  " + paint("1", "looked at") + "\n";
  for (const auto& looked : report.looked_at) out += fmt::format("    {:>6} ", looked.count) + wrap(fmt::format("{}{}{}", looked.what, looked.place.empty() ? "" : " in ", escape(looked.place, 200)), width, "           ") + "\n";
  if (clean > 0) out += fmt::format("    {:>6} of these without anything to say\n", clean);
  if (!report.not_looked_at.empty()) {
    out += "\n  " + paint("1", "not looked at") + "\n";
    for (std::size_t i = 0; i < std::min(report.not_looked_at.size(), listed); ++i) {
      const auto& [what, why] = report.not_looked_at[i];
      out += "    " + wrap(fmt::format("{}: {}", escape(what, 200), escape(why, 300)), width, "      ") + "\n";
    }
    if (report.not_looked_at.size() > listed) out += fmt::format("    and {} more\n", report.not_looked_at.size() - listed);
  }
  return out + "\n";
}

}  // namespace lazaret::report
