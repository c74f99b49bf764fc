// rules/programs.toml: programs that attackers bring along, read once. rules/README.md describes the file. It is part of the program; one that breaks the
// description is a bug of ours and ends the program at start.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lazaret::detect {

enum class ProgramKind { c2, miner, tunnel, scanner, escape };

struct KnownProgram {
  std::string name, source;
  ProgramKind kind{};
  std::vector<std::string> modules, packages, implants, crates, marks;
};

// Thread-safe; the value lives as long as the process.
const std::vector<KnownProgram>& known_programs();

// Reads the file; an error names what is wrong.
Result<std::vector<KnownProgram>> parse_programs(std::string_view toml);

// True when `path` is `prefix` or below it: "a/b" and "a/b/v2", not "a/bc".
bool is_below(std::string_view path, std::string_view prefix);

}  // namespace lazaret::detect
