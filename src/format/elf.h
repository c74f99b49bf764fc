// ELF files (System V ABI, chapter 4 and 5; gabi 4.1), 32 and 64 bit, both byte orders, read
// without trusting a single field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "format/image.h"

namespace lazaret::format {

struct ElfSegment {
  std::uint32_t type = 0, flags = 0;  // PT_*, PF_*
  std::uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0;
};

struct ElfSection {
  std::string name;
  std::uint32_t type = 0;   // SHT_*
  std::uint64_t flags = 0;  // SHF_*
  std::uint64_t address = 0, offset = 0, size = 0;
};

struct ElfSymbol {
  std::string name;
  bool defined = false;   // false: imported
  std::uint8_t type = 0;  // STT_*
};

// What could be read. Never fails: what is wrong becomes a diagnostic and the rest is still there.
struct ElfFile {
  bool valid = false;  // the ELF header itself could be read
  bool is_64 = false, big_endian = false;
  std::uint16_t type = 0, machine = 0;  // ET_*, EM_*
  std::uint64_t entry = 0;
  std::vector<ElfSegment> segments;
  std::vector<ElfSection> sections;
  std::string interpreter;          // PT_INTERP
  std::string soname, rpath;        // DT_SONAME; DT_RUNPATH, else DT_RPATH
  std::vector<std::string> needed;  // DT_NEEDED
  std::vector<ElfSymbol> dynamic_symbols;
  std::vector<std::uint64_t> initialisers;  // DT_INIT and what DT_INIT_ARRAY holds once the program is loaded: functions that run before main()
  bool has_symbol_table = false;   // .symtab: not stripped
  std::string build_id;            // NT_GNU_BUILD_ID as hex
  std::string comment;             // .comment, NULs as newlines
  std::string go_build_id;         // NT_GO_BUILD_ID
  bool has_go_build_info = false;  // "\xff Go buildinf:"
  std::uint64_t end_of_image = 0;  // first byte after everything that headers account for
  bool statically_linked = false;  // executable without PT_INTERP and without DT_NEEDED
  std::vector<Diagnostic> diagnostics;
};

// `content`: the file, or its beginning when it is larger than `file_size` says (then tables at the
// end are missing, without a diagnostic for that).
ElfFile parse_elf(Bytes content, std::uint64_t file_size);

}  // namespace lazaret::format
