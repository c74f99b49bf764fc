// Scripts that blind a machine before they use it: firewalls, security modules and agents are switched off, traces wiped, files made immutable, tools
// renamed, rivals killed.
//
// Each has honest users alone (a VPN container flushes its own rules, a hardening script sets chattr +i), so one kind says little, and many kinds in one
// script are how intruders prepare. What counts is kinds, not commands: a long clean-up is one kind.
#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "detect/shell_text_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;

constexpr Rule rules[] = {
    {"rootkit.defenses-off", Category::rootkit, Severity::medium, Confidence::medium, "Switches off what guards the machine",
     "The script disables security tools, wipes traces or makes its files immutable. Installers and hardening scripts do one of these things; intruders do many of them in one script.",
     "Read the script. If it ran on a host, do not trust that host's logs and tools.", {"T1562.001", "T1562.004", "T1070.003", "T1222.002"}},
};

constexpr engine::Pattern patterns[] = {
    engine::literal("iptables"), engine::literal("setenforce"), engine::literal("chattr"), engine::literal("HISTFILE"), engine::literal("bash_history"), engine::literal("/var/log/wtmp"),
    engine::literal("systemctl"), engine::literal("pkill"), engine::literal("killall"), engine::literal("ufw"),
};

enum Kind : std::size_t { firewall, modules, agents, traces, immutable, rivals, tools, lockout, kind_count };
constexpr std::array<std::string_view, kind_count> names = {"opens the firewall", "switches off SELinux or AppArmor", "removes security agents", "wipes traces",
                                                            "makes files immutable", "kills rivals", "renames system tools", "locks others out"};

bool has(const ShellCommand& command, std::string_view word) {
  return std::any_of(command.words.begin(), command.words.end(), [&](const auto& other) { return other.text == word; });
}

bool names_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return contains_ignore_case(text, part); });
}

bool names_agent(std::string_view text) {
  return names_any(text, {"aliyun", "aegis", "cloudmonitor", "bmc-agent", "qcloud", "ydservice", "ydlive", "baradagent", "hostguard", "falcon-sensor", "crowdstrike", "auditd", "sysdig",
                          "falco", "clamd", "clamav", "ossec", "wazuh", "sophos", "mdatp", "osqueryd", "rkhunter", "chkrootkit", "cloudsecurityagent", "fail2ban"});
}

bool names_rival(std::string_view text) {
  return names_any(text, {"xmrig", "kinsing", "kdevtmpfsi", "cryptonight", "stratum", "minerd", "minergate", "monero", "kworkerds", "watchbog", "sysupdate", "networkservice", "masscan", "xmr-stak"});
}

bool stops(const ShellCommand& command, std::string_view program) {
  if (program == "systemctl" || program == "service" || program == "rc-service" || program == "initctl" || program == "chkconfig" || program == "update-rc.d")
    return has(command, "stop") || has(command, "disable") || has(command, "mask") || has(command, "off") || has(command, "remove");
  return program == "pkill" || program == "killall" || program == "rm" || program == "rpm" || program == "kill" || program == "dpkg" ||
         ((program == "apt-get" || program == "apt" || program == "yum" || program == "dnf") && (has(command, "remove") || has(command, "purge") || has(command, "erase"))) ||
         program.find("uninst") != std::string_view::npos;
}

