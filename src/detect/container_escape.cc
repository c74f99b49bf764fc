// Container escape: what an image does to get at the machine below it.
//
// Monitoring agents and build tools use some of these doors with their owner's consent, so that one of them is a reason to look; the combination that hands over the host
// (chroot into a mounted root, nsenter into process 1, a release_agent) has hardly another use.
#include <algorithm>

#include "base/text.h"
#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;

constexpr std::string_view advice = "Do not run the image with host mounts or privileges; on hosts where it had them, look for what it left.";

constexpr Rule rules[] = {
    {"container-escape.host-chroot", Category::container_escape, Severity::critical, Confidence::high, "Changes root into a mounted host",
     "chroot or a shell is started in a folder where the host's root file system is mounted: the container runs programs on the host itself.", advice, {"T1611"}},
    {"container-escape.nsenter", Category::container_escape, Severity::high, Confidence::high, "Enters the namespaces of process 1",
     "nsenter with the host's first process leaves the container. Node agents of Kubernetes do it on purpose.", advice, {"T1611"}},
    {"container-escape.kernel-hook", Category::container_escape, Severity::critical, Confidence::high, "Sets a program that the host's kernel runs",
     "release_agent, core_pattern and uevent_helper make the kernel start a program outside of every container.", advice, {"T1611"}},
    {"container-escape.docker-socket", Category::container_escape, Severity::high, Confidence::medium, "Starts containers through the Docker API",
     "The image talks to the engine of its host and starts containers, with the host's file system mounted or privileged. Build agents use the socket too, but without mounting the host's root.", advice,
     {"T1610", "T1611"}},
    {"container-escape.raw-device", Category::container_escape, Severity::high, Confidence::medium, "Opens the host's disk as a device", "mknod or debugfs on a block device reads and writes the host's files past all mounts.",
     advice, {"T1611"}},
    {"container-escape.leaked-descriptor", Category::container_escape, Severity::critical, Confidence::high, "Working directory is a leaked descriptor",
     "A working directory below /proc/self/fd is CVE-2024-21626: runc before 1.1.12 starts the container inside the host's file system.", "Do not run the image; update runc.", {"T1611"}},
};
enum : std::size_t { host_chroot, enter, kernel_hook, docker_socket, raw_device, leaked_descriptor };

constexpr engine::Pattern patterns[] = {
    engine::literal("chroot "), engine::literal("nsenter"), engine::literal("release_agent"), engine::literal("core_pattern"), engine::literal("uevent_helper"),
    engine::literal("docker.sock"), engine::literal(":2375"), engine::literal("debugfs"), engine::literal("mknod "), engine::literal("docker run"), engine::literal("docker -H"),
};

bool is_mounted_host(std::string_view path) {
  for (const std::string_view prefix : {"/mnt", "/host", "/rootfs", "/hostfs", "/proc/1/root", "/media", "/node", "/tmp/"}) {
    if (path == prefix || (path.starts_with(prefix) && path.size() > prefix.size())) return true;
  }
  return false;
}

bool has_word(const ShellCommand& command, std::string_view text) {
  return std::any_of(command.words.begin(), command.words.end(), [&](const auto& word) { return word.text == text; });
}

void add(FileReport& report, const Rule& rule, const ShellText& text, const ShellCommand& command) {
  FileFinding finding = finding_at(rule, text, command);
  if (!text.is_script) {
    finding.severity = Severity::low;
    finding.confidence = Confidence::low;
  }
  report.add(std::move(finding));
}

// Whether what a command writes is known and makes no hook: nothing at all takes a hook away (Debian's udev does it at every start), and a core
// pattern that begins with no "|" names files.
bool writes_no_hook(const ShellCommand& command, std::string_view path) {
  const auto& words = command.words;
  if (words.empty()) return true;
  // The first word: behind xargs and its like the input adds arguments.
  if (find_program(command, {"echo", "printf", ":", "true"}) != 0) return false;
  std::string written;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!words[i].is_static) return false;
    if (words[i].text != "-n" && words[i].text != "-e") written += words[i].text;
  }
  if (path.ends_with("core_pattern")) return written.find('|') == std::string::npos && written.find('\\') == std::string::npos;
  return written.empty();
}

