// Persistence: something is made to run again, in the container or, worse, on the host.
//
// The images of 2018 needed nothing but one line: append a cron job to /etc/crontab below the place where the host's /etc is mounted. So the
// first question is where a path leads: a file that controls a system, below a prefix that no container has by itself, is the host's.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;

constexpr Rule rules[] = {
    {"persistence.host-takeover", Category::persistence, Severity::critical, Confidence::high, "Writes to a control file of the host",
     "The path is a crontab, an authorized_keys file or the like below a mount point (/mnt, /host, ...): the container takes over the machine it runs on. Whether the line is valid does not matter.",
     "Do not run the image. On hosts that ran it: look at the crontabs, at root's authorized_keys and at what they started; rebuild the host.", {"T1053.003", "T1611", "T1098.004"}},
    {"persistence.cron-write", Category::persistence, Severity::medium, Confidence::medium, "Installs a cron job",
     "A job is added to cron when the script runs. Images that are cron servers do it; others hide a job that comes back.", "Look at the job.", {"T1053.003"}},
    {"persistence.cron-fetch", Category::persistence, Severity::critical, Confidence::high, "Cron job that fetches and runs", "Cron downloads and runs whatever a server gives, again and again.",
     "Do not run the image.", {"T1053.003", "T1105"}},
    {"persistence.ssh-key", Category::persistence, Severity::high, Confidence::medium, "Adds an SSH key", "A key is added to an authorized_keys file: its owner can log in from then on.",
     "Find out whose key it is; remove it.", {"T1098.004"}},
    {"persistence.preload", Category::persistence, Severity::high, Confidence::high, "Writes ld.so.preload", "A library in ld.so.preload is loaded into every program, which is how rootkits hide.",
     "Look at the library.", {"T1574.006"}},
    {"persistence.service", Category::persistence, Severity::medium, Confidence::low, "Installs a service or login script", "A unit, init script or profile is written when the script runs.",
     "Look at what it starts.", {"T1543.002", "T1546.004"}},
    {"persistence.self-delete-crontab", Category::persistence, Severity::medium, Confidence::medium, "Replaces the crontab", "The crontab is removed and installed anew from a temporary file, as miners do to be alone.",
     "Look at the file that is installed.", {"T1053.003"}},
};
enum : std::size_t { host_takeover, cron_write, cron_fetch, ssh_key, preload, service, crontab_replace };

constexpr engine::Pattern patterns[] = {
    engine::literal("/etc/cron"), engine::literal("/spool/cron"), engine::literal("authorized_keys"), engine::literal("ld.so.preload"), engine::literal("crontab "),
    engine::literal("/etc/crontabs"), engine::literal("/etc/systemd/system"), engine::literal("/etc/profile.d"), engine::literal("/etc/rc.local"), engine::literal("/etc/init.d/"),
};

enum class Control { none, cron, key, preload, service };

struct Target {
  Control control = Control::none;
  bool foreign = false;  // below a prefix
  bool below = false;    // below some other folder, which may be a mount too
};

