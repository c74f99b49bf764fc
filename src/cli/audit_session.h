// What an audit needs besides its target: rules, policy, ignore file, cache, threads. Made once for a command, used for each target.
#pragma once

#include <memory>
#include <string>

#include "audit/cache.h"
#include "audit/image_auditor.h"
#include "audit/policy.h"
#include "audit/ruleset.h"
#include "cli/ignore_file.h"
#include "cli/options.h"
#include "source/source.h"

namespace lazaret::cli {

// A target after its audit. `auditor` holds the layers; the session must outlive it.
struct AuditedTarget {
  audit::Report report;
  format::ImageDescription description;
  std::unique_ptr<audit::ImageAuditor> auditor;
};

class AuditSession {
 public:
  // From the first signal on that would end the process, audits end in order; a second one ends it at once.
  static Result<std::unique_ptr<AuditSession>> open(const ScanOptions& options);

  // The report has been judged, and what the ignore file names is gone from it.
  Result<AuditedTarget> audit(const std::string& target);
  bool interrupted() const;

  const audit::Ruleset& ruleset() const { return *ruleset_; }
  // For who audits something else than a target.
  const std::shared_ptr<const audit::Ruleset>& shared_ruleset() const { return ruleset_; }
  audit::AuditMachine& machine() { return machine_; }
  const audit::Policy& policy() const { return policy_; }
  audit::Cache* cache() { return cache_.get(); }  // null without one
  const IgnoreFile& ignore_file() const { return ignore_; }
  source::SourceOptions source_options() const;

 private:
  explicit AuditSession(const ScanOptions& options);

  const ScanOptions& options_;
  std::shared_ptr<const audit::Ruleset> ruleset_;
  audit::Policy policy_;
  IgnoreFile ignore_;
  std::unique_ptr<audit::Cache> cache_;
  const unsigned jobs_;
  audit::AuditMachine machine_;
};

}  // namespace lazaret::cli
