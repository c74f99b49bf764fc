// Programs that are not built as compilers and linkers build them: code that starts outside of what the file calls code, loaders and libraries from
// folders that anybody may write to, static copies of tools that a rootkit would replace.
//
//   entry point or initialisers outside of every section of code   viruses that turn a note into a segment (PT_NOTE infection), patched programs. Stripped
//                                                                    programs keep their section headers; without any, packing decides (elf_packer.cc)
//   interpreter                                                      the kernel runs it with the program's rights, before the program
//   library search path                                              whoever can write there runs code in the program
//   static system tools                                              a preload rootkit does not reach them, so intruders bring their own; and a replaced sshd or
//                                                                    ls is often linked statically, to run anywhere
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "detect/detector.h"
#include "format/elf_packing.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "obfuscation.elf-entry-outside",
     .category = Category::obfuscation,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Program starts outside of its code",
     .explanation = "The entry point, or a function that runs before main(), lies in no section of "
                    "code although the file lists its sections. Code that was added to a finished program looks like this.",
     .remediation = "Compare the program with the one of its package.",
     .attack = {"T1554", "T1027"}},
    {.id = "persistence.elf-interpreter",
     .category = Category::persistence,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Program with a loader from a folder anybody may write to",
     .explanation = "The kernel starts the loader named in the program with the program's rights. "
                    "This one is in a folder for temporary files, or depends on the current folder.",
     .remediation = "Find out how the program was built.",
     .attack = {"T1574"}},
    {.id = "persistence.elf-library-path",
     .category = Category::persistence,
     .severity = Severity::medium,
     .confidence = Confidence::low,
     .title = "Program that loads libraries from a folder anybody may write to",
     .explanation = "Whoever can write to this folder runs code inside of the program. Careless "
                    "builds leave such paths; so do intruders.",
     .remediation = "Build it without the path.",
     .attack = {"T1574.006"}},
    {.id = "anomaly.elf-writable-code",
     .category = Category::anomaly,
     .severity = Severity::low,
     .confidence = Confidence::low,
     .title = "Static program whose code may be changed while it runs",
     .explanation = "A segment may be written to and executed. Packers, shellcode and infected programs "
                    "need that; so do a few old compilers.",
     .remediation = "Find out how the program was built.",
     .attack = {"T1027"}},
    {.id = "integrity.static-system-tool",
     .category = Category::integrity,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "System tool that is linked statically",
     .explanation = "Distributions link this tool with shared libraries. A static one comes from "
                    "elsewhere: intruders replace such tools, and bring clean ones to see past their own rootkit.",
     .remediation = "Compare it with the one of the distribution's package.",
     .attack = {"T1554", "T1036.005"}},
};

constexpr std::uint32_t pt_load = 1, pf_execute = 1, pf_write = 2, sht_progbits = 1;
constexpr std::uint64_t shf_execute = 4;

bool in_code_section(const format::ElfFile& elf, std::uint64_t address) {
  return std::any_of(elf.sections.begin(), elf.sections.end(), [&](const format::ElfSection& section) {
    return section.type == sht_progbits && (section.flags & shf_execute) != 0 && address >= section.address && address - section.address < section.size;
  });
}

bool has_code_section(const format::ElfFile& elf) {
  return std::any_of(elf.sections.begin(), elf.sections.end(), [](const format::ElfSection& section) {
    return section.type == sht_progbits && (section.flags & shf_execute) != 0 && section.size > 0;
  });
}

bool in_code_segment(const format::ElfFile& elf, std::uint64_t address) {
  return std::any_of(elf.segments.begin(), elf.segments.end(), [&](const format::ElfSegment& segment) {
    return segment.type == pt_load && (segment.flags & pf_execute) != 0 && address >= segment.address && address - segment.address < segment.memory_size;
  });
}

void inspect_entry(const format::ElfFile& elf, FileReport& report) {
  if (!has_code_section(elf) || elf.segments.empty()) return;
  // Debugging files keep the headers of code that is not there.
  if (std::none_of(elf.segments.begin(), elf.segments.end(), [](const format::ElfSegment& s) { return s.type == pt_load && (s.flags & pf_execute) != 0 && s.file_size > 0; })) return;
  const auto say = [&](std::string what) {
    FileFinding finding;
    finding.rule = &rules[0];
    finding.evidence = std::move(what);
    report.add(std::move(finding));
  };
  // What lies in no segment of code either cannot run: a broken file.
  if (elf.entry != 0 && in_code_segment(elf, elf.entry) && !in_code_section(elf, elf.entry)) {
    say(fmt::format("entry point {:#x} lies in no section of code", elf.entry));
    return;
  }
  for (const std::uint64_t address : elf.initialisers) {
    if (in_code_section(elf, address) || !in_code_segment(elf, address)) continue;
    say(fmt::format("initialiser {:#x} lies in no section of code", address));
    return;
  }
}

