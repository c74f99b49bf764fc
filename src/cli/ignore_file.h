// Findings that somebody has looked at and accepted (--ignore-file).
//
// A TOML file of entries, each with a reason; an entry names a rule, and may narrow it by path, layer or finding id. Ignored findings
// leave the report; which entries were used, and which were not, is told by the report's reasons.
//
//   [[ignore]]
//   rule   = "exposed-secret.private-key"
//   path   = "/etc/ssl/private/snakeoil.key"   # glob; ** crosses folders
//   reason = "test certificate, expires with the image"
//   until  = 2027-01-31                        # optional: from that day on the entry is an error
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/policy.h"
#include "audit/report.h"
#include "base/result.h"

namespace lazaret::cli {

class IgnoreFile {
 public:
  // An error names the line. An entry without a reason, or with nothing but a wildcard, is an error.
  static Result<IgnoreFile> parse(std::string_view toml, std::string_view file_name);

  // Takes the ignored findings out and judges the rest anew.
  void apply(const audit::Policy& policy, audit::Report& report) const;

 private:
  struct Entry {
    std::string rule, path, layer, id, reason;
  };
  std::vector<Entry> entries_;
};

}  // namespace lazaret::cli
