// The report of one audit: what lazaret.report/v1 (docs/report.schema.json) writes down.
//
// A pure function of the image's bytes, the ruleset and the limits: no clock, no host path, no
// order that depends on threads.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "detect/finding.h"
#include "format/image.h"

namespace lazaret::audit {

enum class Verdict : std::uint8_t { clean, suspicious, malicious, incomplete };
std::string_view name_of(Verdict verdict);

struct Location {
  std::string manifest;      // digest; "" when the finding is not in one manifest
  std::string layer;         // diff_id; "" for config and documents
  std::string path;          // raw; "" when the finding is about the whole image
  std::uint64_t offset = 0;  // in the (nested) file
  std::uint64_t line = 0;    // 1-based in text; 0 otherwise
  bool in_final_rootfs = false;
  std::vector<std::string>
      nested;  // from the outermost container inwards: {"payload.tar.gz", "x/y.sh"}

  bool operator==(const Location&) const = default;
};

// Where a finding stands, which decides how much it weighs.
struct Context {
  bool package_file =
      false;  // unmodified file of a distribution package (checksum of the package database right)
  std::string package;         // its name
  std::string package_trust;   // what the database is worth: "known-base" or "self-declared"
  bool documentation = false;  // under a documentation or example path
  bool reached = false;        // from the entrypoint, cron, init, profile or preload
  bool build_time = false;     // history only: does not run in the container
};

struct Finding {
  std::string
      id;  // stable: first 16 hex digits of sha256(rule, layer, path, nested, offset, evidence)
  std::string rule;
  detect::Category category{};
  detect::Severity severity{};
  detect::Confidence confidence{};
  std::string title, explanation, remediation;
  std::string doubt;  // what would change the judgement
  std::vector<std::string> attack;
  Location location;
  std::string evidence;  // raw; writers escape it
  std::vector<std::string> chain;
  std::vector<std::size_t> indicators;  // indexes of Report::indicators
  Context context;
  int weight = 0;      // what it adds to the score after context, 0..100
  std::string reason;  // why it weighs so: "critical, reached from the entrypoint"
};

struct Incomplete {
  std::string layer, path;
  std::uint64_t bytes = 0;
  std::string reason;
};

struct Report {
  std::string target;  // normalised reference; a file's base name, never a host path
  Verdict verdict = Verdict::clean;
  int score = 0;                     // 0..100
  std::vector<std::string> reasons;  // why the verdict is what it is, most important first

  struct Layer {
    std::string digest, diff_id, media_type, created_by;
    std::uint64_t size = 0;
  };
  // The known base image that the lowest layers are; all empty when none is known.
  struct Base {
    std::string reference, digest, chain_id;
    std::size_t layers = 0;
    bool known() const { return layers > 0; }
  };
  // What the publisher added over it, or all there is: layers, and files of them that are visible in the end.
  struct Added {
    std::uint64_t layers = 0, files = 0;
  };
  // A package manager whose database the image has, and how many packages stand in it with which trust.
  struct Packages {
    std::string manager;
    std::uint64_t known_base = 0, self_declared = 0, not_believed = 0;
  };
  struct Manifest {
    std::string digest, platform, config;
    std::vector<Layer> layers;
    Base base{};
    Added added{};
    std::vector<Packages> packages{};
  };
  std::string image_digest, image_media_type;
  std::vector<Manifest> manifests;

  // What ties images together besides indicators (traits.h); not part of the written report.
  struct Fact {
    std::string type, value;
    std::string layer, path;  // diff_id, or "" for the config
    bool flagged = false;     // something of weight was found in the very content
    bool owned = false;       // unmodified file of a package that can be believed, or part of a known base image
  };
  std::vector<Fact> facts;

  std::vector<Finding> findings;  // ordered by weight (high first), then location, then rule
  std::vector<detect::Indicator> indicators;
  std::uint64_t bytes = 0, files = 0;  // audited
  std::vector<Incomplete> incomplete;
  std::string engine_version, ruleset;
};

// Base and additions of the image as a whole: those of its one manifest; of several, the first one's base when all have a known one, and the sum of what was added.
std::pair<Report::Base, Report::Added> lineage_of(const Report& report);
// "debian:12 (known), added by publisher: 3 layers, 41 files", for people. Raw: the reference is not escaped.
std::string describe_lineage(const Report::Base& base, const Report::Added& added);
// "dpkg: 412 packages, 88 from the known base, 324 self-declared"
std::string describe_packages(const Report::Packages& packages);

}  // namespace lazaret::audit