// What a path controls, and whether it lies below a prefix that is not of this container.
Target target_of(std::string_view path) {
  struct Known {
    std::string_view part;
    Control control;
  };
  static constexpr std::array known = {
      Known{"/etc/cron", Control::cron},           Known{"/var/spool/cron", Control::cron}, Known{"/etc/crontabs", Control::cron}, Known{"/.ssh/authorized_keys", Control::key},
      Known{"/etc/ld.so.preload", Control::preload}, Known{"/etc/systemd/system/", Control::service}, Known{"/etc/profile", Control::service}, Known{"/etc/rc.local", Control::service},
      Known{"/etc/rc.d/", Control::service},       Known{"/etc/init.d/", Control::service}, Known{"/etc/bash.bashrc", Control::service}, Known{"/etc/sudoers", Control::service},
      Known{"/etc/shadow", Control::service},      Known{"/etc/passwd", Control::service},
  };
  for (const Known& item : known) {
    const auto at = path.find(item.part);
    if (at == std::string_view::npos) continue;
    std::string_view prefix = path.substr(0, at);
    if (item.control == Control::key) {
      // Home folders are part of the path itself: <prefix>/root/.ssh, <prefix>/home/<user>/.ssh.
      if (prefix.ends_with("/root")) {
        prefix.remove_suffix(5);
      } else if (const auto home = prefix.find("/home/"); home != std::string_view::npos) {
        prefix = prefix.substr(0, home);
      } else if (prefix == "~" || prefix.starts_with("$")) {
        prefix = {};
      }
    }
    Target target;
    target.control = item.control;
    static constexpr std::array<std::string_view, 7> trees = {"chroot", "build", "stag", "target", "root", "image", "jail"};
    static constexpr std::array prefixes = {"/mnt", "/host", "/rootfs", "/hostfs", "/proc/1/root", "/media", "/tmp", "/opt", "/data", "/node", "/run/host"};
    for (const std::string_view mount : prefixes) {
      if (prefix == mount || (prefix.starts_with(mount) && prefix.size() > mount.size())) target.foreign = true;
    }
    const bool builds = prefix.starts_with("/usr") || prefix.starts_with("/var/lib") || std::any_of(trees.begin(), trees.end(), [&](std::string_view tree) { return prefix.find(tree) != std::string_view::npos; });
    target.below = prefix.starts_with('/') && prefix.size() > 1 && !builds;
    // Image builders and installers write into a staging tree that a variable names; then the prefix is not static and not one of the above.
    return target;
  }
  return {};
}

bool fetches_and_runs(std::string_view text) {
  const format::ShellScript script = format::parse_shell(text);
  for (std::size_t i = 0; i < script.commands.size(); ++i) {
    if (find_fetch(script.commands[i]) >= script.commands[i].words.size()) continue;
    for (std::size_t j = i + 1; j < script.commands.size(); ++j) {
      const std::size_t at = format::program_word(script.commands[j]);
      if (script.commands[j].pipeline == script.commands[i].pipeline && at < script.commands[j].words.size() && format::is_interpreter(script.commands[j].program())) return true;
    }
  }
  return false;
}

void add(FileReport& report, const Rule& rule, const ShellText& text, const ShellCommand& command, std::string_view path) {
  FileFinding finding = finding_at(rule, text, command);
  finding.chain.push_back("write to " + std::string(path));
  if (!text.is_script) {
    if (&rule != &rules[host_takeover]) finding.severity = Severity::low;
    finding.confidence = Confidence::low;
  }
  report.add(std::move(finding));
}

void judge_write(const FileView& file, const ShellText& text, const ShellCommand& command, std::string_view path, FileReport& report) {
  const Target target = target_of(path);
  if (target.control == Control::none) return;
  if (target.foreign) {
    add(report, rules[host_takeover], text, command, path);
    return;
  }
  // The image itself does it when it starts, to a tree that is not its own.
  if (target.below && file.script != nullptr) {
    FileFinding finding = finding_at(rules[host_takeover], text, command);
    finding.chain.push_back("write to " + std::string(path));
    finding.severity = Severity::high;
    finding.confidence = Confidence::medium;
    report.add(std::move(finding));
    return;
  }
  switch (target.control) {
    case Control::cron: add(report, rules[cron_write], text, command, path); break;
    case Control::key: add(report, rules[ssh_key], text, command, path); break;
    case Control::preload: add(report, rules[preload], text, command, path); break;
    case Control::service:
      if (path.find("/etc/passwd") == std::string_view::npos && path.find("/etc/shadow") == std::string_view::npos) add(report, rules[service], text, command, path);
      break;
    case Control::none: break;
  }
}

