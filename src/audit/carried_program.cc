#include "audit/carried_program.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "codec/upx_block.h"
#include "format/upx.h"

namespace lazaret::audit {
namespace {

// Of one file: headers that are tried, and what they list in all (segments, sections, symbols). Magics by the million would be a way to keep the audit busy.
constexpr std::size_t tried_limit = 1024, listed_limit = 2'000'000;
constexpr std::uint64_t smallest_program = 84;  // a 32-bit header with one program header

bool unpack_block(Bytes content, const format::UpxBlock& block, std::span<std::uint8_t> out, std::uint64_t memory) {
  const auto packed = slice(content, block.offset, block.packed);
  if (!packed || out.size() != block.unpacked) return false;
  if (block.method == 0) {
    std::copy(packed->begin(), packed->end(), out.begin());
    return true;
  }
  return codec::decode_upx_block(block.method, *packed, out, memory);
}

// What every header of a program has, before more of it is read: class, byte order, version, a type, the header's own size.
bool is_header(Bytes bytes) {
  const bool is_64 = bytes[4] == 2, big_endian = bytes[5] == 2;
  if (bytes[4] < 1 || bytes[4] > 2 || bytes[5] < 1 || bytes[5] > 2 || bytes[6] != 1) return false;
  const auto half = [&](std::uint64_t at) { return (big_endian ? read_be<std::uint16_t>(bytes, at) : read_le<std::uint16_t>(bytes, at)).value_or(0); };
  // The kernel does not look at the header's size; linkers write it, and who overwrites it leaves a program whose other fields still fit.
  const unsigned entry_size = half(is_64 ? 54 : 42);
  return half(16) >= 1 && half(16) <= 3 && half(18) != 0 && (entry_size == (is_64 ? 56u : 32u) || half(is_64 ? 58 : 46) != 0);
}

}  // namespace

bool unpack_upx(Bytes content, const format::ElfFile& elf, std::uint32_t mode, const UnpackLimits& limits, UnpackHandler& handler) {
  const format::UpxFile upx = format::find_upx(content, elf);
  if (!upx.found) return false;
  const auto unread = [&](std::string rule, std::string message) {
    handler.diagnostic({std::move(rule), std::move(message), upx.begin, true, content.size()});
  };
  const std::uint64_t memory = limits.limits->decoder_window;
  std::vector<std::uint8_t> headers(upx.blocks[0].unpacked);
  const bool readable = unpack_block(content, upx.blocks[0], headers, memory);
  const format::UpxLayout layout = readable ? format::upx_layout(headers) : format::UpxLayout{};
  if (!layout.valid) {
    // Four numbers that fit by chance, unless the file is packed by all signs.
    if (!upx.marked && !elf.sections.empty()) return false;
    unread("obfuscation.upx-undecodable", "the program is packed with UPX in a way that lazaret cannot unpack");
    return true;
  }
  const auto total = checked_add(layout.size, upx.unpacked);
  if (!total || layout.size > limits.whole_file || upx.unpacked > std::min(limits.whole_file, limits.bytes_out)) {
    unread("obfuscation.upx-too-large", "the program packed with UPX is larger than the limit for unpacking");
    return true;
  }

  std::vector<std::uint8_t> program(layout.size);
  std::copy(headers.begin(), headers.end(), program.begin());
  std::size_t next = 1;
  bool damaged = false;
  for (const format::UpxPiece& piece : layout.pieces) {
    std::uint64_t filled = 0;
    while (filled < piece.size && next < upx.blocks.size() && upx.blocks[next].unpacked <= piece.size - filled) {
      const format::UpxBlock& block = upx.blocks[next++];
      const auto target = std::span(program).subspan(piece.offset + filled, block.unpacked);
      if (!unpack_block(content, block, target, memory)) damaged = true;
      filled += block.unpacked;
    }
    // In libraries the tables of the dynamic linker and what is written to are left as they were.
    if (filled == 0) {
      const Bytes plain = clamp(content, piece.offset, piece.size);
      std::copy(plain.begin(), plain.end(), program.begin() + static_cast<std::ptrdiff_t>(piece.offset));
    }
  }
  // Blocks that no segment has room for are looked at all the same.
  for (; next < upx.blocks.size(); ++next) {
    const format::UpxBlock& block = upx.blocks[next];
    const std::size_t at = program.size();
    program.resize(at + block.unpacked);
    if (!unpack_block(content, block, std::span(program).subspan(at), memory)) damaged = true;
  }
  if (damaged) unread("obfuscation.upx-undecodable", "a part of the program packed with UPX cannot be unpacked");
  // The section headers were left out by the packer.
  const auto forget = [&](std::uint64_t at, std::size_t size) {
    if (at + size <= program.size()) std::memset(program.data() + at, 0, size);
  };
  forget(layout.section_offset_at, program[4] == 2 ? 8 : 4);
  forget(layout.section_count_at, 4);
  handler.member("upx", mode, program.size(), {program, 0, true, true, nullptr, false, {}});
  return true;
}

std::vector<std::uint64_t> find_elf_magic(Bytes content) {
  std::vector<std::uint64_t> offsets;
  std::size_t at = 0;
  while (at + 4 <= content.size()) {
    const void* found = std::memchr(content.data() + at, 0x7f, content.size() - at - 3);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - content.data());
    if (std::memcmp(content.data() + at, "\x7f" "ELF", 4) == 0) offsets.push_back(at);
    ++at;
  }
  return offsets;
}

void carve_programs(Bytes content, std::uint64_t content_offset, const std::vector<std::uint64_t>& offsets, UnpackHandler& handler) {
  std::uint64_t end = 0;
  std::size_t tried = 0, listed = 0;
  for (const std::uint64_t at : offsets) {
    if (at == 0 || at < end) continue;
    const Bytes rest = clamp(content, at, content.size());
    if (rest.size() < smallest_program || !is_header(rest)) continue;
    if (tried++ == tried_limit || listed > listed_limit) {
      handler.diagnostic({"obfuscation.too-many-programs", "more programs inside of this file than the limit", content_offset + at, true, rest.size()});
      return;
    }
    const format::ElfFile elf = format::parse_elf(rest, rest.size());
    listed += elf.segments.size() + elf.sections.size() + elf.dynamic_symbols.size();
    const bool whole = elf.valid && elf.machine != 0 && elf.machine < 0x200 && elf.type >= 1 && elf.type <= 3 &&
                       rest[6] == 1 && (!elf.segments.empty() || !elf.sections.empty());
    if (!whole || elf.end_of_image < smallest_program) continue;
    // A program that is cut off, or whose segments lie behind the end, is looked at as far as it goes.
    const bool outside = std::any_of(elf.diagnostics.begin(), elf.diagnostics.end(), [](const Diagnostic& d) { return d.rule == "anomaly.elf-segment-outside"; });
    const std::uint64_t size = outside ? rest.size() : elf.end_of_image;
    end = at + size;
    handler.member(std::string(carved_prefix) + std::to_string(content_offset + at), 0, size, {rest.first(size), 0, true, true, nullptr, false, {}});
  }
}

}  // namespace lazaret::audit
