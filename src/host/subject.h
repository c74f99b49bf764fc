// What `lazaret check` says something about: an image or container in a store, the files that control the host, a process, the container engine. Each has findings and a verdict of its own;
// the host's verdict is the worst of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/file_auditor.h"
#include "audit/policy.h"
#include "audit/report.h"
#include "audit/ruleset.h"

namespace lazaret::host {

enum class SubjectKind : std::uint8_t { image, container, files, process, engine };
std::string_view name_of(SubjectKind kind);  // "image", "container", "files", "process", "engine"

struct Subject {
  SubjectKind kind = SubjectKind::files;
  std::string store;  // "docker", "podman", "containerd"; "" for what is not in a store
  std::string place;  // the store's folder, as the host calls it
  std::string name;   // for people; raw
  std::string id;     // of an image or container; the number of a process
  std::string state;  // of containers: "running", "stopped", "" when it is not known
  std::string target; // what `lazaret scan` calls the image; "" when it has no name for it
  audit::Report report;
  std::uint64_t left_out = 0;  // findings of a deep audit that are not listed here
};

// Adds findings that are not an image audit's to a subject. Rule, path and evidence as of audit::Finding.
class FindingWriter {
 public:
  FindingWriter(const audit::Ruleset& ruleset, Subject& subject) : ruleset_(ruleset), subject_(subject) {}

  struct More {
    std::vector<std::string> chain;
    std::vector<detect::Indicator> indicators;
    std::optional<detect::Severity> severity;
    std::optional<detect::Confidence> confidence;
  };
  // `rule` is one of the ruleset's. The finding counts in full (Context::reached), whatever it stands in.
  void add(std::string_view rule, std::string path, std::string evidence, More more);
  void add(std::string_view rule, std::string path, std::string evidence) { add(rule, std::move(path), std::move(evidence), More()); }
  // What detectors found in a text, such as a command line.
  void add(const audit::FileOutcome& outcome);

 private:
  std::size_t index_of(const detect::Indicator& indicator);
  void put(audit::Finding finding);

  const audit::Ruleset& ruleset_;
  Subject& subject_;
};

// Runs all detectors of text over a command as it is run, and adds what they find. `path` names it in the report ("process 12").
void audit_command(const audit::Ruleset& ruleset, const Limits& limits, const std::string& path, const std::vector<std::string>& arguments, Subject& subject);

}  // namespace lazaret::host
