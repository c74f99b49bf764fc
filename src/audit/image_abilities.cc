#include "audit/image_abilities.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/paths.h"
#include "base/bytes.h"
#include "format/file_capabilities.h"

namespace lazaret::audit {
namespace {

struct Tools {
  std::string_view kind;
  std::vector<std::string_view> names;
};

// Names of programs, looked for in the folders that PATH has.
const std::vector<Tools>& tools() {
  static const std::vector<Tools> all = {
      {"network-tool", {"curl",  "wget",   "aria2c", "nc",      "ncat",  "nc.openbsd", "nc.traditional", "socat", "nmap",    "masscan",     "zmap", "zgrab", "zgrab2", "ssh",     "sshd",
                        "dropbear", "telnet", "ftp", "tftp",    "rsync", "tcpdump",    "tshark", "tor",   "torsocks", "proxychains", "proxychains4", "ngrok", "frpc", "chisel", "tmate",
                        "iptables", "nft", "hydra"}},
      {"container-tool", {"docker", "dockerd", "podman", "ctr", "containerd", "crictl", "nerdctl", "runc", "crun", "kubectl", "nsenter", "unshare", "helm", "kubeadm"}},
      {"compiler", {"gcc", "cc", "g++", "clang", "tcc", "go", "rustc", "cargo", "make", "ld"}},
      {"debugger", {"gdb", "strace", "ltrace", "gdbserver", "perf", "bpftrace"}},
  };
  return all;
}

bool is_program_folder(std::string_view folder) {
  for (const std::string_view each : {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}) {
    if (folder == each) return true;
  }
  return false;
}

// What cron, init, shells and the loader run or load without being asked.
bool starts_by_itself(std::string_view path) {
  for (const std::string_view file : {"/etc/ld.so.preload", "/etc/crontab", "/etc/rc.local", "/etc/inittab", "/etc/profile", "/etc/bash.bashrc", "/root/.bashrc",
                                      "/root/.profile", "/root/.ssh/authorized_keys", "/root/.ssh/rc"}) {
    if (path == file) return true;
  }
  for (const std::string_view folder : {"/etc/cron.", "/var/spool/cron/", "/etc/profile.d/", "/etc/init.d/", "/etc/systemd/system/", "/usr/lib/systemd/system/",
                                        "/lib/systemd/system/", "/etc/cont-init.d/", "/etc/services.d/", "/etc/s6-overlay/", "/docker-entrypoint.d/",
                                        "/docker-entrypoint-initdb.d/", "/etc/update-motd.d/"}) {
    if (path.starts_with(folder)) return true;
  }
  return path.starts_with("/home/") && path.ends_with("/.ssh/authorized_keys");
}

bool is_kernel_module(std::string_view path) {
  for (const std::string_view suffix : {".ko", ".ko.xz", ".ko.gz", ".ko.zst"}) {
    if (path.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace

std::string describe_capabilities(std::string_view raw) {
  const Bytes bytes = as_bytes(raw);
  const auto magic = read_le<std::uint32_t>(bytes, 0);
  if (!magic) return "malformed";
  // Revision 1 has one pair of 32-bit words (permitted, inheritable), 2 and 3 two; 3 adds the root of a user namespace.
  const unsigned revision = *magic >> 24;
  const std::size_t words = revision == 1 ? 1 : revision == 2 || revision == 3 ? 2 : 0;
  if (words == 0) return "malformed";
  std::uint64_t permitted = 0, inheritable = 0;
  for (std::size_t i = 0; i < words; ++i) {
    const auto p = read_le<std::uint32_t>(bytes, 4 + 8 * i), in = read_le<std::uint32_t>(bytes, 8 + 8 * i);
    if (!p || !in) return "malformed";
    permitted |= static_cast<std::uint64_t>(*p) << (32 * i);
    inheritable |= static_cast<std::uint64_t>(*in) << (32 * i);
  }
  const auto names = [](std::uint64_t set) { return fmt::format("{}", fmt::join(format::capability_names(set), ",")); };
  std::string text;
  const bool effective = (*magic & 1) != 0;
  if (permitted != 0) text = names(permitted) + (effective ? "+ep" : "+p");
  if (inheritable != 0) text += (text.empty() ? "" : " ") + names(inheritable) + "+i";
  return text.empty() ? "none" : text;
}

std::string_view explain_ability(std::string_view kind) {
  if (kind == "setuid") return "runs as its owner, whoever starts it";
  if (kind == "setgid") return "runs with its group, whoever starts it";
  if (kind == "file-capability") return "has privileges of root, whoever starts it";
  if (kind == "kernel-module") return "code for the kernel of the host";
  if (kind == "network-tool") return "reaches other hosts, or lets them in";
  if (kind == "container-tool") return "controls containers, or leaves them";
  if (kind == "compiler") return "makes programs inside the container";
  if (kind == "debugger") return "looks into and changes running programs";
  return "runs or is loaded without being called";
}

std::vector<Ability> abilities_of(const RootFileSystem& root) {
  std::vector<Ability> abilities;
  root.for_each([&](const RootFileSystem::Found& found) {
    const Entry& entry = found.record;
    if (entry.type == format::TarType::directory) return;
    const bool is_file = entry.type == format::TarType::file;
    if (is_file && (entry.mode & 0111) != 0) {
      if ((entry.mode & 04000) != 0) abilities.push_back({"setuid", entry.path, entry.path, entry.uid == 0 ? "root" : fmt::format("user {}", entry.uid)});
      if ((entry.mode & 02000) != 0) abilities.push_back({"setgid", entry.path, entry.path, entry.gid == 0 ? "root" : fmt::format("group {}", entry.gid)});
    }
    if (!entry.capabilities.empty()) abilities.push_back({"file-capability", entry.path, entry.path, describe_capabilities(entry.capabilities)});
    if (is_file && is_kernel_module(entry.path)) abilities.push_back({"kernel-module", entry.path, entry.path, ""});
    if (starts_by_itself(entry.path)) abilities.push_back({"starts-by-itself", entry.path, entry.path, ""});
    if (is_program_folder(folder_of(entry.path))) {
      const std::string_view name = name_of_path(entry.path);
      for (const Tools& group : tools()) {
        if (std::find(group.names.begin(), group.names.end(), name) != group.names.end()) abilities.push_back({std::string(group.kind), std::string(name), entry.path, ""});
      }
    }
  });
  std::sort(abilities.begin(), abilities.end());
  // /bin/x and /usr/bin/x are one tool.
  abilities.erase(std::unique(abilities.begin(), abilities.end(), [](const Ability& a, const Ability& b) { return a.kind == b.kind && a.what == b.what; }),
                  abilities.end());
  return abilities;
}

}  // namespace lazaret::audit
