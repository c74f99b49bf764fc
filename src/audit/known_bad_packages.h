// Versions of packages that carry malware although the distribution shipped them: rules/packages.toml, compiled in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lazaret::audit {

struct KnownBadPackage {
  std::vector<std::string> managers, names, versions;  // versions: patterns with *
  std::string why, source;
};

// An error names the line and what is wrong there.
Result<std::vector<KnownBadPackage>> parse_known_bad_packages(std::string_view toml, std::string_view file_name);

// From the built-in list; null when there is none.
const KnownBadPackage* find_known_bad_package(std::string_view manager, std::string_view name, std::string_view version);

}  // namespace lazaret::audit
