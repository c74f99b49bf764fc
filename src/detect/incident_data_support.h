// The data rules of rules/ (known incidents, pools, wallets that mean nothing), read once.
//
// rules/README.md describes the files. They are part of the program; a file that breaks the
// description is a bug of ours and ends the program at start.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/embedded.h"
#include "base/result.h"
#include "detect/finding.h"

namespace lazaret::detect {

struct Incident {
  std::string id, title, first_seen, last_seen;
  std::vector<std::string> attack;
};

// What all entries of an incident carry.
struct IncidentFact {
  const Incident* incident = nullptr;
  Confidence confidence = Confidence::medium;
  std::string source, note;
};

struct KnownPublisher : IncidentFact {
  std::string account;  // "docker.io/docker123321"
};

struct KnownImage : IncidentFact {
  std::string repository;  // "docker.io/docker123321/tomcat"
  std::vector<std::string> tags;
  Digest digest;  // empty: the repository is bad by name
  std::string date;
};

struct KnownIndicator : IncidentFact {
  std::string type, value;
};

struct IncidentData {
  std::vector<std::unique_ptr<Incident>> incidents;
  std::vector<KnownPublisher> publishers;
  std::vector<KnownImage> images;
  std::vector<KnownIndicator> indicators;
  std::vector<std::string> pool_domains;  // lower case, sorted, each once
  std::set<std::string, std::less<>> wallet_stop_list;
  // Over names and contents of all files: part of the ruleset digest.
  Digest digest;

  // True when `host` (any case) is a pool's domain or below one.
  bool is_pool(std::string_view host) const;
  // Null when there is none.
  const KnownImage* find_image(const Digest& manifest) const;
  const KnownIndicator* find_file(std::string_view sha256_hex) const;
};

// Thread-safe; the value lives as long as the process.
const IncidentData& incident_data();

// Reads the files; an error names file and key. `content` of each file as it stands in rules/.
struct DataFile {
  std::string name, content;
};
Result<IncidentData> parse_incident_data(std::span<const DataFile> files);

}  // namespace lazaret::detect
