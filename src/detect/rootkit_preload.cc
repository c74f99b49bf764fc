// Shared libraries that replace functions of libc in order to hide files, processes or connections.
//
// A library named in /etc/ld.so.preload is loaded into every program. One that exports readdir()
// and finds the real one with dlsym(RTLD_NEXT) can leave entries out: of /proc (processes), of
// folders (files). Honest libraries interpose too: sanitizers (hundreds of functions, readdir among
// them), fakeroot, fakechroot, libfaketime, socket and PAM wrappers. What sets a rootkit apart is
// the combination: hiding of entries together with /proc's lists, the preload file itself, logins.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "rootkit.preload-hooks",
     .category = Category::rootkit,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Library that hides files or processes (preload rootkit)",
     .explanation = "The library replaces readdir() and other functions of libc, calls the real "
                    "ones behind them, and refers to lists that a rootkit filters.",
     .remediation = "Remove the image. Where it ran with the host's file system mounted, check "
                    "the host's /etc/ld.so.preload with a statically linked tool.",
     .attack = {"T1574.006", "T1014"}},
    {.id = "rootkit.login-hooks",
     .category = Category::rootkit,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Library that interposes on logins",
     .explanation = "The library replaces PAM's functions and calls the real ones behind them. "
                    "Test wrappers do that as well as thieves of passwords.",
     .remediation = "Find where it is preloaded or installed.",
     .attack = {"T1556.003", "T1574.006"}},
    {.id = "rootkit.accept-backdoor",
     .category = Category::rootkit,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Library that answers connections in the place of servers",
     .explanation = "The library replaces accept(), calls the real one behind it, and can start a "
                    "shell: a connection with the right source or word gets one from any server "
                    "that loads the library. Wrappers for tests replace accept() without a shell.",
     .remediation = "Find where it is preloaded or installed.",
     .attack = {"T1574.006", "T1205"}},
};

class Exports {
 public:
  explicit Exports(const format::ElfFile& elf) {
    constexpr std::uint8_t stt_func = 2, stt_gnu_ifunc = 10;
    for (const format::ElfSymbol& symbol : elf.dynamic_symbols) {
      if (symbol.defined && (symbol.type == stt_func || symbol.type == stt_gnu_ifunc)) {
        ++functions_;
        defined_.insert(symbol.name);
      } else if (!symbol.defined) {
        imported_.insert(symbol.name);
      }
    }
  }

  std::size_t functions() const { return functions_; }
  bool imports(std::string_view name) const { return imported_.contains(name); }
  template <std::size_t N>
  std::vector<std::string_view> defined(const std::array<std::string_view, N>& names) const {
    std::vector<std::string_view> result;
    for (const std::string_view name : names) {
      if (defined_.contains(name)) result.push_back(name);
    }
    return result;
  }

 private:
  std::size_t functions_ = 0;
  std::set<std::string_view> defined_, imported_;
};

constexpr std::array<std::string_view, 7> listing = {"readdir",     "readdir64",  "readdir_r", "readdir64_r",
                                                     "getdents64",  "scandir64",  "scandir"};
constexpr std::array<std::string_view, 2> accepting = {"accept", "accept4"};
constexpr std::array<std::string_view, 9> starting = {"execve", "execl",  "execlp", "execle", "execv",
                                                      "execvp", "system", "popen",  "posix_spawn"};
constexpr std::array<std::string_view, 26> file_access = {
    "open64_2",  "openat64", "statx", "fstatat", "fstatat64", "__fxstatat", "__fxstatat64", "readlink",
    "open",      "open64", "openat", "fopen",    "fopen64", "opendir",
    "stat",      "stat64", "lstat",  "lstat64",  "__xstat", "__lxstat",
    "__xstat64", "access", "unlink", "unlinkat", "rename",  "rmdir"};
constexpr std::array<std::string_view, 10> reach = {
    "accept",           "accept4",   "pam_authenticate", "pam_open_session", "pam_acct_mgmt",
    "pam_get_password", "pcap_loop", "getpwnam",         "getpwnam_r",       "execve"};
constexpr std::array<std::string_view, 5> login = {
    "pam_authenticate", "pam_get_password", "pam_get_item", "pam_acct_mgmt", "pam_open_session"};

