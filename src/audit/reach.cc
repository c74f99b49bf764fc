#include "audit/reach.h"

#include <algorithm>
#include <array>

#include "audit/paths.h"
#include "audit/start_places.h"
#include "base/text.h"
#include "format/service_config.h"
#include "format/shell.h"

namespace lazaret::audit {
namespace {

bool is_user_table(std::string_view path) { return path.starts_with("/var/spool/cron/") || path.starts_with("/etc/crontabs/"); }
bool is_system_table(std::string_view path) { return path.starts_with("/etc/cron.d/") || path == "/etc/crontab"; }

// The jobs that a configuration file names; nothing when it is a script itself.
std::vector<format::ServiceCommand> jobs_of(std::string_view path, std::string_view text, std::string_view starter) {
  if (text.starts_with("#!")) return {};
  if (starter == "cron" && is_user_table(path)) return format::cron_commands(text, false);
  if (starter == "cron" && is_system_table(path)) return format::cron_commands(text, true);
  if (starter == "systemd") return format::unit_commands(text);
  if (starter == "supervisord") return format::supervisor_commands(text, nullptr);
  if (path == "/etc/inittab") return format::inittab_commands(text);
  return {};
}

void start_by_itself(const RootFileSystem& root, Flow& flow, const std::function<bool(std::string_view path)>& is_package_file) {
  for (std::size_t layer = 0; layer < root.layers().size(); ++layer) {
    for (const KeptFile& file : root.layers()[layer]->kept) {
      const std::string_view starter = starter_of(file.path);
      if (starter.empty() || !root.is_visible(layer, file.entry) || is_package_file(file.path)) continue;
      const std::vector<format::ServiceCommand> jobs = jobs_of(file.path, file.text, starter);
      const std::vector<std::string> chain = {std::string(starter)};
      for (const format::ServiceCommand& job : jobs) flow.start_job(file.path, file.text, job.text, job.offset, job.variables, job.folder, chain);
      // A table is no script, but a malformed one is looked at as a text.
      if (jobs.empty()) flow.start_file(file.path, chain);
    }
  }
}

// Variables with which the image makes its programs load code.
void start_variables(const format::ImageConfig& config, Flow& flow) {
  for (const std::string& variable : config.env) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos || equals + 1 >= variable.size()) continue;
    const std::string name = variable.substr(0, equals), value = variable.substr(equals + 1);
    const std::string path = "config.Env." + name;
    if (name == "PROMPT_COMMAND") {
      flow.start_command(path, value, static_cast<std::size_t>(-1));
    } else if (name == "PYTHONPATH" || name == "PYTHONHOME") {
      for (const std::string_view folder : split(value, ':')) {
        for (const std::string_view file : {"/sitecustomize.py", "/usercustomize.py"}) {
          if (!folder.empty()) flow.start_file(std::string(folder) + std::string(file), {path});
        }
      }
    } else if (name == "BASH_ENV" || name == "ENV" || name == "PYTHONSTARTUP" || name == "NODE_OPTIONS" || name == "PERL5OPT" || name == "RUBYOPT" || name == "JAVA_TOOL_OPTIONS" ||
               name == "JDK_JAVA_OPTIONS" || name == "_JAVA_OPTIONS" || name == "LD_PRELOAD" || name == "LD_AUDIT" || name == "PHP_INI_SCAN_DIR" || name == "ZDOTDIR" || name == "GIT_SSH" ||
               name == "PAGER" || name == "EDITOR" || name == "PYTHONBREAKPOINT" || name == "PERL5DB" || name == "INPUTRC") {
      for (std::size_t at = 0; at < value.size();) {
        const auto end = std::min(value.find_first_of(" :=,;", at), value.size());
        std::string word = value.substr(at, end - at);
        if (word.starts_with("-r/")) word.erase(0, 2);
        if (word.starts_with("/") || word.starts_with("./")) flow.start_file(word, {path});
        at = end + 1;
      }
    }
  }
}

}  // namespace

std::vector<ConfigCommand> config_commands(const format::ImageConfig& config) {
  std::vector<ConfigCommand> commands;
  const auto add = [&](const std::string& path, std::string text) {
    if (!text.empty()) commands.push_back({path, std::move(text)});
  };
  // The container starts Entrypoint with Cmd behind it; apart, neither may say what happens.
  std::vector<std::string> both = config.entrypoint;
  both.insert(both.end(), config.cmd.begin(), config.cmd.end());
  if (!config.entrypoint.empty()) {
    add("config.Entrypoint", format::quote_arguments(both));
    if (!commands.empty()) commands.back().own_words = config.entrypoint.size();
  } else {
    add("config.Cmd", format::quote_arguments(config.cmd));
  }
  add("config.Shell", format::quote_arguments(config.shell));
  if (!config.healthcheck.empty()) {
    const std::vector<std::string> rest(config.healthcheck.begin() + 1, config.healthcheck.end());
    if (config.healthcheck[0] == "CMD-SHELL") {
      std::string text;
      for (const std::string& part : rest) text += (text.empty() ? "" : " ") + part;
      add("config.Healthcheck", text);
    } else if (config.healthcheck[0] == "CMD") {
      add("config.Healthcheck", format::quote_arguments(rest));
    } else if (config.healthcheck[0] != "NONE") {
      add("config.Healthcheck", format::quote_arguments(config.healthcheck));
    }
  }
  for (std::size_t i = 0; i < config.onbuild.size(); ++i) {
    std::string text = config.onbuild[i];
    if (text.starts_with("RUN ")) text.erase(0, 4);
    add("config.OnBuild[" + std::to_string(i) + "]", std::move(text));
  }
  return commands;
}

FlowResult follow_image(const RootFileSystem& root, const format::ImageConfig& config, const std::function<bool(std::string_view path)>& is_package_file,
                        const Flow::Visit& visit) {
  Flow flow(root, config, visit);
  for (const ConfigCommand& command : config_commands(config)) flow.start_command(command.path, command.text, command.own_words);
  start_variables(config, flow);
  start_by_itself(root, flow, is_package_file);
  FlowResult result;
  result.outside = flow.outside();
  result.unread = flow.unread();
  result.cut = flow.cut();
  result.reach = flow.take_reach();
  return result;
}

}  // namespace lazaret::audit
