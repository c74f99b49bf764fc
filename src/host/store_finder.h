// Where the container engines of a host keep their images and containers: the usual places, what their configuration says, and every user's own store.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "host/host_root.h"

namespace lazaret::host {

enum class Engine : std::uint8_t { docker, podman, containerd };
std::string_view name_of(Engine engine);  // "docker", "podman", "containerd"

struct StorePlace {
  Engine engine = Engine::docker;
  std::string path;       // of the host, or what the user named
  source::FileHandle folder;
};

struct StoreOptions {
  // Folders in place of those that are found; "" to look for them.
  std::string docker_root, podman_root, containerd_root;
};

struct StorePlaces {
  std::vector<StorePlace> stores;  // that are there
  std::vector<std::pair<std::string, std::string>> unread;  // (what, why)
};

// ErrorCode::not_found when a folder that the user named is not there.
Result<StorePlaces> find_stores(const HostRoot& root, const StoreOptions& options);

// The accounts of /etc/passwd. At most 100,000; what is malformed is left out.
struct Account {
  std::string name, home, shell;
  std::uint64_t uid = 0;
};
std::vector<Account> read_accounts(const HostRoot& root);

}  // namespace lazaret::host
