// Programs that pretend to be something else by name: kernel threads, misspelt system programs.
//
// Kernel threads have no file; `ps` shows them in brackets. A file of such a name, or a script that
// starts a program with such a title (`exec -a`), is made for the eye of an administrator.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "impersonation.kernel-thread-name",
     .category = Category::impersonation,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Program named like a kernel thread",
     .explanation = "Kernel threads have no file. A program with such a name wants to be "
                    "overlooked in a list of processes.",
     .remediation = "Find what starts it; treat it as malware.",
     .attack = {"T1036.004"}},
    {.id = "impersonation.process-title",
     .category = Category::impersonation,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Starts a program under the title of a kernel thread",
     .explanation = "The command gives a process the name of a kernel thread, so that it is "
                    "overlooked in a list of processes.",
     .remediation = "Find the program that is started; treat it as malware.",
     .attack = {"T1036.004"}},
    {.id = "impersonation.lookalike-name",
     .category = Category::impersonation,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Program whose name imitates a system program",
     .explanation = "The name differs from a well-known program's only by swapped or similar "
                    "looking letters, or by characters that cannot be seen.",
     .remediation = "Find what starts it.",
     .attack = {"T1036.005"}},
};

constexpr engine::Pattern patterns[] = {
    engine::regex("exec[ \\t]+-a"),
    engine::literal("setproctitle"),
    engine::literal("PR_SET_NAME"),
    engine::regex("\\$0[ \\t]*=[ \\t]*[\"']\\[?k"),
    engine::regex("argv\\[0\\][^\\n]{0,40}[\"']\\[?k"),
};

// "kworker/0:1", "[kthreadd]", "ksoftirqd/0": as the kernel names its threads, and the names that
// differ by the one letter that a file name or a copy needs (kdevtmpfsi).
bool is_kernel_thread(std::string_view name) {
  const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
  if (bracketed) name = name.substr(1, name.size() - 2);
  static constexpr std::array<std::string_view, 25> exact = {
      "kthreadd",   "kthreaddk", "kthreaddi",  "kdevtmpfs", "kdevtmpfsi",  "khugepaged",
      "kauditd",    "ksmd",      "kblockd",    "kswapd",    "kintegrityd", "khungtaskd",
      "kcompactd0", "kthrotld",  "oom_reaper", "rcu_sched", "rcu_bh",      "rcu_gp",
      "netns",      "writeback", "khelper",    "ksnapd",    "kacpid",      "ata_sff",
      "kinsing"};
  static constexpr std::array<std::string_view, 4> generic = {"netns", "writeback", "khelper",
                                                              "rcu_gp"};
  if (std::find(exact.begin(), exact.end(), name) != exact.end()) {
    // Words that also mean something else count in brackets only.
    return bracketed || std::find(generic.begin(), generic.end(), name) == generic.end();
  }
  static constexpr std::array<std::string_view, 8> stems = {"kworker",    "ksoftirqd", "kswapd",
                                                            "kpsmoused",  "scsi_eh_",  "jbd2/",
                                                            "migration/", "watchdog/"};
  for (const std::string_view stem : stems) {
    if (!name.starts_with(stem)) continue;
    const std::string_view rest = name.substr(stem.size());
    if (rest.size() > 24) continue;
    // "kworkerd" and "kworkers" are names of malware; "kworker-exporter" would be a tool's.
    return rest.find_first_not_of("0123456789:/uHdis") == std::string_view::npos;
  }
  return false;
}

constexpr std::array<std::string_view, 22> well_known = {
    "python",         "python3",     "systemd",      "sshd",          "nginx",
    "crond",          "httpd",       "bash",         "dockerd",       "kubelet",
    "mysqld",         "apache2",     "postgres",     "containerd",    "rsyslogd",
    "tomcat",         "dbus-daemon", "redis-server", "systemd-udevd", "systemd-journald",
    "systemd-logind", "java"};

