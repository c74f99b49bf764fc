// lazaret scan: the targets one after the other, each from its source through the audit to a report.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/audit_session.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "report/writer.h"

namespace lazaret::cli {
namespace {

// The code of one report: threshold first, then incomplete.
int exit_code_of(const audit::Report& report, const std::string& fail_on) {
  const bool reached = (fail_on == "malicious" && report.verdict == audit::Verdict::malicious) ||
                       (fail_on == "suspicious" &&
                        (report.verdict == audit::Verdict::malicious || report.verdict == audit::Verdict::suspicious));
  if (reached) return exit_threshold_reached;
  return report.incomplete.empty() ? exit_below_threshold : exit_incomplete;
}

}  // namespace

int run_scan(const ScanOptions& options) {
  const bool to_terminal = options.output.empty() && isatty(STDOUT_FILENO) != 0;
  const auto format = report::parse_format(!options.format.empty() ? options.format : to_terminal ? "table" : "json");
  if (!format) return fail("unknown format " + options.format);

  auto session = AuditSession::open(options);
  if (!session) return fail(session.error().message);

  std::vector<audit::Report> reports;
  std::vector<int> codes;
  for (const std::string& target : options.targets) {
    auto audited = (*session)->audit(target);
    if (!audited) {
      codes.push_back(fail(fmt::format("{}: {}", target, audited.error().message)));
      if ((*session)->interrupted()) break;
      continue;
    }
    codes.push_back(exit_code_of(audited->report, options.fail_on));
    reports.push_back(std::move(audited->report));
  }

  if (!reports.empty() || options.targets.size() > 1) {
    std::string text;
    const report::TableStyle style{options.colour == "always" || (options.colour == "auto" && to_terminal && std::getenv("NO_COLOR") == nullptr),
                                   terminal_width(), options.quiet};
    switch (*format) {
      case report::Format::json: text = report::to_json(reports, options.targets.size() > 1); break;
      case report::Format::sarif: text = report::to_sarif(reports, (*session)->ruleset()); break;
      case report::Format::html: text = report::to_html(reports); break;
      case report::Format::table:
        for (const audit::Report& report : reports) text += report::to_table(report, style);
        break;
      case report::Format::markdown:
        for (const audit::Report& report : reports) text += report::to_markdown(report);
        break;
    }
    if (!write_output(options.output, text)) codes.push_back(exit_error);
  }
  // Contract 3.1: the first that applies of 1, 2, 3, 0.
  for (const int code : {exit_threshold_reached, exit_error, exit_incomplete}) {
    if (std::find(codes.begin(), codes.end(), code) != codes.end()) return code;
  }
  return exit_below_threshold;
}

}  // namespace lazaret::cli
