// Programs that give more rights to whoever starts them: setuid, setgid, file capabilities.
//
// A distribution has some twenty setuid programs (su, passwd, mount, ...) and a few with capabilities (ping, newuidmap). What has no honest reason: a shell or an
// interpreter that becomes root by being started, a privileged program that everybody may overwrite, one in a folder for temporary files, a script (the
// kernel ignores the bit there, so it is a mistake or a lure). In a container that shares a user namespace with the host this is root on the host.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "detect/detector.h"
#include "format/file_capabilities.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "persistence.privileged-shell",
     .category = Category::persistence,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Shell or interpreter that becomes root",
     .explanation = "Whoever can start this program runs any command with root's rights. No package "
                    "ships it like this; it is how an intruder comes back.",
     .remediation = "Remove the setuid bit or the capabilities.",
     .attack = {"T1548.001"}},
    {.id = "persistence.privileged-writable",
     .category = Category::persistence,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Privileged program that everybody may overwrite",
     .explanation = "The program runs with the rights of its owner, and any user may put another "
                    "content into it.",
     .remediation = "Remove the write permission for others.",
     .attack = {"T1548.001", "T1222.002"}},
    {.id = "persistence.privileged-in-temporary-folder",
     .category = Category::persistence,
     .severity = Severity::medium,
     .confidence = Confidence::high,
     .title = "Privileged program in a folder for temporary files",
     .explanation = "Setuid programs and file capabilities belong to system folders; nothing that is "
                    "installed puts them here.",
     .remediation = "Find out what put it there.",
     .attack = {"T1548.001"}},
    {.id = "anomaly.file-capabilities",
     .category = Category::anomaly,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Program with capabilities that amount to root",
     .explanation = "These file capabilities let the program take over the system. A few tools for "
                    "administration are installed like this (newuidmap, tracing tools).",
     .remediation = "Remove what the program does not need.",
     .attack = {"T1548.001"}},
};

constexpr std::uint32_t setuid_bit = 04000, setgid_bit = 02000, others_write = 02, any_execute = 0111;

// By the numbers of linux/capability.h: dac_override, dac_read_search, fowner, setgid, setuid, setfcap, sys_module, sys_rawio, sys_ptrace, sys_admin, chown, bpf.
constexpr std::array<unsigned, 12> strong = {1, 2, 3, 6, 7, 31, 16, 17, 19, 21, 0, 39};

// What runs other commands for whoever asks.
constexpr std::array<std::string_view, 33> interpreters = {
    "sh",     "bash", "dash", "ash",  "ksh",  "zsh",  "fish",  "csh",  "tcsh", "busybox", "toybox", "python", "perl", "ruby", "node", "nodejs", "php",
    "lua",    "tclsh", "awk", "gawk", "mawk", "env",  "find",  "vim",  "vi",   "nano",    "gdb",    "socat",  "nc",   "ncat", "tar",  "cp"};

// "python3.11" -> "python", "bash5" -> "bash".
std::string_view base_name(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  const auto end = name.find_last_not_of("0123456789.-");
  return name.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

bool is_interpreter(std::string_view path) {
  return std::find(interpreters.begin(), interpreters.end(), base_name(path)) != interpreters.end();
}

bool in_temporary_folder(std::string_view path) {
  for (const std::string_view folder : {"/tmp/", "/var/tmp/", "/dev/shm/", "/run/shm/"}) {
    if (path.starts_with(folder)) return true;
  }
  return false;
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  image.for_each([&](const RootEntry& entry) {
    if (entry.is_directory || entry.is_symlink) return;
    const bool raised = (entry.mode & (setuid_bit | setgid_bit)) != 0 && (entry.mode & any_execute) != 0;
    if (!raised && entry.capabilities.empty()) return;
    const format::FileCapabilities capabilities = format::parse_file_capabilities(as_bytes(entry.capabilities));
    const bool strong_capability = capabilities.valid && std::any_of(strong.begin(), strong.end(), [&](unsigned i) { return capabilities.has(i); });
    if (!raised && !capabilities.valid) return;

    ImageFinding finding;
    finding.path = entry.path;
    finding.evidence = fmt::format("{} mode {:04o}, owner {}:{}", entry.path, entry.mode & 07777, entry.uid, entry.gid);
    if (capabilities.valid) finding.evidence += fmt::format(", capabilities {}", fmt::join(capabilities.names(), ","));
    const bool becomes_root = (entry.mode & setuid_bit) != 0 && entry.uid == 0 && (entry.mode & any_execute) != 0;
    if (is_interpreter(entry.path) && (becomes_root || strong_capability)) {
      finding.rule = &rules[0];
    } else if ((entry.mode & others_write) != 0) {
      finding.rule = &rules[1];
    } else if (in_temporary_folder(entry.path)) {
      finding.rule = &rules[2];
    } else if (strong_capability) {
      finding.rule = &rules[3];
    } else {
      return;
    }
    findings.push_back(std::move(finding));
  });
}

}  // namespace

extern const Detector privileged_file_detector;
const Detector privileged_file_detector = {
    .name = "privileged-file",
    .summary = "Finds setuid programs and file capabilities that give root away.",
    .rules = rules,
    .patterns = {},
    .kinds = {},
    .trigger = Trigger::on_hit,
    .inspect = nullptr,
    .inspect_image = inspect_image,
};

}  // namespace lazaret::detect
