// What tests of the host need: a ruleset, and a root that is prepared file by file.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/check.h"
#include "source/store_test_support.h"

namespace lazaret::host {

class PreparedHost {
 public:
  // A process of the prepared root's /proc.
  void add_process(unsigned id, const std::string& name, const std::string& program, const std::vector<std::string>& arguments, const std::vector<std::string>& streams = {}) const {
    const std::string process = "proc/" + std::to_string(id) + "/";
    std::string command;
    for (const std::string& argument : arguments) command += argument + '\0';
    folder.write(process + "comm", name + "\n");
    folder.write(process + "cmdline", command);
    folder.write(process + "net/tcp", table);
    std::filesystem::create_directories(folder.path(process + "fd"));
    std::filesystem::create_directories(folder.path(process + "ns"));
    std::filesystem::create_symlink(program, folder.path(process + "exe"));
    std::filesystem::create_symlink("net:[1]", folder.path(process + "ns/net"));
    for (std::size_t i = 0; i < streams.size(); ++i) std::filesystem::create_symlink(streams[i], folder.path(process + "fd/" + std::to_string(i)));
  }

  CheckReport check(const detect::IncidentData* incidents = nullptr) const {
    static const auto ruleset = *audit::Ruleset::make({});
    static audit::AuditMachine machine(2, {});
    const auto report = check_host({folder.path(), {}, false}, {ruleset, machine, audit::Policy::standard(), nullptr, {}, incidents, {}, {}});
    EXPECT_TRUE(report.ok());
    return report.ok() ? *report : CheckReport();
  }

  source::TemporaryFolder folder;
  // Of every process.
  std::string table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
};

// "rule severity" of all findings of subjects of a kind; severity only where it is not the rule's own.
inline std::set<std::string> rules_of(const CheckReport& report, SubjectKind kind, const std::string& id = "") {
  std::set<std::string> rules;
  for (const Subject& subject : report.subjects) {
    if (subject.kind != kind || (!id.empty() && subject.id != id)) continue;
    for (const audit::Finding& finding : subject.report.findings) rules.insert(finding.rule);
  }
  return rules;
}

inline detect::Severity severity_of(const CheckReport& report, const std::string& rule) {
  for (const Subject& subject : report.subjects) {
    for (const audit::Finding& finding : subject.report.findings) {
      if (finding.rule == rule) return finding.severity;
    }
  }
  ADD_FAILURE() << "no finding of " << rule;
  return detect::Severity::info;
}

}  // namespace lazaret::host