void inspect_script(const FileView& file, const ShellText& text, FileReport& report) {
  const auto& commands = text.script.commands;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ShellCommand& command = commands[i];
    bool writes_control = false;
    for (const auto& redirection : command.redirections) {
      if (redirection.operation != ">" && redirection.operation != ">>" && redirection.operation != ">|" && redirection.operation != "&>") continue;
      judge_write(file, text, command, redirection.target.text, report);
      writes_control |= target_of(redirection.target.text).control != Control::none;
    }
    const std::size_t at = format::program_word(command);
    if (at >= command.words.size()) continue;
    std::string_view program = command.words[at].text;
    if (const auto slash = program.rfind('/'); slash != std::string_view::npos) program.remove_prefix(slash + 1);
    if (program == "tee" || program == "cp" || program == "mv" || program == "ln" || program == "install" || program == "dd" || program == "sed") {
      for (std::size_t w = at + 1; w < command.words.size(); ++w) {
        std::string_view word = command.words[w].text;
        const bool last = w + 1 == command.words.size();
        if (program == "dd" ? word.starts_with("of=") : program == "tee" ? !word.starts_with('-') : last) {
          if (program == "dd") word.remove_prefix(3);
          if (program == "sed" && std::none_of(command.words.begin(), command.words.end(), [](const auto& o) { return o.text.starts_with("-i"); })) continue;
          judge_write(file, text, command, word, report);
          writes_control |= target_of(word).control != Control::none;
        }
      }
    }
    // What is written is a program too: cron lines go through all detectors again.
    if (writes_control || program == "crontab") {
      bool known = false;
      std::string output = format::static_output(text.script, i, &known);
      if (program == "crontab" && i > 0) output = format::static_output(text.script, i - 1, &known);
      if (!known && (program == "tee" || program == "crontab")) {
        for (std::size_t j = i; j-- > 0 && i - j < 8 && !known;) {
          if (commands[j].pipeline == command.pipeline) output = format::static_output(text.script, j, &known);
        }
      }
      if (known && !output.empty()) {
        if (fetches_and_runs(output)) add(report, rules[cron_fetch], text, command, program == "crontab" ? "crontab" : "cron");
        report.add_derived(output, "written job", text.offset + command.offset);
      } else if (!command.words.empty() && (program == "echo" || program == "printf")) {
        // Partly known: the words as far as they are.
        std::string words;
        for (std::size_t w = at + 1; w < command.words.size(); ++w) words += command.words[w].text + " ";
        if (fetches_and_runs(words)) add(report, rules[cron_fetch], text, command, "cron");
        report.add_derived(words, "written job", text.offset + command.offset);
      }
    }
    if (program == "crontab") {
      const bool removes = std::any_of(command.words.begin(), command.words.end(), [](const auto& w) { return w.text == "-r"; });
      const bool from_temporary = std::any_of(command.words.begin(), command.words.end(), [](const auto& w) { return w.text.starts_with("/tmp/") || w.text.starts_with("/var/tmp/"); });
      if (removes || from_temporary) {
        add(report, rules[crontab_replace], text, command, "crontab");
      } else if (text.is_script && command.words.size() > at + 1 && command.words[at + 1].text == "-") {
        add(report, rules[cron_write], text, command, "crontab");
      }
    }
  }
}

// A crontab itself: its lines run by themselves.
void inspect_crontab(const FileView& file, FileReport& report) {
  if (file.type.language != format::Language::crontab) return;
  const ShellText text{format::parse_shell(file.text()), file.text(), 0, true};
  for (std::size_t i = 0; i < text.script.commands.size(); ++i) {
    const ShellCommand& command = text.script.commands[i];
    if (find_fetch(command) >= command.words.size()) continue;
    for (std::size_t j = i + 1; j < text.script.commands.size(); ++j) {
      const ShellCommand& other = text.script.commands[j];
      const std::size_t at = format::program_word(other);
      if (other.pipeline == command.pipeline && at < other.words.size() && format::is_interpreter(other.program())) {
        report.add(finding_at(rules[cron_fetch], text, command));
        break;
      }
    }
  }
}

void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) { inspect_script(file, text, report); });
  inspect_crontab(file, report);
}

}  // namespace

extern const Detector persistence_detector;
const Detector persistence_detector = {.name = "persistence",
                                       .summary = "Cron jobs, keys, services and preloads that are installed, above all on a mounted host.",
                                       .rules = rules,
                                       .patterns = patterns,
                                       .kinds = format::KindSet::texts(),
                                       .trigger = Trigger::always,
                                       .inspect = inspect};

}  // namespace lazaret::detect
