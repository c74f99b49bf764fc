// YARA rules of users, run by libyara 4.2.3.
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
};

struct YaraFile {
  std::string path, file_type;  // for the external variables
};

// Immutable and thread-safe; one scanner per thread inside.
class YaraRules {
 public:
  // `paths`: files (.yar, .yara, .rule) and folders (searched deeply, in sorted order). Each file
  // is its own namespace (its path relative to the folder given). An error names file, line and
  // what to do. A file that imports a module we do not offer is an error too.
  static Result<std::unique_ptr<YaraRules>> load(const std::vector<std::string>& paths);
  // From text, for embedded rules and tests.
  static Result<std::unique_ptr<YaraRules>> compile(
      const std::vector<std::pair<std::string, std::string>>& sources);
  virtual ~YaraRules() = default;

  virtual const std::vector<YaraRule>& rules() const = 0;
  // A digest over all rule sources: part of the ruleset digest.
  virtual const std::string& digest() const = 0;
  virtual YaraResult scan(Bytes content, const YaraFile& file,
                          std::uint32_t timeout_seconds) const = 0;
};

}  // namespace lazaret::engine
