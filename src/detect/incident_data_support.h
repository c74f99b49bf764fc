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
#include <unordered_map>
#include <vector>

#include "base/digest.h"
#include "base/embedded.h"
#include "base/result.h"
#include "detect/finding.h"

namespace lazaret::detect {

struct Incident {
  std::string id, title, first_seen, last_seen;
  std::vector<std::string> attack;
  struct Moment {
    std::string when;  // YYYY, YYYY-MM or YYYY-MM-DD
    std::string what, source;
  };
  std::vector<Moment> timeline;  // in order of time
  bool imported = false;  // by a user; otherwise part of the program
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
  std::string repository;  // "docker.io/docker123321/tomcat"; may be empty when there is a digest
  std::vector<std::string> tags;
  Digest digest;  // empty: the repository is bad by name
  std::string date;
};

struct KnownIndicator : IncidentFact {
  std::string type, value;
  std::string earned, earned_at;  // of wallets: "544.74 XMR" and when that was counted; "" when nobody published it
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
  // Where find_image() and find_file() look: indexes of images and indicators.
  std::unordered_map<Digest, std::size_t> image_index;
  std::unordered_map<std::string, std::size_t> file_index;
  std::size_t imported_patterns = 0;  // see imported_patterns_limit

  // True when `host` (any case) is a pool's domain or below one.
  bool is_pool(std::string_view host) const;
  // Null when there is none.
  const KnownImage* find_image(const Digest& manifest) const;
  const KnownIndicator* find_file(std::string_view sha256_hex) const;
};

// Thread-safe; the value lives as long as the process.
const IncidentData& incident_data();

// `content` of each file as it stands in rules/.
struct DataFile {
  std::string name, content;
  bool imported = false;
};
// Reads the files; an error names file and key.
Result<IncidentData> parse_incident_data(std::span<const DataFile> files);
// The same of incidents of users beside the built-in ones, whose pools and stop list hold for them too. incident_data() gives them from then on, so this comes before
// anything asks for it the first time; it may be called once.
Result<void> use_imported_incidents(std::vector<DataFile> files);

// In imports, more values that are looked for in contents than this are refused: each is a pattern of the pass over every byte.
constexpr std::size_t imported_patterns_limit = 4000;

}  // namespace lazaret::detect
