// Executables whose code is unpacked when they start, so that what lies in the file is not what
// runs: UPX, UPX with its marks removed, other packers, and programs that carry another program.
//
// UPX writes an ELF file without section headers, with a first loadable segment that is much larger
// in memory than in the file, and "UPX!" behind the program headers and at the end. Malware changes
// the marks so that `upx -d` and signatures fail; the structure and the entropy stay. Honest builds
// use unaltered UPX to make images smaller, so that by itself says little.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "detect/detector.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "obfuscation.upx",
     .category = Category::obfuscation,
     .severity = Severity::low,
     .confidence = Confidence::high,
     .title = "Executable packed with UPX",
     .explanation = "What runs is unpacked in memory and was not looked at. Honest builds use UPX "
                    "to save space.",
     .remediation = "Unpack it with `upx -d` and scan the result, or build without UPX.",
     .attack = {"T1027.002"}},
    {.id = "obfuscation.upx-altered",
     .category = Category::obfuscation,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Executable packed with UPX whose marks were altered",
     .explanation = "The file has UPX's traces but not all of its marks, so that `upx -d` fails. "
                    "No build tool does that by itself.",
     .remediation = "Treat it as malware.",
     .attack = {"T1027.002"}},
    {.id = "obfuscation.packed-elf",
     .category = Category::obfuscation,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Packed executable",
     .explanation = "The program has no section headers, asks for much more memory than it has "
                    "content, and that content looks like compressed or encrypted data.",
     .remediation = "Find where it comes from; have it looked at by somebody who can unpack it.",
     .attack = {"T1027.002"}},
    {.id = "obfuscation.elf-in-elf",
     .category = Category::obfuscation,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Executable that carries another one and can run it from memory",
     .explanation = "A complete ELF program lies inside this one, which uses memfd_create() or "
                    "fexecve(). Crypters start their load like this; so do a few installers.",
     .remediation = "Find where it comes from.",
     .attack = {"T1027.009", "T1620"}},
};

constexpr engine::Pattern patterns[] = {
    // Header of an ELF file: class, byte order, version, then ABI and padding.
    engine::regex("\\x7fELF[\\x01\\x02]\\x01\\x01[\\x00\\x03]\\x00{8}[\\x02\\x03]\\x00"),
};