// "systemd" for "sytsemd" (neighbours swapped) and "systernd" (letters that look alike).
std::optional<std::string_view> imitated(std::string_view name) {
  if (name.size() < 4 || std::find(well_known.begin(), well_known.end(), name) != well_known.end())
    return std::nullopt;
  const auto plain = [](std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (text[i] == 'r' && next == 'n') {
        result += 'm';
        ++i;
      } else if (text[i] == 'v' && next == 'v') {
        result += 'w';
        ++i;
      } else if (text[i] == '1' || text[i] == 'I') {
        result += 'l';
      } else if (text[i] == '0' || text[i] == 'O') {
        result += 'o';
      } else {
        result += text[i];
      }
    }
    return result;
  };
  const std::string visible = plain(name);
  for (const std::string_view target : well_known) {
    if (visible == plain(target)) return target;
    if (name.size() != target.size() || name.size() < 5) continue;
    std::size_t first = 0;
    while (first < name.size() && name[first] == target[first]) ++first;
    if (first + 1 < name.size() && name[first] == target[first + 1] &&
        name[first + 1] == target[first] && name.substr(first + 2) == target.substr(first + 2))
      return target;
  }
  return std::nullopt;
}

// White space at an end, or characters without a glyph (zero width, direction marks).
bool has_invisible_character(std::string_view name) {
  if (!name.empty() && (name.front() == ' ' || name.back() == ' ')) return true;
  static constexpr std::array<std::string_view, 8> invisible = {
      "\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e",
      "\xe2\x80\x8f", "\xe2\x80\xae", "\xe2\x81\xa0", "\xef\xbb\xbf"};
  return std::any_of(invisible.begin(), invisible.end(), [&](std::string_view character) {
    return name.find(character) != std::string_view::npos;
  });
}

void inspect_name(const FileView& file, FileReport& report) {
  const bool program = file.type.kind == format::FileKind::elf ||
                       (file.type.kind == format::FileKind::script && (file.mode & 0111) != 0);
  if (!program || file.content_offset != 0 || file.nesting != 0) return;
  const std::string_view name = base_name(file.path);
  FileFinding finding;
  if (is_kernel_thread(name)) {
    finding.rule = &rules[0];
    finding.evidence = std::string(file.path);
  } else if (has_invisible_character(name)) {
    finding.rule = &rules[2];
    finding.evidence = std::string(file.path);
  } else if (const auto target = imitated(name)) {
    finding.rule = &rules[2];
    finding.evidence = std::string(file.path) + " (like " + std::string(*target) + ")";
  } else {
    return;
  }
  report.add(std::move(finding));
}

// The first word at or after `offset`, without quotes and call syntax.
std::string_view word_at(std::string_view text, std::size_t offset) {
  const auto begin = text.find_first_not_of(" \t\"'(=,", offset);
  if (begin == std::string_view::npos || begin - offset > 16) return {};
  const auto end = text.find_first_of(" \t\"'),;\n\r", begin);
  return text.substr(begin, end == std::string_view::npos ? end : end - begin);
}

void inspect_titles(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    // The patterns that end in the name's first letters: step back to the quote.
    std::size_t at = static_cast<std::size_t>(hit.end);
    if (hit.pattern >= 3) {
      at -= 1;
      if (at > 0 && text[at - 1] == '[') --at;
    }
    const std::string_view name = word_at(text, at);
    if (!is_kernel_thread(name)) continue;
    const Role role = role_of(file, hit.end);
    if (role == Role::prose || role == Role::record) continue;
    FileFinding finding;
    finding.rule = &rules[1];
    finding.offset = static_cast<std::uint64_t>(name.data() - text.data());
    finding.evidence = evidence_of(text, finding.offset, finding.offset + name.size());
    report.add(std::move(finding));
    return;
  }
}

void inspect(const FileView& file, FileReport& report) {
  if (file.origin == Origin::file) inspect_name(file, report);
  if (file.type.kind != format::FileKind::elf) inspect_titles(file, report);
}

}  // namespace

extern const Detector masquerade_name_detector;
const Detector masquerade_name_detector = {
    .name = "masquerade-name",
    .summary = "Finds programs that pretend to be kernel threads or system programs.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::elf, format::FileKind::script, format::FileKind::text},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
