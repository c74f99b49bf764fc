// lazaret check: is anything on this host that a bad image is, made, or left behind?
//
// Looks through the stores of Docker, Podman, CRI-O and containerd as they lie on disk, at the files that control the host, and at its processes. Reads only; nothing is executed, no engine is
// asked and no name is resolved. What cannot be looked at (another user's processes, a store with an unknown driver, ...) is in CheckReport::not_looked_at, and then the host is not clean.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/cache.h"
#include "audit/layer_auditor.h"
#include "audit/policy.h"
#include "audit/ruleset.h"
#include "base/result.h"
#include "detect/incident_data_support.h"
#include "host/store_finder.h"
#include "host/subject.h"
#include "source/source.h"

namespace lazaret::host {

struct CheckOptions {
  std::string root = "/";
  StoreOptions stores;
  bool deep = false;  // audit every image, and what containers wrote
};

// What the audit needs; all of it must outlive the check.
struct CheckMachine {
  std::shared_ptr<const audit::Ruleset> ruleset;
  audit::AuditMachine& machine;
  const audit::Policy& policy;
  audit::Cache* cache = nullptr;  // may be null
  source::SourceOptions source_options;
  // Incidents besides those that are compiled in. May be null.
  const detect::IncidentData* more_incidents = nullptr;
  // Takes away from a judged report what the user wants to ignore, and judges it again. May be empty.
  std::function<void(audit::Report&)> ignore;
  // Told what is looked at now, for people. May be empty.
  std::function<void(const std::string& what)> progress;
};

struct CheckReport {
  std::string root;
  audit::Verdict verdict = audit::Verdict::clean;
  int score = 0;                     // the highest of the subjects
  std::vector<std::string> reasons;  // of the worst subjects, at most five
  // All images and containers; of files, processes and engines those that something was found in.
  std::vector<Subject> subjects;
  struct Looked {
    std::string what, place;  // "images of docker", "/var/lib/docker"
    std::uint64_t count = 0;
  };
  std::vector<Looked> looked_at;
  std::vector<std::pair<std::string, std::string>> not_looked_at;  // (what, why)
  std::string engine_version, ruleset;
};

// An Error when there is nothing to look at: the root or a folder that the user named is not there, or the check was cancelled.
Result<CheckReport> check_host(const CheckOptions& options, const CheckMachine& machine);

}  // namespace lazaret::host
