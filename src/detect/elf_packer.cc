// Executables whose code is unpacked when they start, so that what lies in the file is not what
// runs: UPX, UPX with its marks removed, other packers, and programs that carry another program.
//
// Malware changes UPX's marks so that `upx -d` and signatures fail; the blocks that the stub reads
// (format/upx.h) and the entropy (format/elf_packing.h) stay. Honest builds use unaltered UPX to
// make images smaller, so that by itself says little.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "detect/detector.h"
#include "format/elf_packing.h"
#include "format/upx.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "obfuscation.upx",
     .category = Category::obfuscation,
     .severity = Severity::low,
     .confidence = Confidence::high,
     .title = "Executable packed with UPX",
     .explanation = "What runs is unpacked in memory. It was unpacked here too and audited; where "
                    "that failed, the audit is incomplete. Honest builds use UPX to save space.",
     .remediation = "Build without UPX, so that the program can be compared with its source.",
     .attack = {"T1027.002"}},
    {.id = "obfuscation.upx-altered",
     .category = Category::obfuscation,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Executable packed with UPX whose marks were altered",
     .explanation = "The file is built as UPX builds it, or has UPX's traces, but not all of its "
                    "marks, so that `upx -d` fails. No build tool does that by itself.",
     .remediation = "Treat it as malware.",
     .attack = {"T1027.002"}},
    {.id = "obfuscation.packed-elf",
     .category = Category::obfuscation,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Packed executable",
     .explanation = "No section header describes the program's code, and what is loaded looks like "
                    "compressed or encrypted data that is unpacked when it starts. It could not be "
                    "looked at.",
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

bool contains(Bytes bytes, std::string_view part) {
  return as_text(bytes).find(part) != std::string_view::npos;
}

void inspect_packer(const FileView& file, FileReport& report) {
  if (file.content_offset != 0) return;
  const format::ElfFile& elf = *file.elf;
  if (!elf.valid || (elf.type != 2 && elf.type != 3)) return;
  const format::ElfPacking packing = format::packing_of(file.content, elf);
  if (!packing.unlisted_code) return;
  const format::UpxFile upx = format::find_upx(file.content, elf);
  const bool head_mark = contains(clamp(file.content, 0, 1024), "UPX!");
  const std::uint64_t size = file.content.size();
  const bool tail_mark = contains(clamp(file.content, size < 512 ? 0 : size - 512, 512), "UPX!");
  const bool stub_text = contains(file.content, "$Info: This file is packed with the UPX") ||
                         contains(file.content, "PROT_EXEC|PROT_WRITE failed");

  FileFinding finding;
  if (upx.found ? upx.marked : head_mark && (tail_mark || !file.whole())) {
    finding.rule = &rules[0];
  } else if (upx.found || head_mark || ((tail_mark || stub_text) && packing.expands)) {
    finding.rule = &rules[1];
  } else if (packing.packed) {
    finding.rule = &rules[2];
  } else {
    return;
  }
  finding.evidence = fmt::format(
      "{}; {} bytes of content for {} bytes of memory; {:.2f} bits per byte{}{}{}",
      elf.sections.empty() ? "no section headers" : "section headers that do not describe the code",
      packing.file_bytes, packing.memory_bytes, packing.entropy, head_mark ? "; UPX! in front" : "",
      tail_mark ? "; UPX! at the end" : "", stub_text ? "; UPX stub" : "");
  if (upx.found) {
    finding.offset = upx.begin;
    finding.evidence += fmt::format("; {} UPX blocks, {} bytes unpacked", upx.blocks.size(), upx.unpacked);
  }
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
