// Programs that stand inside of other files without being a member of an archive: what UPX packed, and ELF files at any offset of anything.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "audit/unpack.h"
#include "base/bytes.h"
#include "format/elf.h"

namespace lazaret::audit {

// Unpacks an executable that UPX packed and delivers the program as the member "upx". What cannot be unpacked is a diagnostic with `unaudited` set.
// False, and nothing happens, when `content` is not packed by UPX.
bool unpack_upx(Bytes content, const format::ElfFile& elf, std::uint32_t mode, const UnpackLimits& limits, UnpackHandler& handler);

// Where an ELF magic stands in bytes of any kind.
std::vector<std::uint64_t> find_elf_magic(Bytes content);

// Names of members that were carved begin with this.
inline constexpr std::string_view carved_prefix = "elf@";

// Delivers every ELF file that begins at one of `offsets` (ascending; 0 is the file itself) and whose headers hold together, as the member
// "elf@<offset>", counted from `content_offset`. One inside of another is left to the other.
void carve_programs(Bytes content, std::uint64_t content_offset, const std::vector<std::uint64_t>& offsets, UnpackHandler& handler);

}  // namespace lazaret::audit
