// YARA rules of users, run by libyara 4.2.3, at the speed of the built-in detectors.
//
// One Hyperscan pass over a file and an evaluation of the rules' conditions leave the few rules that can be true of it (yara_prefilter.h); libyara runs only
// these (yara_units.h) and has the last word, so the matches are those that libyara would give with all rules. A source whose syntax is not understood here
// is run whole on every file; statistics() tells.
//
// Only the modules elf, hash, math, console, string and time may be imported by rules; includes are
// off. External variables that published rule sets expect (filename, filepath, extension, filetype,
// owner, md5 and unpack_*) are defined. libyara's process-wide signal handlers stay off
// (SCAN_FLAGS_NO_TRYCATCH): what is scanned lies in our own memory and cannot shrink under us.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace lazaret::engine {

struct YaraRule {
  std::string name, namespace_name;
  std::vector<std::string> tags;
  std::vector<std::pair<std::string, std::string>>
      metadata;  // in order; numbers and booleans as text
  bool is_private = false;  // never reported
};

struct YaraMatch {
  std::size_t rule = 0;  // index in YaraRules::rules()
  std::uint64_t offset =
      0;                    // of the first matching string; 0 when the rule matched without strings
  std::string string_name;  // "$a"
  std::string excerpt;      // up to 200 matched bytes
};

struct YaraResult {
  std::vector<YaraMatch> matches;  // ordered by rule index
  std::string incomplete;  // "" or why the file counts as not fully scanned: time-out, too many
                           // matches, engine error
  std::size_t rules_run = 0;  // that libyara had to decide
};

struct YaraFile {
  std::string path, file_type;  // for the external variables
};

struct YaraOptions {
  std::string cache_folder;  // where compiled patterns are kept for the next start; "" for nowhere
  bool prefilter = true;     // false: all rules on every file, as plain libyara does
};

struct YaraStatistics {
  std::size_t rules = 0;
  std::size_t rules_run_always = 0;  // of sources that were not understood
};

// A file that is not held whole. It can only be told whether a rule might match it. Thread-safe.
class YaraWindows {
 public:
  virtual ~YaraWindows() = default;
  // In any order; neighbours overlap by 1 KiB at least.
  virtual void feed(Bytes window) = 0;
  // After the last window. False: no rule can match this file.
  virtual bool may_match(std::uint64_t file_size) = 0;
};

// Immutable and thread-safe; what a thread needs for itself is inside.
class YaraRules {
 public:
  // `paths`: files (.yar, .yara, .rule) and folders (searched deeply, in sorted order). Each file
  // is its own namespace (its path relative to the folder given). An error names file, line and
  // what to do. A file that imports a module we do not offer is an error too.
  static Result<std::unique_ptr<YaraRules>> load(const std::vector<std::string>& paths,
                                                 const YaraOptions& options = {});
  // From text, for embedded rules and tests.
  static Result<std::unique_ptr<YaraRules>> compile(
      const std::vector<std::pair<std::string, std::string>>& sources,
      const YaraOptions& options = {});
  virtual ~YaraRules() = default;

  virtual const std::vector<YaraRule>& rules() const = 0;
  // A digest over all rule sources: part of the ruleset digest.
  virtual const std::string& digest() const = 0;
  virtual YaraResult scan(Bytes content, const YaraFile& file,
                          std::uint32_t timeout_seconds) const = 0;
  // `head`: the first window. The windows must not outlive the rules.
  virtual std::unique_ptr<YaraWindows> open_windows(const YaraFile& file, Bytes head) const = 0;
  virtual const YaraStatistics& statistics() const = 0;
};

}  // namespace lazaret::engine
