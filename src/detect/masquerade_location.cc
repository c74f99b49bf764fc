// Programs in places where no package puts one: temporary folders, hidden names, /etc, spools.
//
// Judged by content (ELF, script) and path. Leftovers of builds in /tmp are common and innocent, so
// place alone is weak; a hidden name or a service's name in such a place is not chance.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "impersonation.hidden-executable",
     .category = Category::impersonation,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Executable under a hidden name",
     .explanation = "A program lies under a name that starts with a dot or cannot be seen, in a "
                    "temporary or system folder.",
     .remediation = "Find what starts it; no package installs programs like this.",
     .attack = {"T1564.001"}},
    {.id = "impersonation.service-in-temp",
     .category = Category::impersonation,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Executable named like a system service in a temporary folder",
     .explanation = "A program in a temporary folder has the name of a well-known service, so "
                    "that it looks harmless in a list of processes.",
     .remediation = "Find what starts it; the service itself lies in /usr.",
     .attack = {"T1036.005"}},
    {.id = "impersonation.executable-in-temp",
     .category = Category::impersonation,
     .severity = Severity::low,
     .confidence = Confidence::medium,
     .title = "Executable in a temporary folder",
     .explanation = "A program lies in a temporary folder. Builds leave such files behind; so do "
                    "droppers.",
     .remediation = "Remove it from the image, or move it where programs belong.",
     .attack = {"T1036.005"}},
    {.id = "impersonation.executable-in-odd-place",
     .category = Category::impersonation,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Executable where no program belongs",
     .explanation = "A program lies in a folder for settings, logs, spools or devices.",
     .remediation = "Find what put it there and what starts it.",
     .attack = {"T1036.005"}},
};

template <std::size_t N>
bool starts_with_any(std::string_view path, const std::array<std::string_view, N>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return path.starts_with(prefix); });
}

constexpr std::array<std::string_view, 6> temporary = {"/tmp/",     "/var/tmp/",  "/dev/shm/",
                                                       "/run/shm/", "/run/lock/", "/var/lock/"};
constexpr std::array<std::string_view, 14> odd = {"/etc/",
                                                  "/dev/",
                                                  "/proc/",
                                                  "/sys/",
                                                  "/run/",
                                                  "/var/run/",
                                                  "/var/log/",
                                                  "/var/spool/",
                                                  "/var/mail/",
                                                  "/lost+found/",
                                                  "/usr/share/man/",
                                                  "/usr/share/locale/",
                                                  "/usr/share/fonts/",
                                                  "/usr/share/icons/"};
constexpr std::array<std::string_view, 12> system_folders = {
    "/bin/", "/sbin/",  "/usr/bin/", "/usr/sbin/",  "/usr/local/bin/", "/usr/local/sbin/",
    "/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/boot/",          "/var/"};
constexpr std::array<std::string_view, 34> services = {
    "sshd",         "nginx",      "httpd",         "apache2",
    "crond",        "cron",       "systemd",       "init",
    "dockerd",      "containerd", "kubelet",       "kube-proxy",
    "etcd",         "mysqld",     "mysql",         "postgres",
    "redis-server", "java",       "php-fpm",       "rsyslogd",
    "syslogd",      "udevd",      "systemd-udevd", "systemd-journald",
    "dbus-daemon",  "ntpd",       "chronyd",       "bash",
    "sh",           "python",     "python3",       "node",
    "perl",         "tomcat"};

// A name made of dots and blanks ("...", ".. ") is made to be overlooked, wherever it is.
bool is_invisible(std::string_view name) {
  return name != "." && name != ".." && !name.empty() &&
         name.find_first_not_of(". \t") == std::string_view::npos;
}

struct Names {
  bool hidden = false;        // the file's own name starts with a dot
  bool hidden_below = false;  // a folder on the way does
  bool invisible = false;
};

Names names_of(std::string_view path) {
  Names names;
  const auto parts = split(path, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    if (is_invisible(parts[i])) names.invisible = true;
    if (parts[i].size() > 1 && parts[i].front() == '.') {
      if (last)
        names.hidden = true;
      else
        names.hidden_below = true;
    }
  }
  return names;
}

// Kernel modules, objects and libraries are no programs of their own.
bool is_program(const FileView& file) {
  if (file.type.kind == format::FileKind::script) return true;
  constexpr std::uint16_t et_exec = 2, et_dyn = 3;
  if (file.elf == nullptr) return false;
  return file.elf->type == et_exec ||
         (file.elf->type == et_dyn && (!file.elf->interpreter.empty() ||
                                       (file.elf->needed.empty() && file.elf->soname.empty())));
}

void inspect(const FileView& file, FileReport& report) {
  if (file.origin != Origin::file || file.nesting != 0 || file.content_offset != 0) return;
  if (!file.path.starts_with('/')) return;
  const bool is_elf = file.type.kind == format::FileKind::elf;
  const bool executable = (file.mode & 0111) != 0;
  if (!is_elf && !executable) return;  // a script that is only data here
  const bool program = is_program(file);
  const Names names = names_of(file.path);
  const bool in_temporary = starts_with_any(file.path, temporary);
  const std::string_view name = base_name(file.path);

  FileFinding finding;
  if (names.invisible) {
    finding.rule = &rules[0];
    finding.confidence = Confidence::high;
  } else if (in_temporary && (names.hidden || names.hidden_below)) {
    finding.rule = &rules[0];
    if (!is_elf) finding.severity = Severity::medium;
  } else if (names.hidden && is_elf && starts_with_any(file.path, system_folders)) {
    finding.rule = &rules[0];
    finding.severity = Severity::medium;
  } else if (in_temporary && is_elf && program &&
             std::find(services.begin(), services.end(), name) != services.end()) {
    finding.rule = &rules[1];
  } else if (in_temporary && is_elf && program) {
    finding.rule = &rules[2];
  } else if (is_elf && program && !in_temporary && starts_with_any(file.path, odd)) {
    finding.rule = &rules[3];
  } else {
    return;
  }
  finding.evidence =
      std::string(file.path) + " (" + std::string(format::name_of(file.type.kind)) + ")";
  report.add(std::move(finding));
}

}  // namespace

extern const Detector masquerade_location_detector;
const Detector masquerade_location_detector = {
    .name = "masquerade-location",
    .summary = "Finds programs in temporary folders, under hidden names and in odd places.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf, format::FileKind::script},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
