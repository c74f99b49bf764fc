// Programs that carry something encrypted and can start it without writing it to a file: Ezuri and its kind.
//
// The loader decrypts a payload that stands behind its own end or among its data, writes it to a memfd and executes that (memfd_create(2), then fexecve(3), execveat(2) or
// exec of /proc/self/fd/N). Container runtimes, service managers and browsers use the same calls; what sets a loader apart is that most of it is random
// bytes. A payload that lies open is carved and audited; this is about those that cannot be.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "detect/detector.h"
#include "format/elf_packing.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "obfuscation.memory-loader",
     .category = Category::obfuscation,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Program that can run an encrypted payload from memory",
     .explanation = "A large part of the file looks encrypted or compressed, and the program can execute "
                    "what it has in memory only. Crypters of malware work like this; so do a few installers.",
     .remediation = "Find where it comes from; what it starts could not be looked at.",
     .attack = {"T1027.009", "T1620"}},
};

// Names of the calls, and their numbers as x86-64 code loads them (Go and static programs call the kernel themselves).
constexpr engine::Pattern patterns[] = {
    engine::literal("memfd_create"),
    engine::literal("fexecve"),
    engine::literal("execveat"),
    engine::literal("/proc/self/fd/"),
    engine::regex("(\\xb8|\\x48\\xc7\\xc0|\\x48\\xc7\\x04\\x24)\\x3f\\x01\\x00\\x00"),  // memfd_create: 319
    engine::regex("(\\xb8|\\x48\\xc7\\xc0|\\x48\\xc7\\x04\\x24)\\x42\\x01\\x00\\x00"),  // execveat: 322
};

constexpr std::uint64_t least_payload = 8 << 10, window = 32 << 10;
constexpr double random_bytes = 7.9, random_small = 7.7;  // bits per byte; of 8 KiB random data has 7.98, and text compressed by gzip 7.9

struct Region {
  std::uint64_t offset = 0, size = 0;
};

// The longest run of windows that look random.
Region random_region(Bytes content, std::uint64_t from, std::uint64_t to) {
  Region longest, current;
  for (std::uint64_t at = from; at < to; at += window) {
    const Bytes piece = clamp(content, at, std::min(window, to - at));
    const bool random = piece.size() >= least_payload && format::entropy_of(piece) > (piece.size() == window ? random_bytes : random_small);
    if (random) {
      if (current.size == 0) current.offset = at;
      current.size = at + piece.size() - current.offset;
      if (current.size > longest.size) longest = current;
    } else {
      current = {};
    }
  }
  return longest;
}

void inspect(const FileView& file, FileReport& report) {
  if (file.elf == nullptr || file.content_offset != 0 || !file.whole() || file.elf->type == 1) return;
  // Its debugging information is compressed, and the code is not there.
  if (format::holds_debugging_only(*file.elf)) return;
  std::array<bool, std::size(patterns)> seen{};
  for (const engine::PatternHit& hit : file.hits) seen[hit.pattern] = true;
  const bool memfd = seen[0] || seen[4];
  const bool executes = seen[1] || seen[2] || seen[3] || seen[5];
  if (!memfd || !executes) return;

  const std::uint64_t size = file.content.size(), end = std::min<std::uint64_t>(file.elf->end_of_image, size);
  Region payload = random_region(file.content, end, size);
  const bool behind = payload.size > 0;
  if (!behind) payload = random_region(file.content, 0, end);
  // The loader itself is small beside what it loads, or a Go program of two megabytes: a quarter is much for anything else.
  if (payload.size < least_payload || (!behind && payload.size < size / 4)) return;

  FileFinding finding;
  finding.rule = &rules[0];
  finding.offset = payload.offset;
  finding.evidence = fmt::format("{} random bytes at offset {} ({}) of {}; memfd_create{}", payload.size, payload.offset,
                                 behind ? "behind the end of the program" : "in the program's data", size,
                                 seen[1]   ? " and fexecve"
                                 : seen[2] || seen[5] ? " and execveat"
                                                      : " and /proc/self/fd");
  report.add(std::move(finding));
  report.add_unaudited(payload.size, "a payload that looks encrypted, in a program that can run it from memory");
}

}  // namespace

extern const Detector memory_loader_detector;
const Detector memory_loader_detector = {
    .name = "memory-loader",
    .summary = "Finds programs that carry an encrypted payload and can run it from memory.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::elf},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
};

}  // namespace lazaret::detect
