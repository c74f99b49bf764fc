// Ways into a container that honest tools open: tunnels to a relay outside, reverse port forwards, an SSH server with a key that came with the image.
//
// Administrators use all of them, so they are matters of policy. What they have in common with a reverse shell is that somebody outside gets in past the
// firewall, and that the image brought it along.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "detect/shell_text_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;

constexpr Rule rules[] = {
    {"proxy-abuse.tunnel", Category::proxy_abuse, Severity::high, Confidence::low, "Opens a tunnel from outside into the container",
     "The command connects to a relay or another host, through which somebody outside reaches this container past its firewall. Development and support images do it on purpose.",
     "Find out who holds the other end; remove it when nobody needs it.", {"T1572", "T1219"}},
    {"persistence.baked-ssh-key", Category::persistence, Severity::high, Confidence::low, "SSH server with a key that came with the image",
     "The image holds an SSH server and keys that may log in: whoever made it can enter every container of it that is reached. Jump hosts and test images are made so.",
     "Mount the keys when the container is started; find out whose these are.", {"T1098.004", "T1021.004"}},
};

constexpr engine::Pattern patterns[] = {
    engine::literal("tmate"), engine::literal("ngrok"), engine::literal("cloudflared"), engine::literal("gs-netcat"), engine::literal("chisel"), engine::literal("frpc"), engine::literal("ssh -"),
};

bool has(const ShellCommand& command, std::initializer_list<std::string_view> words) {
  return std::any_of(command.words.begin(), command.words.end(), [&](const auto& word) { return std::find(words.begin(), words.end(), word.text) != words.end(); });
}

bool opens_tunnel(const ShellCommand& command) {
  const std::size_t at = format::program_word(command);
  if (at >= command.words.size() || !command.words[at].is_static) return false;
  const std::string_view program = base_name(command.words[at].text);
  if (has(command, {"--version", "--help", "-h", "version", "help"})) return false;
  const bool words = at + 1 < command.words.size();
  if (program == "tmate") return !has(command, {"-V"});
  if (program == "ngrok") return has(command, {"tcp", "http", "tls", "start"});
  if (program == "cloudflared") return has(command, {"run", "--url", "--token", "access"}) && (has(command, {"tunnel"}) || has(command, {"--url"}));
  if (program == "gs-netcat" || program == "gsocket" || program == "blitz") return words;
  if (program == "chisel") return has(command, {"client"});
  if (program == "frpc" || program == "npc" || program == "rathole") return words;
  if (program == "bore") return has(command, {"local"});
  if (program == "lt" || program == "localtunnel") return has(command, {"--port", "-p"});
  if (program == "wstunnel") return has(command, {"client", "-R"});
  if (program == "ssh" || program == "autossh" || program == "dbclient") {
    // -R port:host:port, alone or in a cluster: -fNR.
    for (std::size_t i = at + 1; i < command.words.size(); ++i) {
      const std::string& word = command.words[i].text;
      if (word.size() < 2 || word[0] != '-' || word[1] == '-') continue;
      const auto option = word.find('R');
      if (option != std::string::npos && word.find_first_not_of("fNTnqCgvA", 1) == option) return true;
    }
  }
  return false;
}

void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) {
    if (!text.is_script) return;
    for (const ShellCommand& command : text.script.commands) {
      if (opens_tunnel(command)) report.add(finding_at(rules[0], text, command));
    }
  });
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  bool server = false;
  for (const std::string_view path : {"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/sbin/dropbear", "/usr/bin/dropbear", "/usr/local/sbin/dropbear"}) server |= image.find(path).has_value();
  if (!server) return;
  image.for_each([&](const RootEntry& entry) {
    if (findings.size() >= 16 || entry.is_directory || entry.is_symlink || entry.size < 32) return;
    const bool home = entry.path.ends_with("/.ssh/authorized_keys") || entry.path.ends_with("/.ssh/authorized_keys2");
    if (home || entry.path.starts_with("/etc/ssh/authorized_keys")) findings.push_back({&rules[1], std::string(entry.path), "an SSH server and " + std::string(entry.path), {}, {}, {}, {}});
  });
}

}  // namespace

extern const Detector remote_access_detector;
const Detector remote_access_detector = {.name = "remote-access",
                                         .summary = "Tunnels and SSH servers through which somebody outside gets in.",
                                         .rules = rules,
                                         .patterns = patterns,
                                         .kinds = format::KindSet::texts(),
                                         .trigger = Trigger::always,
                                         .inspect = inspect,
                                         .inspect_image = inspect_image};

}  // namespace lazaret::detect
