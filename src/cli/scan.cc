// lazaret scan: the targets one after the other, each from its source through the audit to a report.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "audit/cache.h"
#include "audit/image_auditor.h"
#include "audit/policy.h"
#include "audit/ruleset.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/ignore_file.h"
#include "cli/progress.h"
#include "report/writer.h"
#include "source/reference.h"
#include "source/source.h"

namespace lazaret::cli {
namespace {

std::atomic<bool> interrupted{false};

int fail(std::string_view message) {
  fmt::print(stderr, "lazaret: {}\n", escape(message));
  return exit_error;
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::not_found, fmt::format("cannot read {}: check that the file exists and may be read", path)};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 100;
}

// Writes all or says why not. A file is replaced only when it is complete.
bool write_output(const std::string& path, std::string_view text) {
  if (path.empty()) {
    const bool ok = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (!ok) fail("cannot write to standard output");
    return ok;
  }
  const std::string partial = path + ".partial";
  {
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    file << text;
    file.flush();
    if (!file) {
      fail(fmt::format("cannot write {}: check the folder and the free space", partial));
      ::unlink(partial.c_str());
      return false;
    }
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    fail(fmt::format("cannot write {}", path));
    ::unlink(partial.c_str());
    return false;
  }
  return true;
}

struct Outcome {
  std::vector<audit::Report> reports;
  bool error = false;
};

// The code of one report: threshold first, then incomplete.
int exit_code_of(const audit::Report& report, const std::string& fail_on) {
  const bool reached = (fail_on == "malicious" && report.verdict == audit::Verdict::malicious) ||
                       (fail_on == "suspicious" &&
                        (report.verdict == audit::Verdict::malicious || report.verdict == audit::Verdict::suspicious));
  if (reached) return exit_threshold_reached;
  return report.incomplete.empty() ? exit_below_threshold : exit_incomplete;
}

Result<audit::Report> audit_target(const std::string& text, const ScanOptions& options, unsigned jobs,
                                   const std::shared_ptr<const audit::Ruleset>& ruleset, const audit::Policy& policy, audit::Cache* cache) {
  const auto target = source::parse_target(text);
  if (!target) return target.error();
  const auto source = source::open_source(*target);
  if (!source) return source.error();

  audit::AuditMachine machine(jobs, options.limits);
  audit::ImageAuditor auditor(ruleset, machine, policy, cache);
  std::atomic<std::uint64_t> expected{0};
  source::SourceOptions source_options;
  source_options.jobs = jobs;
  source_options.platform = options.platform;
  source_options.limits = options.limits;
  source_options.cancelled = &interrupted;
  source_options.auth_file = options.auth_file;
  source_options.insecure_hosts = options.insecure_hosts;
  if (!options.tls_verify && target->transport == source::Transport::registry) {
    if (const auto name = source::parse_image_name(target->reference)) source_options.insecure_hosts.push_back(name->host);
  }
  source_options.expect = [&expected](std::uint64_t bytes) { expected = bytes; };

  Progress progress(!options.quiet && isatty(STDERR_FILENO) != 0, text, [&] {
    return Progress::State{machine.decoded_bytes, expected, machine.files};
  });
  const auto image = (*source)->deliver(auditor, source_options);
  progress.stop();
  if (!image) return image.error();
  return auditor.finish(*image);
}

}  // namespace

int run_scan(const ScanOptions& options) {
  // The first signal ends in order; a second one at once.
  const auto end = [](int number) {
    interrupted = true;
    std::signal(number, SIG_DFL);
  };
  std::signal(SIGINT, end);
  std::signal(SIGTERM, end);

  const bool to_terminal = options.output.empty() && isatty(STDOUT_FILENO) != 0;
  const auto format = report::parse_format(!options.format.empty() ? options.format : to_terminal ? "table" : "json");
  if (!format) return fail("unknown format " + options.format);

  const std::string folder = options.no_cache ? "" : options.cache_dir.empty() ? audit::default_cache_folder() : options.cache_dir;
  const auto ruleset = audit::Ruleset::make(options.rules, folder);
  if (!ruleset) return fail(ruleset.error().message);

  audit::Policy policy = audit::Policy::standard();
  if (!options.policy_file.empty()) {
    const auto text = read_text(options.policy_file);
    if (!text) return fail(text.error().message);
    auto parsed = audit::Policy::parse(*text, options.policy_file);
    if (!parsed) return fail(parsed.error().message);
    policy = std::move(*parsed);
  }
  IgnoreFile ignore;
  if (!options.ignore_file.empty()) {
    const auto text = read_text(options.ignore_file);
    if (!text) return fail(text.error().message);
    auto parsed = IgnoreFile::parse(*text, options.ignore_file);
    if (!parsed) return fail(parsed.error().message);
    ignore = std::move(*parsed);
  }

  std::unique_ptr<audit::Cache> cache;
  if (!folder.empty()) {
    std::string warning;
    auto opened = audit::Cache::open(folder, (*ruleset)->digest(), options.limits, options.cache_bytes, &warning);
    if (!warning.empty()) fmt::print(stderr, "lazaret: warning: {}\n", escape(warning));
    if (opened) {
      cache = std::move(*opened);
    } else {
      fmt::print(stderr, "lazaret: warning: {}; going on without a cache\n", escape(opened.error().message));
    }
  }

  const unsigned jobs = options.jobs != 0 ? options.jobs : std::max(1u, std::thread::hardware_concurrency());
  std::vector<audit::Report> reports;
  std::vector<int> codes;
  for (const std::string& target : options.targets) {
    auto report = audit_target(target, options, jobs, *ruleset, policy, cache.get());
    if (!report) {
      codes.push_back(fail(fmt::format("{}: {}", target, report.error().message)));
      if (interrupted) break;
      continue;
    }
    ignore.apply(policy, *report);
    codes.push_back(exit_code_of(*report, options.fail_on));
    reports.push_back(std::move(*report));
  }

  if (!reports.empty() || options.targets.size() > 1) {
    std::string text;
    const report::TableStyle style{options.colour == "always" || (options.colour == "auto" && to_terminal && std::getenv("NO_COLOR") == nullptr),
                                   terminal_width(), options.quiet};
    switch (*format) {
      case report::Format::json: text = report::to_json(reports, options.targets.size() > 1); break;
      case report::Format::sarif: text = report::to_sarif(reports, **ruleset); break;
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
