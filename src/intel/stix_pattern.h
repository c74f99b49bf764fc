// Patterns of STIX 2.1 (part 9, "STIX Patterning"), as far as one value by itself is meant: comparisons for equality that OR connects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lazaret::intel {

struct StixValue {
  std::string path;   // "file:hashes.SHA-256", quotes around keys removed
  std::string value;
};

// [a = 'x' OR b IN ('y', 'z')] OR [c = 'w']. An error says what else the pattern asks for: then no single value means what it means.
Result<std::vector<StixValue>> read_stix_pattern(std::string_view pattern);

}  // namespace lazaret::intel