// Bits per byte (0 to 8).
double entropy(Bytes bytes) {
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

bool contains(Bytes bytes, std::string_view part) {
  return as_text(bytes).find(part) != std::string_view::npos;
}

struct Layout {
  bool plausible = false;  // no sections, more memory than content, entry inside a segment
  std::uint64_t file_bytes = 0, memory_bytes = 0;
  Bytes largest;  // content of the largest loadable segment
};

Layout layout_of(const FileView& file) {
  Layout layout;
  constexpr std::uint32_t pt_load = 1;
  const format::ElfFile& elf = *file.elf;
  std::uint64_t largest = 0;
  bool entry_inside = false;
  std::size_t loads = 0;
  for (const format::ElfSegment& segment : elf.segments) {
    if (segment.type != pt_load) continue;
    ++loads;
    layout.file_bytes += std::min(segment.file_size, file.file_size);
    layout.memory_bytes += std::min<std::uint64_t>(segment.memory_size, 1ull << 32);
    if (elf.entry >= segment.address && elf.entry - segment.address < segment.file_size)
      entry_inside = true;
    const Bytes content = clamp(file.content, segment.offset, segment.file_size);
    if (content.size() > largest) {
      largest = content.size();
      layout.largest = content;
    }
  }
  layout.plausible = elf.sections.empty() && loads >= 1 && loads <= 5 && entry_inside &&
                     layout.file_bytes >= 4096 &&
                     layout.memory_bytes > layout.file_bytes + layout.file_bytes / 2;
  return layout;
}

void inspect_packer(const FileView& file, FileReport& report) {
  if (file.content_offset != 0) return;
  const format::ElfFile& elf = *file.elf;
  if (!elf.valid || (elf.type != 2 && elf.type != 3) || !elf.sections.empty()) return;
  const Layout layout = layout_of(file);
  const Bytes head = clamp(file.content, 0, 1024);
  const bool head_mark = contains(head, "UPX!");
  const std::uint64_t size = file.content.size();
  const Bytes tail = clamp(file.content, size < 512 ? 0 : size - 512, 512);
  const bool tail_mark = contains(tail, "UPX!");
  if (!layout.plausible && !head_mark) return;
  // A megabyte from behind the headers decides; the stub and the headers are plain code.
  const Bytes sample = clamp(layout.largest, layout.largest.size() > 8192 ? 4096 : 0, 1u << 20);
  const double bits = entropy(sample);
  const bool stub_text = contains(file.content, "$Info: This file is packed with the UPX") ||
                         contains(file.content, "PROT_EXEC|PROT_WRITE failed");

  FileFinding finding;
  if (head_mark && (tail_mark || !file.whole())) {
    finding.rule = &rules[0];
  } else if (head_mark || (tail_mark && layout.plausible) || (stub_text && layout.plausible)) {
    finding.rule = &rules[1];
  } else if (layout.plausible && bits > 7.4 && sample.size() >= 16 * 1024) {
    finding.rule = &rules[2];
  } else {
    return;
  }
  finding.evidence = fmt::format(
      "no section headers; {} bytes of content for {} bytes of memory; {:.2f} bits per byte{}{}{}",
      layout.file_bytes, layout.memory_bytes, bits, head_mark ? "; UPX! in front" : "",
      tail_mark ? "; UPX! at the end" : "", stub_text ? "; UPX stub" : "");
  report.add(std::move(finding));
}

bool runs_from_memory(const format::ElfFile& elf) {
  return std::any_of(
      elf.dynamic_symbols.begin(), elf.dynamic_symbols.end(), [](const format::ElfSymbol& symbol) {
        return !symbol.defined && (symbol.name == "memfd_create" || symbol.name == "fexecve" ||
                                   symbol.name == "execveat");
      });
}

void inspect_carrier(const FileView& file, FileReport& report) {
  if (file.content_offset != 0 || file.elf->type == 1 || !runs_from_memory(*file.elf)) return;
  constexpr std::uint64_t header_match = 18;  // bytes of the pattern
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end < header_match) continue;
    const std::uint64_t begin = hit.end - header_match;
    if (begin < 64) continue;  // the file itself
    const bool is_64 = file.content[static_cast<std::size_t>(begin) + 4] == 2;
    const auto machine = read_le<std::uint16_t>(file.content, begin + 18);
    const auto header_size = read_le<std::uint16_t>(file.content, begin + (is_64 ? 52 : 40));
    const auto program_headers = read_le<std::uint16_t>(file.content, begin + (is_64 ? 56 : 44));
    if (!machine || !header_size || !program_headers) continue;
    constexpr std::array<std::uint16_t, 6> machines = {3, 40, 62, 183, 243, 8};
    if (std::find(machines.begin(), machines.end(), *machine) == machines.end()) continue;
    if (*header_size != (is_64 ? 64 : 52) || *program_headers == 0 || *program_headers > 64)
      continue;
    FileFinding finding;
    finding.rule = &rules[3];
    finding.offset = begin;
    finding.evidence = fmt::format("ELF program at offset {} (machine {})", begin, *machine);
    report.add(std::move(finding));
    return;
  }
}

void inspect(const FileView& file, FileReport& report) {
  if (file.elf == nullptr) return;
  inspect_packer(file, report);
  inspect_carrier(file, report);
}

}  // namespace

extern const Detector elf_packer_detector;
const Detector elf_packer_detector = {
    .name = "elf-packer",
    .summary = "Finds packed executables and executables inside executables.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::elf},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
