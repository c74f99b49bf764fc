// What the Go linker writes into every program (package debug/buildinfo of the standard library describes both forms): version of Go, the main package, modules
// with versions and sums, settings of the build.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "format/elf.h"

namespace lazaret::format {

struct GoModule {
  std::string path, version;
};

struct GoBuildInfo {
  bool found = false;         // the mark of the linker, with a version behind it
  std::uint64_t offset = 0;   // of the mark
  std::string version;        // "go1.22.1"
  std::string path;           // of the main package; "" when the module information was left out or removed
  GoModule main;
  std::vector<GoModule> dependencies;  // what replaces a module stands in its place
  std::vector<std::pair<std::string, std::string>> settings;  // "-ldflags", "vcs.revision", ...
};

// What every Go program has.
inline constexpr std::string_view go_build_info_mark = "\xff Go buildinf:";

// Reads the build information whose mark stands at `offset`.
GoBuildInfo read_go_build_info(Bytes content, const ElfFile& elf, std::uint64_t offset);

}  // namespace lazaret::format
