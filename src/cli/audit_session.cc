#include "cli/audit_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "base/text.h"
#include "cli/bases_file.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "detect/incident_data_support.h"
#include "intel/incident_folder.h"
#include "source/reference.h"
#include "source/source.h"

namespace lazaret::cli {
namespace {

std::atomic<bool> interrupted_by_signal{false};

void end_in_order(int number) {
  interrupted_by_signal = true;
  std::signal(number, SIG_DFL);
}

}  // namespace

AuditSession::AuditSession(const ScanOptions& options)
    : options_(options),
      policy_(audit::Policy::standard()),
      jobs_(options.jobs != 0 ? options.jobs : std::max(1u, std::thread::hardware_concurrency())),
      machine_(jobs_, options.limits) {}

Result<std::unique_ptr<AuditSession>> AuditSession::open(const ScanOptions& options) {
  std::signal(SIGINT, end_in_order);
  std::signal(SIGTERM, end_in_order);

  std::unique_ptr<AuditSession> session(new AuditSession(options));
  const std::string folder = options.no_cache ? "" : options.cache_dir.empty() ? audit::default_cache_folder() : options.cache_dir;
  auto bases = read_bases(options.bases);
  if (!bases) return bases.error();
  const std::string incidents_folder = incident_folder(options.incidents);
  auto incidents = intel::read_incident_folder(incidents_folder);
  if (!incidents) return incidents.error();
  if (const auto used = detect::use_imported_incidents(std::move(*incidents)); !used) {
    return Error{used.error().code, fmt::format("imported incidents in {}: {}", incidents_folder, used.error().message)};
  }
  auto ruleset = audit::Ruleset::make(options.rules, folder, std::move(*bases));
  if (!ruleset) return ruleset.error();
  session->ruleset_ = std::move(*ruleset);

  if (!options.policy_file.empty()) {
    const auto text = read_text(options.policy_file);
    if (!text) return text.error();
    auto parsed = audit::Policy::parse(*text, options.policy_file);
    if (!parsed) return parsed.error();
    session->policy_ = std::move(*parsed);
  }
  if (!options.ignore_file.empty()) {
    const auto text = read_text(options.ignore_file);
    if (!text) return text.error();
    auto parsed = IgnoreFile::parse(*text, options.ignore_file);
    if (!parsed) return parsed.error();
    session->ignore_ = std::move(*parsed);
  }
  if (!folder.empty()) {
    std::string warning;
    auto opened = audit::Cache::open(folder, session->ruleset_->layer_digest(), options.limits, options.cache_bytes, &warning);
    if (!warning.empty()) fmt::print(stderr, "lazaret: warning: {}\n", escape(warning));
    if (opened) {
      session->cache_ = std::move(*opened);
    } else {
      fmt::print(stderr, "lazaret: warning: {}; going on without a cache\n", escape(opened.error().message));
    }
  }
  return session;
}

bool AuditSession::interrupted() const { return interrupted_by_signal; }

source::SourceOptions AuditSession::source_options() const {
  source::SourceOptions options;
  options.jobs = jobs_;
  options.platform = options_.platform;
  options.limits = options_.limits;
  options.cancelled = &interrupted_by_signal;
  options.auth_file = options_.auth_file;
  options.insecure_hosts = options_.insecure_hosts;
  return options;
}

Result<AuditedTarget> AuditSession::audit(const std::string& text) {
  const auto target = source::parse_target(text);
  if (!target) return target.error();
  const auto source = source::open_source(*target);
  if (!source) return source.error();

  AuditedTarget audited;
  audited.auditor = std::make_unique<audit::ImageAuditor>(ruleset_, machine_, policy_, cache_.get());
  std::atomic<std::uint64_t> expected{0};
  source::SourceOptions source_options = this->source_options();
  if (!options_.tls_verify && target->transport == source::Transport::registry) {
    if (const auto name = source::parse_image_name(target->reference)) source_options.insecure_hosts.push_back(name->host);
  }
  source_options.expect = [&expected](std::uint64_t bytes) { expected = bytes; };

  const std::uint64_t bytes_before = machine_.decoded_bytes, files_before = machine_.files;
  Progress progress(!options_.quiet && isatty(STDERR_FILENO) != 0, text, [&] {
    return Progress::State{machine_.decoded_bytes - bytes_before, expected, machine_.files - files_before};
  });
  auto image = (*source)->deliver(*audited.auditor, source_options);
  progress.stop();
  if (!image) return image.error();
  audited.description = std::move(*image);
  audited.report = audited.auditor->finish(audited.description);
  ignore_.apply(policy_, audited.report);
  return audited;
}

}  // namespace lazaret::cli
