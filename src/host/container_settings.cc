#include "host/container_settings.h"

#include <algorithm>
#include <array>
#include <set>

#include "audit/paths.h"
#include "base/text.h"
#include "format/json.h"

namespace lazaret::host {
namespace {

constexpr format::JsonOptions json_options = {64, 1'000'000, false};
constexpr std::size_t max_mounts = 1000, max_arguments = 10'000;

bool is_true(const format::JsonValue* value) { return value != nullptr && value->as_bool() != nullptr && *value->as_bool(); }

std::vector<std::string> texts(const format::JsonValue* list, std::size_t limit) {
  std::vector<std::string> result;
  if (list == nullptr || list->as_array() == nullptr) return result;
  for (const auto& item : *list->as_array()) {
    if (result.size() >= limit) break;
    if (const std::string* text = item.as_string()) result.push_back(*text);
  }
  return result;
}

// All of them together are what "--privileged" gives and nobody else asks for.
bool is_all(const std::vector<std::string>& capabilities) {
  for (const char* wanted : {"CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE", "CAP_SYS_BOOT"}) {
    if (std::find(capabilities.begin(), capabilities.end(), wanted) == capabilities.end()) return false;
  }
  return true;
}

}  // namespace

ContainerSettings read_docker_settings(std::string_view config, std::string_view host_config) {
  ContainerSettings settings;
  const auto document = format::parse_json(config, json_options);
  if (document.valid) {
    settings.read = true;
    if (const std::string path(document.value.text("Path")); !path.empty()) settings.command.push_back(path);
    for (std::string& argument : texts(document.value.find("Args"), max_arguments)) settings.command.push_back(std::move(argument));
    // Volumes that Docker keeps itself are no place of the host's.
    if (const auto* mounts = document.value.find("MountPoints"); mounts != nullptr && mounts->as_object() != nullptr) {
      for (const auto& [target, mount] : *mounts->as_object()) {
        if (settings.mounts.size() >= max_mounts) break;
        if (mount.text("Type") != "bind" || mount.text("Source").empty()) continue;
        settings.mounts.push_back({std::string(mount.text("Source")), target, is_true(mount.find("RW"))});
      }
    }
  }
  const auto host = format::parse_json(host_config, json_options);
  if (host.valid) {
    settings.read = true;
    settings.privileged = is_true(host.value.find("Privileged"));
    settings.host_processes = host.value.text("PidMode") == "host";
    // "/source:/target[:options]"; a source without a slash in front is the name of a volume.
    for (const std::string& bind : texts(host.value.find("Binds"), max_mounts)) {
      const auto parts = split(bind, ':');
      if (parts.size() < 2 || !parts[0].starts_with('/')) continue;
      const auto options = parts.size() > 2 ? split(parts[2], ',') : std::vector<std::string_view>();
      const bool writable = std::find(options.begin(), options.end(), "ro") == options.end();
      const bool known = std::any_of(settings.mounts.begin(), settings.mounts.end(), [&](const auto& mount) { return mount.target == parts[1]; });
      if (!known) settings.mounts.push_back({std::string(parts[0]), std::string(parts[1]), writable});
    }
  }
  return settings;
}

ContainerSettings read_oci_settings(std::string_view text) {
  ContainerSettings settings;
  const auto document = format::parse_json(text, json_options);
  if (!document.valid) return settings;
  const format::JsonValue* inner = document.value.find("spec");
  const format::JsonValue& spec = inner != nullptr && inner->as_object() != nullptr ? *inner : document.value;
  settings.read = true;
  settings.privileged = is_true(document.value.find("privileged"));
  if (const auto* annotations = spec.find("annotations")) settings.privileged |= equals_ignore_case(annotations->text("io.podman.annotations.privileged"), "true");
  if (const auto* process = spec.find("process")) {
    settings.command = texts(process->find("args"), max_arguments);
    if (const auto* capabilities = process->find("capabilities")) settings.privileged |= is_all(texts(capabilities->find("bounding"), 100));
  }
  if (const auto* mounts = spec.find("mounts"); mounts != nullptr && mounts->as_array() != nullptr) {
    for (const auto& mount : *mounts->as_array()) {
      if (settings.mounts.size() >= max_mounts) break;
      const auto options = texts(mount.find("options"), 100);
      const auto has = [&](const char* option) { return std::find(options.begin(), options.end(), option) != options.end(); };
      if (mount.text("type") != "bind" && !has("bind") && !has("rbind")) continue;
      if (!mount.text("source").starts_with('/')) continue;
      settings.mounts.push_back({std::string(mount.text("source")), std::string(mount.text("destination")), !has("ro") && !has("rro")});
    }
  }
  // A namespace that is not listed is the one of the runtime, which is the host's.
  if (const auto* linux_part = spec.find("linux")) {
    if (const auto* namespaces = linux_part->find("namespaces"); namespaces != nullptr && namespaces->as_array() != nullptr) {
      settings.host_processes = std::none_of(namespaces->as_array()->begin(), namespaces->as_array()->end(), [](const auto& item) { return item.text("type") == "pid"; });
    }
  }
  return settings;
}

HostPlace place_of_mount(std::string_view source) {
  const std::string path = audit::canonical_path(source);
  static constexpr std::array sockets = {"/docker.sock", "/podman.sock", "/containerd.sock", "/crio.sock", "/containerd.sock.ttrpc"};
  for (const std::string_view socket : sockets) {
    if (path.ends_with(socket)) return HostPlace::socket;
  }
  if (path == "/") return HostPlace::root;
  static constexpr std::array control = {"/etc",           "/root",          "/root/.ssh", "/home",     "/usr",          "/bin",          "/sbin",           "/lib",       "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local/bin", "/boot",
                                         "/var/spool",     "/var/spool/cron", "/var/spool/cron/crontabs", "/etc/crontab", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/crontabs", "/etc/ld.so.preload", "/etc/systemd",
                                         "/etc/systemd/system", "/etc/init.d", "/etc/profile.d", "/etc/passwd", "/etc/shadow", "/etc/sudoers", "/etc/sudoers.d", "/var", "/proc/sys", "/var/lib/docker", "/var/lib/kubelet"};
  return std::find(control.begin(), control.end(), std::string_view(path)) != control.end() ? HostPlace::control : HostPlace::other;
}

}  // namespace lazaret::host
