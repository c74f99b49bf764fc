#include "audit/reach.h"

#include <algorithm>
#include <deque>

#include "audit/paths.h"
#include "base/text.h"
#include "format/shell.h"

namespace lazaret::audit {
namespace {

constexpr std::size_t files_limit = 4096, chain_limit = 16;

// Words of a script that are files of the image: the program, and every argument that names one (`python /app/x.py`, `. /lib.sh`, `sh ./run.sh`).
class Walk {
 public:
  Walk(const RootFileSystem& root, const format::ImageConfig& config)
      : root_(root), working_dir_(config.working_dir.empty() ? "/" : canonical_path(config.working_dir)) {
    std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const std::string& variable : config.env) {
      if (variable.starts_with("PATH=")) path = variable.substr(5);
    }
    for (const std::string_view folder : split(path, ':')) folders_.emplace_back(folder);
  }

  void start(const std::string& origin, std::string_view text) {
    follow_text(text, {origin}, working_dir_);
    drain();
  }

  // A file that runs by itself (cron, profile, init).
  void start_file(const std::string& path, const std::string& origin) {
    reach(path, {origin});
    drain();
  }

  Reach take() { return std::move(reach_); }

 private:
  struct Step {
    std::string path;
    std::vector<std::string> chain;
  };

  void drain() {
    while (!queue_.empty()) {
      const Step step = std::move(queue_.front());
      queue_.pop_front();
      if (const auto text = root_.kept_text(step.path)) follow_text(*text, step.chain, std::string(folder_of(step.path)), step.path);
    }
  }

  void reach(const std::string& path, std::vector<std::string> chain) {
    const auto found = root_.find(path);
    if (!found || found->record.type == format::TarType::directory || reach_.size() >= files_limit) return;
    std::string real = found->record.path;
    if (found->record.type == format::TarType::hard_link) {
      reach_.emplace(canonical_path(found->record.link_target), chain);
    }
    if (!reach_.emplace(real, chain).second) return;
    if (chain.size() < chain_limit) queue_.push_back({std::move(real), std::move(chain)});
  }

  void follow_text(std::string_view text, const std::vector<std::string>& chain, const std::string& folder, const std::string& file = "") {
    const format::ShellScript script = format::parse_shell(text);
    for (const format::ShellCommand& command : script.commands) {
      std::vector<std::string> next = chain;
      if (!file.empty()) next.push_back(file + ":" + std::to_string(command.line));
      const std::size_t program_index = format::program_word(command);
      for (std::size_t i = 0; i < command.words.size(); ++i) {
        const std::string& word = command.words[i].text;
        if (word.empty() || word.size() > 4096) continue;
        if (word.front() == '/') {
          reach(word, next);
        } else if (word.find('/') != std::string::npos) {
          reach(folder + "/" + word, next);
          if (folder != working_dir_) reach(working_dir_ + "/" + word, next);
        } else if (i == program_index) {
          look_up(word, next);
        } else if (i > 0) {
          // A bare name as an argument is a file when an interpreter or a wrapper is given it.
          const auto before = command.words[0].text;
          const auto slash = before.rfind('/');
          const std::string_view program = slash == std::string::npos ? std::string_view(before) : std::string_view(before).substr(slash + 1);
          if (format::is_interpreter(program) || program == "." || program == "source" || program == "java") {
            reach(working_dir_ + "/" + word, next);
          } else if (i < 4) {
            look_up(word, next);
          }
        }
      }
    }
  }

  void look_up(const std::string& name, const std::vector<std::string>& chain) {
    for (const std::string& folder : folders_) {
      if (root_.find(folder + "/" + name)) {
        reach(folder + "/" + name, chain);
        return;
      }
    }
  }

  const RootFileSystem& root_;
  const std::string working_dir_;
  std::vector<std::string> folders_;
  std::deque<Step> queue_;
  Reach reach_;
};

// Files that an init system, cron or a login runs without anybody asking.
bool runs_by_itself(std::string_view path) {
  for (const std::string_view folder : {"/etc/cron.d/", "/etc/cron.hourly/", "/etc/cron.daily/", "/etc/cron.weekly/", "/etc/cron.monthly/", "/var/spool/cron/",
                                        "/etc/crontabs/", "/etc/profile.d/", "/etc/cont-init.d/", "/etc/services.d/", "/etc/s6-overlay/", "/etc/init.d/",
                                        "/docker-entrypoint.d/", "/etc/systemd/system/"}) {
    if (path.starts_with(folder)) return true;
  }
  for (const std::string_view file : {"/etc/crontab", "/etc/profile", "/etc/bash.bashrc", "/etc/rc.local", "/root/.bashrc", "/root/.profile", "/root/.bash_profile",
                                      "/etc/inittab", "/etc/supervisord.conf", "/etc/ld.so.preload"}) {
    if (path == file) return true;
  }
  return path.starts_with("/etc/supervisor/");
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

Reach reach_of(const RootFileSystem& root, const format::ImageConfig& config, const std::function<bool(std::string_view path)>& is_package_file) {
  Walk walk(root, config);
  for (const ConfigCommand& command : config_commands(config)) walk.start(command.path, command.text);
  for (std::size_t layer = 0; layer < root.layers().size(); ++layer) {
    for (const KeptFile& file : root.layers()[layer]->kept) {
      if (runs_by_itself(file.path) && root.is_visible(layer, file.entry) && !is_package_file(file.path)) walk.start_file(file.path, "runs by itself");
    }
  }
  return walk.take();
}

}  // namespace lazaret::audit