std::string join(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

void inspect(const FileView& file, FileReport& report) {
  const format::ElfFile* elf = file.elf;
  constexpr std::uint16_t et_dyn = 3;
  if (elf == nullptr || elf->type != et_dyn || file.content_offset != 0) return;
  // Programs may export anything; libc and the loader define dlsym themselves.
  if (!elf->interpreter.empty()) return;
  const Exports exports(*elf);
  const bool calls_next =
      exports.imports("dlsym") || exports.imports("dlvsym") || exports.imports("__libc_dlsym");
  const auto lists = exports.defined(listing);
  if (!calls_next) {
    // Without dlsym() the real function is found by hand, or the kernel is called directly. libc, which defines everything, has no list of a rootkit's.
    const bool calls_kernel = exports.imports("syscall") || exports.imports("dlopen") || exports.imports("dl_iterate_phdr");
    if (lists.empty() || !calls_kernel || exports.functions() > 100) return;
    std::string refers;
    for (const std::string_view part : {"ld.so.preload", "/proc/net/tcp", "/proc/%s/stat", "/proc/%s/cmdline", "/proc/self/fd/%d"}) {
      if (file.text().find(part) != std::string_view::npos) refers += (refers.empty() ? "" : ", ") + std::string(part);
    }
    if (refers.empty()) return;
    FileFinding finding;
    finding.rule = &rules[0];
    finding.confidence = Confidence::medium;
    finding.evidence = "replaces " + join(lists) + "; calls the kernel itself; refers to " + refers;
    report.add(std::move(finding));
    return;
  }

  const auto logins = exports.defined(login);
  if (!lists.empty()) {
    const auto files = exports.defined(file_access);
    const auto reaches = exports.defined(reach);
    const std::string_view text = file.text();
    const auto contains = [&](std::string_view part) {
      return text.find(part) != std::string_view::npos;
    };
    std::string refers;
    for (const std::string_view part : {"ld.so.preload", "/proc/net/tcp", "/proc/%s/stat",
                                        "/proc/self/fd/%d", "/proc/self/fd/%i"}) {
      if (contains(part)) refers += (refers.empty() ? "" : ", ") + std::string(part);
    }
    // Sanitizers define hundreds of functions, and these lists are not in them.
    const bool small = exports.functions() <= 400;
    const bool wide = files.size() >= 3 && reaches.size() >= 2;
    // Recorders of installations (installwatch) resolve descriptors through /proc/self/fd as well,
    // but they hook what writes; a hider hooks the listing and little else.
    const bool only_lists = files.empty() && !refers.empty();
    if (contains("ld.so.preload") || contains("/proc/net/tcp") ||
        (small && (contains("/proc/%s/stat") || only_lists || wide))) {
      FileFinding finding;
      finding.rule = &rules[0];
      finding.evidence = "replaces " + join(lists);
      if (!files.empty()) finding.evidence += ", " + join(files);
      if (!reaches.empty()) finding.evidence += ", " + join(reaches);
      finding.evidence += "; calls the next ones through dlsym";
      if (!refers.empty()) finding.evidence += "; refers to " + refers;
      if (refers.empty()) finding.confidence = Confidence::medium;
      report.add(std::move(finding));
      return;
    }
  }
  if (const auto accepts = exports.defined(accepting); !accepts.empty() && exports.functions() <= 100) {
    const bool starts = std::any_of(starting.begin(), starting.end(), [&](std::string_view name) { return exports.imports(name); });
    if (starts && file.text().find("/bin/") != std::string_view::npos) {
      FileFinding finding;
      finding.rule = &rules[2];
      finding.evidence = "replaces " + join(accepts) + "; calls the next ones through dlsym; can start a shell";
      report.add(std::move(finding));
      return;
    }
  }
  if (!logins.empty() && !elf->soname.starts_with("libpam")) {
    FileFinding finding;
    finding.rule = &rules[1];
    finding.evidence = "replaces " + join(logins) + "; calls the next ones through dlsym";
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector rootkit_preload_detector;
const Detector rootkit_preload_detector = {
    .name = "rootkit-preload",
    .summary = "Finds libraries that replace libc's functions to hide files and processes.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
