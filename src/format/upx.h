// Executables packed by UPX, recognised by the blocks that the unpacking stub itself must be able to read; the marks that `upx -d` and signatures look for
// ("UPX!", version, sizes) may be missing or false.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "format/elf.h"

namespace lazaret::format {

// One compressed piece (struct b_info in UPX's sources).
struct UpxBlock {
  std::uint64_t offset = 0;  // of the packed bytes in the file
  std::uint32_t unpacked = 0, packed = 0;
  std::uint8_t method = 0;  // 0 when stored
  std::uint8_t filter = 0;  // of machine code, applied before packing
};

struct UpxFile {
  bool found = false;         // there is a chain of blocks
  bool marked = false;        // the marks in front of the chain are as UPX writes them
  std::uint64_t begin = 0;    // of the chain
  std::vector<UpxBlock> blocks;  // the first holds the ELF header and the program headers; the rest the segments in their order
  std::uint64_t unpacked = 0;    // bytes of all blocks
};

// `elf`: `content` parsed. Only what is inside of `content` is found.
UpxFile find_upx(Bytes content, const ElfFile& elf);

// The segments of the program whose headers stand in `headers` (the first block, unpacked): empty when they are none.
struct UpxPiece {
  std::uint64_t offset = 0, size = 0;  // in the unpacked file
};
struct UpxLayout {
  bool valid = false;
  std::vector<UpxPiece> pieces;  // loadable segments, without the bytes that the headers cover
  std::uint64_t size = 0;        // of the file up to the end of the last
  std::uint64_t section_offset_at = 0, section_count_at = 0;  // where the header tells of section headers, which are not there any more
};
UpxLayout upx_layout(Bytes headers);

}  // namespace lazaret::format
