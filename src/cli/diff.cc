// lazaret diff: two targets, each audited as scan does, and what is different between them.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "audit/image_diff.h"
#include "cli/audit_session.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "report/diff_writer.h"

namespace lazaret::cli {

int run_diff(const DiffOptions& options) {
  const ScanOptions& scan = options.scan;
  const bool to_terminal = scan.output.empty() && isatty(STDOUT_FILENO) != 0;
  const auto format = report::parse_format(!scan.format.empty() ? scan.format : to_terminal ? "table" : "json");
  if (!format) return fail("unknown format " + scan.format);

  auto session = AuditSession::open(scan);
  if (!session) return fail(session.error().message);
  auto before = (*session)->audit(options.old_target);
  if (!before) return fail(fmt::format("{}: {}", options.old_target, before.error().message));
  auto after = (*session)->audit(options.new_target);
  if (!after) return fail(fmt::format("{}: {}", options.new_target, after.error().message));

  const bool incomplete = !before->report.incomplete.empty() || !after->report.incomplete.empty();
  const audit::ImageDiff diff = audit::diff_images({std::move(before->report), std::move(before->description), before->auditor.get()},
                                                   {std::move(after->report), std::move(after->description), after->auditor.get()});
  std::string text;
  switch (*format) {
    case report::Format::table:
      text = report::to_table(diff, {scan.colour == "always" || (scan.colour == "auto" && to_terminal && std::getenv("NO_COLOR") == nullptr), terminal_width(), scan.quiet});
      break;
    case report::Format::markdown: text = report::to_markdown(diff); break;
    default: text = report::to_json(diff); break;
  }
  if (!write_output(scan.output, text)) return exit_error;
  const auto threshold = detect::parse_severity(options.fail_on);  // none for "never"
  if (threshold && diff.risk() >= *threshold) return exit_threshold_reached;
  return incomplete ? exit_incomplete : exit_below_threshold;
}

}  // namespace lazaret::cli
