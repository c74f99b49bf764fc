// A packed program is a small stub and one block of compressed or encrypted bytes, which need more memory unpacked than they have in the file. Honest programs
// have large .bss and carry compressed data too; but they have section headers that describe their code (strip leaves those), and their code is not random:
// machine code has 5.5 to 6.8 bits per byte on x86, ARM and RISC-V, compressed data more than 7.9 in blocks of that size.
#include "format/elf_packing.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lazaret::format {
namespace {

constexpr std::uint32_t pt_load = 1, pf_execute = 1, sht_progbits = 1;
constexpr std::uint64_t shf_execute = 4;
constexpr std::uint64_t sample_bytes = 1 << 20, least_sample = 16 << 10, least_code_sample = 32 << 10;
constexpr double random_data = 7.4, random_code = 7.8;

// A megabyte from behind the headers decides.
Bytes sample_of(Bytes segment) { return clamp(segment, segment.size() > 8192 ? 4096 : 0, sample_bytes); }

}  // namespace

double entropy_of(Bytes bytes) {
  if (bytes.empty()) return 0;
  std::array<std::uint64_t, 256> counts{};
  for (const std::uint8_t byte : bytes) ++counts[byte];
  double bits = 0;
  for (const std::uint64_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(bytes.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

bool holds_debugging_only(const ElfFile& elf) {
  constexpr std::uint32_t sht_note = 7, sht_nobits = 8;
  constexpr std::uint64_t shf_alloc = 2;
  bool debugging = false;
  for (const ElfSection& section : elf.sections) {
    debugging = debugging || section.name.starts_with(".debug_") || section.name.starts_with(".zdebug_");
    if ((section.flags & shf_alloc) != 0 && section.type != sht_nobits && section.type != sht_note) return false;
  }
  return debugging;
}

ElfPacking packing_of(Bytes content, const ElfFile& elf) {
  ElfPacking packing;
  if (!elf.valid || (elf.type != 2 && elf.type != 3)) return packing;
  packing.unlisted_code = std::none_of(elf.sections.begin(), elf.sections.end(), [&](const ElfSection& section) {
    return section.type == sht_progbits && (section.flags & shf_execute) != 0 && elf.entry >= section.address && elf.entry - section.address < section.size;
  });
  // A library may have no entry point; its code is what its sections say, if it has any.
  if (elf.entry == 0 && !elf.sections.empty()) packing.unlisted_code = false;
  bool entry_inside = false;
  std::size_t loads = 0;
  Bytes largest;
  double code_entropy = 0;
  for (const ElfSegment& segment : elf.segments) {
    if (segment.type != pt_load) continue;
    ++loads;
    packing.file_bytes += std::min<std::uint64_t>(segment.file_size, content.size());
    packing.memory_bytes += std::min<std::uint64_t>(segment.memory_size, 1ull << 32);
    if (elf.entry >= segment.address && elf.entry - segment.address < segment.file_size) entry_inside = true;
    const Bytes bytes = clamp(content, segment.offset, segment.file_size);
    if (bytes.size() > largest.size()) largest = bytes;
    if (packing.unlisted_code && (segment.flags & pf_execute) != 0 && sample_of(bytes).size() >= least_code_sample) {
      code_entropy = std::max(code_entropy, entropy_of(sample_of(bytes)));
    }
  }
  packing.expands = entry_inside && loads >= 1 && loads <= 8 && packing.file_bytes >= 4096 && packing.memory_bytes > packing.file_bytes + packing.file_bytes / 2;
  if (!packing.unlisted_code) return packing;
  const Bytes sample = sample_of(largest);
  packing.entropy = entropy_of(sample);
  packing.packed = packing.expands && packing.entropy > random_data && sample.size() >= least_sample;
  if (code_entropy > random_code) {
    packing.packed = true;
    packing.entropy = std::max(packing.entropy, code_entropy);
  }
  return packing;
}

}  // namespace lazaret::format
