// Code of known implants inside libraries that are otherwise what they say, so that neither a
// version nor a package's checksum clears them.
//
// xz 5.6.0 and 5.6.1 (CVE-2024-3094): release archives carried an object file that the Debian and
// RPM builds linked into liblzma and that hooks sshd's RSA verification. Signed distribution
// packages are the payload, and images built in March 2024 are still served. The compiled function
// that finds its way into sshd begins with the bytes below in all affected builds (Openwall
// oss-security, 2024-03-29).
#include <string>
#include <string_view>

#include "detect/detector.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "known-bad.xz-backdoor",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "liblzma with the xz backdoor (CVE-2024-3094)",
     .explanation = "The library holds the machine code of the backdoor of xz 5.6.0 and 5.6.1. "
                    "Whoever has the key runs commands through an sshd that loads it.",
     .remediation = "Update xz-utils (5.6.2 or later, or 5.4) and rebuild the image.",
     .attack = {"T1195.002", "T1554", "T1556"}},
};

constexpr engine::Pattern patterns[] = {
    // Entry of the function that replaces the CPU check, up to its first stack stores.
    engine::regex("\\xf3\\x0f\\x1e\\xfa\\x55\\x48\\x89\\xf5\\x4c\\x89\\xce\\x53\\x89\\xfb\\x81\\xe7"
                  "\\x00\\x00\\x00\\x80\\x48\\x83\\xec\\x28\\x48\\x89\\x54\\x24\\x18\\x48\\x89\\x4c"
                  "\\x24\\x10"),
};

void inspect(const FileView& file, FileReport& report) {
  constexpr std::uint16_t em_x86_64 = 62;
  if (file.elf == nullptr || file.elf->machine != em_x86_64 || file.hits.empty()) return;
  constexpr std::uint64_t length = 34;
  FileFinding finding;
  finding.rule = &rules[0];
  finding.offset = file.hits.front().end < length ? 0 : file.hits.front().end - length;
  finding.evidence = file.elf->soname.empty()
                         ? "machine code of the backdoor"
                         : "machine code of the backdoor in " + file.elf->soname;
  report.add(std::move(finding));
}

}  // namespace

extern const Detector known_bad_code_detector;
const Detector known_bad_code_detector = {
    .name = "known-bad-code",
    .summary = "Finds machine code of known implants in libraries.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::elf},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
};

}  // namespace lazaret::detect
