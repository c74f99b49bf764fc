// Where an image starts: the commands of its config, the variables that make programs load code, and the files that cron, init and logins run.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/flow.h"
#include "audit/root_file_system.h"
#include "format/image.h"

namespace lazaret::audit {

// A command of the image config as the text a shell would run, with the path a finding in it has.
struct ConfigCommand {
  std::string path;  // "config.Entrypoint", "config.Cmd", "config.Healthcheck", "config.OnBuild[2]", "config.Shell"
  std::string text;
  std::size_t own_words = static_cast<std::size_t>(-1);  // words from here on are those of config.Cmd
};
std::vector<ConfigCommand> config_commands(const format::ImageConfig& config);

struct FlowResult {
  Reach reach;
  std::vector<FlowOutside> outside;
  std::map<std::string, std::string> unread;  // texts that could not be read to the end, with the reason
  bool cut = false;
};

// Follows everything from where it starts; `visit` gets each text as it runs.
// `is_package_file`: files of packages that run from cron or profile by themselves are no sign of anything, and are not followed.
FlowResult follow_image(const RootFileSystem& root, const format::ImageConfig& config, const std::function<bool(std::string_view path)>& is_package_file,
                        const Flow::Visit& visit);

}  // namespace lazaret::audit
