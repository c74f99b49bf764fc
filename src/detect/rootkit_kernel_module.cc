// Linux kernel modules in images. A container shares the host's kernel and has no use for one; with
// CAP_SYS_MODULE or a mounted host it can load it.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "rootkit.kernel-module-hooks",
     .category = Category::rootkit,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Kernel module that hooks system calls",
     .explanation = "The module looks up the kernel's system call table or patches functions and "
                    "names the calls by which files and processes are listed.",
     .remediation = "Remove the image. Where it ran privileged, rebuild the host.",
     .attack = {"T1014", "T1547.006"}},
    {.id = "rootkit.kernel-module",
     .category = Category::rootkit,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Kernel module outside the modules' folder",
     .explanation = "Containers share the host's kernel and need no modules of their own. Drivers "
                    "for special hardware are shipped like this now and then.",
     .remediation = "Find what loads it.",
     .attack = {"T1547.006"}},
};

// Triggers: what every module has, in its own section's name.
constexpr engine::Pattern patterns[] = {
    engine::literal(".gnu.linkonce.this_module"),
};

void inspect(const FileView& file, FileReport& report) {
  constexpr std::uint16_t et_rel = 1;
  if (file.elf == nullptr || file.elf->type != et_rel || file.content_offset != 0) return;
  const std::string_view text = file.text();
  const auto contains = [&](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  const auto any = [&](const auto& parts) {
    return std::any_of(parts.begin(), parts.end(), contains);
  };
  static constexpr std::array<std::string_view, 5> lookups = {
      "sys_call_table", "kallsyms_lookup_name", "ftrace_set_filter_ip", "register_kprobe",
      "write_cr0"};
  static constexpr std::array<std::string_view, 4> targets = {"getdents", "tcp4_seq_show",
                                                              "tcp6_seq_show", "sys_kill"};
  static constexpr std::array<std::string_view, 6> acts = {
      "commit_creds", "prepare_creds", "hide_", "_hide", "give_root", "kobject_del"};
  FileFinding finding;
  if (any(lookups) && any(targets) && any(acts)) {
    finding.rule = &rules[0];
    finding.evidence = "kernel module with";
    for (const auto& part : lookups) {
      if (contains(part)) finding.evidence += " " + std::string(part);
    }
    for (const auto& part : targets) {
      if (contains(part)) finding.evidence += " " + std::string(part);
    }
    for (const auto& part : acts) {
      if (contains(part)) finding.evidence += " " + std::string(part);
    }
  } else if (file.nesting == 0 && file.origin == Origin::file &&
             file.path.find("/lib/modules/") == std::string_view::npos &&
             !file.path.starts_with("/usr/src/")) {
    finding.rule = &rules[1];
    finding.evidence = std::string(file.path);
  } else {
    return;
  }
  report.add(std::move(finding));
}

}  // namespace

extern const Detector rootkit_kernel_module_detector;
const Detector rootkit_kernel_module_detector = {
    .name = "rootkit-kernel-module",
    .summary = "Finds Linux kernel modules, and those that hook system calls.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::elf},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
};

}  // namespace lazaret::detect