bool is_trace(std::string_view path) {
  return names_any(path, {"bash_history", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/var/log/secure", "/var/log/auth.log", "/var/run/utmp", "/var/log/audit", "/var/spool/mail/root"});
}

bool is_tool(std::string_view path) {
  for (const std::string_view tool : {"/bin/ps", "/bin/top", "/bin/curl", "/bin/wget", "/bin/chattr", "/bin/netstat", "/bin/ss", "/bin/lsof", "/bin/crontab", "/bin/pstree", "/bin/htop"}) {
    if (path.ends_with(tool)) return true;
  }
  return false;
}

// The kind of the command; kind_count for none.
std::size_t kind_of(const format::ShellScript& script, std::size_t index) {
  const ShellCommand& command = script.commands[index];
  for (const auto& redirection : command.redirections) {
    if (redirection.operation.starts_with('>') && is_trace(redirection.target.text)) return traces;
    if (redirection.operation.starts_with('>') && redirection.target.text == "/etc/selinux/config") return modules;
  }
  for (const auto& [name, value] : command.assignments) {
    if (name == "HISTFILE" && (value.text == "/dev/null" || value.text.empty())) return traces;
    if (name == "HISTSIZE" && value.text == "0") return traces;
  }
  const std::size_t at = format::program_word(command);
  if (at >= command.words.size()) return kind_count;
  const std::string_view program = base_name(command.words[at].text);
  const std::string text = command.text();
  if (program == "iptables" || program == "ip6tables" || program == "nft") {
    if (has(command, "-F") || has(command, "--flush") || (has(command, "flush") && has(command, "ruleset")) || (has(command, "-P") && has(command, "ACCEPT"))) return firewall;
    if (has(command, "DROP") && names_any(text, {"2375", "2376", "6379", "3333", "5555", "7777", "14444"})) return lockout;
    return kind_count;
  }
  if (program == "ufw") return has(command, "disable") ? firewall : static_cast<std::size_t>(kind_count);
  if (program == "setenforce") return has(command, "0") || has(command, "Permissive") ? modules : static_cast<std::size_t>(kind_count);
  if (program == "aa-teardown" || program == "aa-disable") return modules;
  if (program == "chattr") {
    const bool sets = std::any_of(command.words.begin(), command.words.end(), [](const auto& word) {
      return word.text.size() > 1 && (word.text[0] == '+' || word.text[0] == '-') && word.text.find_first_of("ia", 1) != std::string::npos && word.text[1] != 'R';
    });
    return sets ? immutable : static_cast<std::size_t>(kind_count);
  }
  if (program == "history") return has(command, "-c") || has(command, "-cw") ? traces : static_cast<std::size_t>(kind_count);
  if (program == "unset") return has(command, "HISTFILE") ? traces : static_cast<std::size_t>(kind_count);
  if ((program == "rm" || program == "shred" || program == "truncate" || program == "ln") && is_trace(text)) return traces;
  if (program == "mv" && command.words.size() > at + 2 && is_tool(command.words[at + 1].text)) return tools;
  if (stops(command, program)) {
    if (names_agent(text)) return agents;
    if (names_any(text, {"firewalld", "ufw", "iptables"}) && program != "rm") return firewall;
    if (names_any(text, {"apparmor", "selinux"}) && program != "rm") return modules;
    if (names_rival(text) && program != "rm") return rivals;
  }
  // ps aux | grep name | awk ... | xargs kill -9
  if (program == "xargs" && text.find("kill") != std::string::npos) {
    for (std::size_t before = command.previous, steps = 0; before != ShellCommand::no_command && steps < 8; before = script.commands[before].previous, ++steps) {
      const std::string filter = script.commands[before].text();
      if (names_agent(filter)) return agents;
      if (names_rival(filter)) return rivals;
    }
  }
  return kind_count;
}

void inspect_script(const ShellText& text, FileReport& report) {
  std::array<std::size_t, kind_count> first;
  first.fill(ShellCommand::no_command);
  for (std::size_t i = 0; i < text.script.commands.size(); ++i) {
    const std::size_t kind = kind_of(text.script, i);
    if (kind < kind_count && first[kind] == ShellCommand::no_command) first[kind] = i;
  }
  std::size_t kinds = 0, shown = ShellCommand::no_command;
  std::string list;
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (first[kind] == ShellCommand::no_command) continue;
    ++kinds;
    list += (list.empty() ? "" : ", ") + std::string(names[kind]);
    if (shown == ShellCommand::no_command || kind == agents) shown = first[kind];
  }
  // One kind alone is only worth a word where it has hardly an honest use.
  if (kinds == 0 || (kinds == 1 && first[agents] == ShellCommand::no_command)) return;
  FileFinding finding = finding_at(rules[0], text, text.script.commands[shown]);
  finding.evidence = list + ": " + finding.evidence;
  if (kinds <= 2) {
    finding.confidence = Confidence::low;
  } else if (kinds <= 4) {
    finding.severity = Severity::high;
  } else {
    finding.severity = Severity::critical;
    finding.confidence = Confidence::high;
  }
  report.add(std::move(finding));
}

void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) {
    if (text.is_script) inspect_script(text, report);
  });
}

}  // namespace

extern const Detector defenses_off_detector;
const Detector defenses_off_detector = {.name = "defenses-off",
                                        .summary = "Scripts that disable security tools, wipe traces, lock files and kill rivals.",
                                        .rules = rules,
                                        .patterns = patterns,
                                        .kinds = format::KindSet::texts(),
                                        .trigger = Trigger::always,
                                        .inspect = inspect};

}  // namespace lazaret::detect
