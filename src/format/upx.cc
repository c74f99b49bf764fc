// Layout, from UPX's documentation of its stubs (doc/elf-to-mem.txt, doc/linker.txt, doc/loader.txt) and from packed files:
//
//   ELF header, program headers   two or three segments, no section headers
//   l_info   12 bytes   checksum, "UPX!", size of the stub (16 bits), version, format
//   p_info   12 bytes   program id, size of the file, size of a block
//   b_info   12 bytes   unpacked size, packed size, method, filter, filter's parameter, 0; then the packed bytes. The first block is the ELF
//                       header with the program headers, then those of each loadable segment
//   stub, then what `upx -d` needs: a copy of the marks with checksums, the offset of p_info
//
// In libraries the chain stands behind the tables of the dynamic linker, which stay as they are. The stub reads only the b_infos: everything else can be (and in
// malware is) overwritten. So a chain is looked for at every multiple of four: a first block as large as an ELF header with some program headers,
// followed by at least one more block that fits.
#include "format/upx.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace lazaret::format {
namespace {

constexpr std::uint64_t header_size = 12;
constexpr std::uint64_t searched_with_sections = 16 << 10;  // a chain stands in front of anything else, unless the file is a library
constexpr std::size_t blocks_limit = 65536;
constexpr std::uint32_t program_headers_limit = 128;

// What the methods of UPX are for Unix: NRV2B, D and E in three forms each, LZMA, deflate.
bool is_method(std::uint8_t method) { return (method >= 2 && method <= 10) || method == 14 || method == 15; }

bool read_block(Bytes content, std::uint64_t at, UpxBlock& block) {
  const auto header = slice(content, at, header_size);
  if (!header) return false;
  block.unpacked = *read_le<std::uint32_t>(*header, 0);
  block.packed = *read_le<std::uint32_t>(*header, 4);
  block.method = (*header)[8];
  block.filter = (*header)[9];
  block.offset = at + header_size;
  if (block.unpacked == 0 || block.packed == 0 || block.packed > block.unpacked) return false;
  if ((*header)[11] != 0) return false;
  if (block.packed == block.unpacked) {
    block.method = 0;
  } else if (!is_method(block.method)) {
    return false;
  }
  return slice(content, block.offset, block.packed).has_value();
}

// An ELF header with 1 to 128 program headers.
bool is_size_of_headers(std::uint32_t size, bool is_64) {
  const std::uint32_t header = is_64 ? 64 : 52, entry = is_64 ? 56 : 32;
  return size > header && (size - header) % entry == 0 && (size - header) / entry <= program_headers_limit;
}

// The same in the file's own byte order would be big-endian for MIPS and PowerPC; UPX writes b_info in the target's order.
UpxFile chain_at(Bytes content, std::uint64_t at) {
  UpxFile upx;
  upx.begin = at;
  while (upx.blocks.size() < blocks_limit) {
    UpxBlock block;
    if (!read_block(content, at, block)) break;
    upx.blocks.push_back(block);
    upx.unpacked += block.unpacked;
    at = block.offset + block.packed;
  }
  upx.found = upx.blocks.size() >= 2;
  return upx;
}

bool has_marks(Bytes content, std::uint64_t begin) {
  if (begin < 24) return false;
  const auto mark = slice(content, begin - 20, 4);
  if (!mark || as_text(*mark) != "UPX!") return false;
  const auto file_size = read_le<std::uint32_t>(content, begin - 8), block_size = read_le<std::uint32_t>(content, begin - 4);
  if (!file_size || !block_size || *file_size == 0 || *block_size == 0) return false;
  // The second copy stands in the last 36 bytes, up to padding, with the same version and format.
  const Bytes tail = clamp(content, content.size() > 64 ? content.size() - 64 : 0, 64);
  const std::string copy = "UPX!" + std::string(as_text(clamp(content, begin - 14, 2)));
  return as_text(tail).find(copy) != std::string_view::npos;
}

}  // namespace

UpxFile find_upx(Bytes content, const ElfFile& elf) {
  if (!elf.valid || elf.big_endian || elf.segments.empty()) return {};
  const std::uint64_t begin = elf.is_64 ? 64 + 56 : 52 + 32;
  const std::uint64_t end = elf.sections.empty() ? content.size() : std::min<std::uint64_t>(content.size(), searched_with_sections);
  for (std::uint64_t at = begin; at + header_size <= end; at += 4) {
    const std::uint32_t size = *read_le<std::uint32_t>(content, at);
    if (!is_size_of_headers(size, elf.is_64)) continue;
    UpxBlock block;
    if (!read_block(content, at, block) || block.filter != 0 || block.packed < 32) continue;
    if (block.method == 0 && !as_text(clamp(content, block.offset, 4)).ends_with("ELF")) continue;
    UpxFile upx = chain_at(content, at);
    if (!upx.found) continue;
    upx.marked = has_marks(content, at);
    return upx;
  }
  return {};
}

UpxLayout upx_layout(Bytes headers) {
  UpxLayout layout;
  // The bytes in between stand for segments that are not here: the parser only reads the headers.
  const ElfFile elf = parse_elf(headers, ~std::uint64_t{0});
  if (!elf.valid || elf.segments.empty()) return layout;
  layout.section_offset_at = elf.is_64 ? 40 : 32;
  layout.section_count_at = elf.is_64 ? 60 : 48;
  layout.size = headers.size();
  for (const ElfSegment& segment : elf.segments) {
    if (segment.type != 1 || segment.file_size == 0) continue;
    UpxPiece piece{segment.offset, segment.file_size};
    if (piece.offset < headers.size()) {
      const std::uint64_t covered = std::min<std::uint64_t>(headers.size() - piece.offset, piece.size);
      piece.offset += covered;
      piece.size -= covered;
    }
    const auto end = checked_add(piece.offset, piece.size);
    if (!end) return layout;
    layout.size = std::max(layout.size, *end);
    if (piece.size > 0) layout.pieces.push_back(piece);
  }
  layout.valid = true;
  return layout;
}

}  // namespace lazaret::format