// "" when the path is fixed and not in a folder for temporary files.
std::string_view weakness_of(std::string_view path) {
  for (const std::string_view folder : {"/tmp", "/var/tmp", "/dev/shm"}) {
    if (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/')) return "a folder for temporary files";
  }
  if (!path.starts_with('/')) return "depends on the current folder";
  return "";
}

void inspect_paths(const format::ElfFile& elf, FileReport& report) {
  const auto say = [&](std::size_t rule, std::string_view what, std::string_view path, std::string_view weakness) {
    FileFinding finding;
    finding.rule = &rules[rule];
    finding.evidence = fmt::format("{} \"{}\": {}", what, path, weakness);
    report.add(std::move(finding));
  };
  if (!elf.interpreter.empty()) {
    if (const auto weakness = weakness_of(elf.interpreter); !weakness.empty()) say(1, "interpreter", elf.interpreter, weakness);
  }
  std::string_view rest = elf.rpath;
  while (!rest.empty()) {
    const auto end = rest.find(':');
    const std::string_view path = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    // $ORIGIN is the program's own folder, $LIB and $PLATFORM come behind others. An empty part is a build's slip without effect in current loaders.
    if (path.empty() || path.starts_with('$')) continue;
    if (const auto weakness = weakness_of(path); !weakness.empty()) {
      say(2, "library path", path, weakness);
      return;
    }
  }
}

void inspect_segments(const format::ElfFile& elf, FileReport& report) {
  if (!elf.interpreter.empty() || !elf.needed.empty() || elf.type != 2) return;
  for (const format::ElfSegment& segment : elf.segments) {
    if (segment.type != pt_load || (segment.flags & (pf_execute | pf_write)) != (pf_execute | pf_write) || segment.file_size == 0) continue;
    FileFinding finding;
    finding.rule = &rules[3];
    finding.evidence = fmt::format("segment at {:#x}, {} bytes, may be written to and executed", segment.address, segment.memory_size);
    report.add(std::move(finding));
    return;
  }
}

// What a rootkit replaces and what an intruder brings: seeing processes, files, connections and users, and letting in.
constexpr std::array<std::string_view, 22> tools = {"sshd", "ls",   "ps",    "netstat", "ss",   "top",   "lsof",  "find", "login", "su", "sudo",
                                                    "passwd", "who", "w",    "last",    "ifconfig", "pstree", "kill", "ssh", "cron", "crond", "dir"};

void inspect_tool(const FileView& file, FileReport& report) {
  const format::ElfFile& elf = *file.elf;
  if (file.nesting != 0 || file.origin != Origin::file || !elf.interpreter.empty() || !elf.needed.empty()) return;
  if (elf.type != 2 && !(elf.type == 3 && elf.entry != 0)) return;
  std::string_view folder = file.path.substr(0, file.path.rfind('/') + 1);
  const std::string_view name = file.path.substr(folder.size());
  if (folder != "/bin/" && folder != "/sbin/" && folder != "/usr/bin/" && folder != "/usr/sbin/") return;
  if (std::find(tools.begin(), tools.end(), name) == tools.end()) return;
  FileFinding finding;
  finding.rule = &rules[4];
  finding.evidence = fmt::format("{} needs no shared library", file.path);
  report.add(std::move(finding));
}

void inspect(const FileView& file, FileReport& report) {
  if (file.elf == nullptr || file.content_offset != 0 || !file.elf->valid) return;
  const format::ElfFile& elf = *file.elf;
  if ((elf.type != 2 && elf.type != 3) || format::holds_debugging_only(elf)) return;
  inspect_entry(elf, report);
  inspect_paths(elf, report);
  inspect_segments(elf, report);
  inspect_tool(file, report);
}

}  // namespace

extern const Detector elf_anomaly_detector;
const Detector elf_anomaly_detector = {
    .name = "elf-anomaly",
    .summary = "Finds programs that start outside of their code, load from folders anybody may write to, or are static where they should not be.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
