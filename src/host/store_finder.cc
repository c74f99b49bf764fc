#include "host/store_finder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "audit/paths.h"
#include "base/text.h"
#include "format/json.h"
#include "source/containerd_store.h"
#include "source/containers_store.h"

namespace lazaret::host {
namespace {

constexpr std::uint64_t settings_bytes = 1 << 20, passwd_bytes = 16 << 20;
constexpr std::size_t max_accounts = 100'000;

class Finder {
 public:
  Finder(const HostRoot& root, StorePlaces& places) : root_(root), places_(places) {}

  Result<void> named(Engine engine, const std::string& path) {
    auto folder = source::open_folder(path);
    if (!folder) return folder.error();
    places_.stores.push_back({engine, path, std::move(*folder)});
    return {};
  }

  // A folder of the host, when it is there and was not found before.
  void add(Engine engine, const std::string& path, std::string_view mark) {
    const std::string place = audit::canonical_path(path);
    if (!seen_.emplace(engine, place).second) return;
    auto folder = root_.open_folder(place);
    if (!folder) {
      if (folder.error().code != ErrorCode::not_found) places_.unread.emplace_back(fmt::format("{} {}", name_of(engine), place), folder.error().message);
      return;
    }
    // Two names of one folder are one store.
    struct stat status{};
    if (fstat(folder->get(), &status) != 0 || !inodes_.emplace(engine, status.st_dev, status.st_ino).second) return;
    if (!mark.empty()) {
      const auto inside = source::open_folder_below(folder->get(), mark);
      if (!inside && inside.error().code == ErrorCode::not_found) return;
    }
    places_.stores.push_back({engine, place, std::move(*folder)});
  }

  // Text of a settings file; "" when there is none.
  std::string settings(std::string_view path) {
    auto text = root_.read(path, settings_bytes);
    if (text) return std::move(*text);
    if (text.error().code != ErrorCode::not_found) places_.unread.emplace_back(std::string(path), text.error().message);
    return "";
  }

  void unread(std::string what, std::string why) { places_.unread.emplace_back(std::move(what), std::move(why)); }

 private:
  const HostRoot& root_;
  StorePlaces& places_;
  std::set<std::pair<Engine, std::string>> seen_;
  std::set<std::tuple<Engine, dev_t, ino_t>> inodes_;
};

constexpr std::string_view docker_mark = "containers", containerd_mark = "io.containerd.metadata.v1.bolt";

void find_docker(Finder& finder) {
  const auto document = format::parse_json(finder.settings("/etc/docker/daemon.json"));
  for (const char* key : {"data-root", "graph"}) {
    if (const std::string_view path = document.value.text(key); path.starts_with('/')) finder.add(Engine::docker, std::string(path), docker_mark);
  }
  for (const char* path : {"/var/lib/docker", "/var/snap/docker/common/var-lib-docker"}) finder.add(Engine::docker, path, docker_mark);
}

void find_containerd(Finder& finder) {
  const std::string text = finder.settings("/etc/containerd/config.toml");
  if (!text.empty()) {
    const auto path = source::containerd_root_of(text, "/etc/containerd/config.toml");
    if (!path) finder.unread("/etc/containerd/config.toml", path.error().message);
    if (path && path->starts_with('/')) finder.add(Engine::containerd, *path, containerd_mark);
  }
  for (const char* path : {"/var/lib/containerd", "/var/lib/docker/containerd/daemon", "/var/lib/rancher/k3s/agent/containerd", "/var/lib/rancher/rke2/agent/containerd",
                           "/var/snap/microk8s/common/var/lib/containerd", "/var/lib/k0s/containerd"})
    finder.add(Engine::containerd, path, containerd_mark);
}

void find_podman(Finder& finder, const std::vector<Account>& accounts) {
  for (const char* path : {"/etc/containers/storage.conf", "/usr/share/containers/storage.conf"}) {
    const std::string text = finder.settings(path);
    if (text.empty()) continue;
    const auto config = source::parse_storage_config(text, path);
    if (!config) {
      finder.unread(path, config.error().message);
      continue;
    }
    for (const std::string& store : {config->graph_root, config->image_store}) {
      if (store.starts_with('/')) finder.add(Engine::podman, store, "");
    }
    for (const std::string& store : config->additional) {
      if (store.starts_with('/')) finder.add(Engine::podman, store, "");
    }
  }
  finder.add(Engine::podman, "/var/lib/containers/storage", "");
  for (const Account& account : accounts) {
    if (account.home.starts_with('/') && account.home.size() > 1) finder.add(Engine::podman, account.home + "/.local/share/containers/storage", "");
  }
}

}  // namespace

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::docker: return "docker";
    case Engine::podman: return "podman";
    case Engine::containerd: return "containerd";
  }
  return "";
}

std::vector<Account> read_accounts(const HostRoot& root) {
  std::vector<Account> accounts;
  const auto text = root.read("/etc/passwd", passwd_bytes);
  if (!text) return accounts;
  for (const std::string_view line : split(*text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() != 7 || accounts.size() >= max_accounts) continue;
    Account account{std::string(fields[0]), std::string(fields[5]), std::string(fields[6]), 0};
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), account.uid);
    accounts.push_back(std::move(account));
  }
  return accounts;
}

Result<StorePlaces> find_stores(const HostRoot& root, const StoreOptions& options) {
  StorePlaces places;
  Finder finder(root, places);
  const auto look = [&](Engine engine, const std::string& named, auto&& find) -> Result<void> {
    if (!named.empty()) return finder.named(engine, named);
    find();
    return {};
  };
  if (const auto done = look(Engine::docker, options.docker_root, [&] { find_docker(finder); }); !done) return done.error();
  if (const auto done = look(Engine::podman, options.podman_root, [&] { find_podman(finder, read_accounts(root)); }); !done) return done.error();
  if (const auto done = look(Engine::containerd, options.containerd_root, [&] { find_containerd(finder); }); !done) return done.error();
  return places;
}

}  // namespace lazaret::host
