// What an image brings along that gives power to whoever runs a command in it: programs that run as root, tools of networks and containers, kernel
// modules, and files that start things by themselves. None of it is a finding; what an update adds to it is worth a look.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/root_file_system.h"

namespace lazaret::audit {

struct Ability {
  std::string kind;  // "setuid", "setgid", "file-capability", "kernel-module", "network-tool", "container-tool", "compiler", "debugger", "starts-by-itself"
  std::string what;  // the tool's name, or the path
  std::string path;
  std::string detail;  // "root", "cap_net_raw+ep"

  auto operator<=>(const Ability&) const = default;
};

// Ordered; one for each kind and `what`.
std::vector<Ability> abilities_of(const RootFileSystem& root);

// "one that runs as its owner, whoever starts it": a phrase for people for each kind.
std::string_view explain_ability(std::string_view kind);

// The text of a value of security.capability (capabilities(7), linux/capability.h): "cap_net_admin,cap_net_raw+ep"; "malformed" when it is not one.
std::string describe_capabilities(std::string_view raw);

}  // namespace lazaret::audit
