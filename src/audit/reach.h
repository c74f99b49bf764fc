// What an image starts by itself: from the config's commands, cron, init, profile and preload to the files they run.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/root_file_system.h"
#include "format/image.h"

namespace lazaret::audit {

// A command of the image config as the text a shell would run, with the path a finding in it has.
struct ConfigCommand {
  std::string path;  // "config.Entrypoint", "config.Cmd", "config.Healthcheck", "config.OnBuild[2]", "config.Shell"
  std::string text;
};
std::vector<ConfigCommand> config_commands(const format::ImageConfig& config);

// Paths that are started, each with the chain that leads there ("config.Entrypoint", "/run.sh:4"). Paths are those of the files themselves, symlinks
// resolved.
using Reach = std::map<std::string, std::vector<std::string>, std::less<>>;

// `is_package_file`: files of packages that run from cron or profile by themselves are no sign of anything, and are not followed.
Reach reach_of(const RootFileSystem& root, const format::ImageConfig& config,
               const std::function<bool(std::string_view path)>& is_package_file);

}  // namespace lazaret::audit
