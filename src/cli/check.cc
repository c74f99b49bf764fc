// lazaret check: the host from its stores, files and processes to a report.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "cli/audit_session.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "host/check.h"
#include "report/check_writer.h"

namespace lazaret::cli {
namespace {

Result<detect::IncidentData> read_incidents(const std::vector<std::string>& files) {
  std::vector<detect::DataFile> data;
  for (const std::string& file : files) {
    auto text = read_text(file);
    if (!text) return text.error();
    data.push_back({"incidents/" + std::filesystem::path(file).filename().string(), std::move(*text)});
  }
  return detect::parse_incident_data(data);
}

// Contract 3.1, as scan has it.
int exit_code_of(const host::CheckReport& report, const std::string& fail_on) {
  const bool malicious = report.verdict == audit::Verdict::malicious, suspicious = report.verdict == audit::Verdict::suspicious;
  if ((fail_on == "malicious" && malicious) || (fail_on == "suspicious" && (malicious || suspicious))) return exit_threshold_reached;
  bool complete = report.not_looked_at.empty();
  for (const host::Subject& subject : report.subjects) complete &= subject.report.incomplete.empty();
  return complete ? exit_below_threshold : exit_incomplete;
}

}  // namespace

int run_check(const CheckCommandOptions& options) {
  const ScanOptions& scan = options.scan;
  const bool to_terminal = scan.output.empty() && isatty(STDOUT_FILENO) != 0;
  const auto format = report::parse_format(!scan.format.empty() ? scan.format : to_terminal ? "table" : "json");
  if (!format) return fail("unknown format " + scan.format);
  const auto incidents = read_incidents(options.incidents);
  if (!incidents) return fail(incidents.error().message);

  auto session = AuditSession::open(scan);
  if (!session) return fail(session.error().message);
  host::CheckOptions check;
  check.root = options.root;
  check.stores = {options.docker_root, options.podman_root, options.containerd_root};
  check.deep = options.deep;
  host::CheckMachine machine{(*session)->shared_ruleset(), (*session)->machine(), (*session)->policy(), (*session)->cache(), (*session)->source_options(), &*incidents, {}, {}};
  machine.ignore = [&](audit::Report& report) { (*session)->ignore_file().apply((*session)->policy(), report); };
  if (!scan.quiet && isatty(STDERR_FILENO) != 0) machine.progress = [](const std::string& what) { fmt::print(stderr, "\r\x1b[K{}", escape(what, 70)); };
  const auto report = host::check_host(check, machine);
  if (machine.progress) fmt::print(stderr, "\r\x1b[K");
  if (!report) return fail(report.error().message);

  const report::TableStyle style{scan.colour == "always" || (scan.colour == "auto" && to_terminal && std::getenv("NO_COLOR") == nullptr), terminal_width(), scan.quiet};
  const std::string text = *format == report::Format::json ? report::to_json(*report) : report::to_table(*report, style);
  if (!write_output(scan.output, text)) return exit_error;
  return exit_code_of(*report, scan.fail_on);
}

}  // namespace lazaret::cli