void inspect_command(const ShellText& text, const ShellCommand& command, FileReport& report) {
  const auto& words = command.words;
  if (const std::size_t at = find_program(command, {"chroot"}); at < words.size()) {
    for (std::size_t i = at + 1; i < words.size(); ++i) {
      if (words[i].text.starts_with('-')) continue;
      if (words[i].is_static && is_mounted_host(words[i].text)) add(report, rules[host_chroot], text, command);
      break;
    }
  }
  if (const std::size_t at = find_program(command, {"nsenter"}); at < words.size()) {
    for (std::size_t i = at + 1; i < words.size(); ++i) {
      const std::string& word = words[i].text;
      const bool one = (word == "-t" || word == "--target") && i + 1 < words.size() && words[i + 1].text == "1";
      if (one || word == "-t1" || word == "--target=1" || word.find("/proc/1/ns") != std::string::npos) {
        add(report, rules[enter], text, command);
        break;
      }
    }
  }
  for (const auto& redirection : command.redirections) {
    const std::string& path = redirection.target.text;
    if (redirection.operation.find('>') == std::string::npos) continue;
    const bool hook = path.ends_with("/release_agent") || path.ends_with("/proc/sys/kernel/core_pattern") || path.ends_with("/uevent_helper");
    if (hook && !writes_no_hook(command, path)) add(report, rules[kernel_hook], text, command);
  }
  const bool client = find_program(command, {"docker", "podman", "nerdctl"}) < words.size();
  if (client && has_word(command, "run")) {
    bool host = has_word(command, "--privileged") || has_word(command, "--pid=host");
    for (const auto& word : words) {
      if (word.text.starts_with("/:") || word.text.find("=/:") != std::string::npos || word.text.starts_with("/etc:") || word.text.starts_with("/root:")) host = true;
    }
    if (host) add(report, rules[docker_socket], text, command);
  }
  if (find_fetch(command) < words.size()) {
    const std::string line = command.text();
    const bool api = line.find("docker.sock") != std::string::npos || line.find(":2375/") != std::string::npos;
    if (api && (line.find("/containers/create") != std::string::npos || line.find("/exec") != std::string::npos) && line.find("Binds") != std::string::npos) {
      add(report, rules[docker_socket], text, command);
    }
  }
  const bool debugfs = find_program(command, {"debugfs"}) < words.size();
  const std::size_t mknod = find_program(command, {"mknod"});
  if ((debugfs && std::any_of(words.begin(), words.end(), [](const auto& w) { return w.text.starts_with("/dev/"); })) ||
      (mknod < words.size() && mknod + 3 < words.size() && words[mknod + 2].text == "b" && (words[mknod + 3].text == "8" || words[mknod + 3].text == "259" || words[mknod + 3].text == "202" || words[mknod + 3].text == "253"))) {
    add(report, rules[raw_device], text, command);
  }
}

void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) {
    for (const ShellCommand& command : text.script.commands) inspect_command(text, command, report);
  });
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  const std::string& folder = image.manifest().config.working_dir;
  if (folder.find("/proc/self/fd/") != std::string::npos || folder.find("/proc/self/fd") != std::string::npos) {
    findings.push_back({&rules[leaked_descriptor], "config.WorkingDir", folder, {"config.WorkingDir"}, {}, {}, {}});
  }
}

}  // namespace

extern const Detector container_escape_detector;
const Detector container_escape_detector = {.name = "container-escape",
                                            .summary = "Doors to the machine below: mounted hosts, namespaces, kernel hooks, the engine's API, raw devices.",
                                            .rules = rules,
                                            .patterns = patterns,
                                            .kinds = format::KindSet::texts(),
                                            .trigger = Trigger::always,
                                            .inspect = inspect,
                                            .inspect_image = inspect_image};

}  // namespace lazaret::detect
