#include "audit/image_diff_risk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "audit/paths.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

using detect::Severity;

// Most telling first.
constexpr std::array<std::string_view, 22> codes = {
    "entrypoint-wrapped", "entrypoint-replaced",   "program-replaced",   "loader-variable", "preload",          "finding",          "package-file-changed",
    "package-claims",     "program-hidden",        "setuid",             "file-capability", "command-shadowed", "program-added",    "starts-by-itself",
    "kernel-module",      "user-root",             "container-tool",     "healthcheck",     "entrypoint-other", "many-changes",     "platform-added",
    "network-tool"};

// What a finding in a program says it does, as the end of "the entrypoint now starts /x, which ...".
std::string_view deed_of(detect::Category category) {
  switch (category) {
    case detect::Category::dropper: return "fetches and runs a program";
    case detect::Category::reverse_shell: return "gives a shell to another host";
    case detect::Category::bind_shell: return "gives a shell to whoever connects";
    case detect::Category::miner: return "mines";
    case detect::Category::persistence: return "makes itself stay";
    case detect::Category::container_escape: return "reaches out of the container";
    case detect::Category::credential_theft: return "takes credentials";
    case detect::Category::rootkit: return "hides things";
    case detect::Category::obfuscation: return "hides what it does";
    case detect::Category::known_bad: return "is known to be malicious";
    default: return "";
  }
}

// Programs whose business is to start another one, from distributions.
bool is_known_starter(std::string_view name) {
  for (const std::string_view each : {"tini", "tini-static", "dumb-init", "catatonit", "docker-init", "env", "gosu", "su-exec", "setpriv", "s6-svscan", "runit", "catchsegv", "nice",
                                      "ionice", "exec", "stdbuf", "timeout", "chroot", "xvfb-run", "faketime", "eatmydata"}) {
    if (name == each) return true;
  }
  return false;
}

bool is_shell(std::string_view name) {
  for (const std::string_view each : {"sh", "bash", "dash", "ash", "busybox", "zsh", "ksh"}) {
    if (name == each) return true;
  }
  return false;
}

// Places where no distribution puts programs.
bool is_hiding_place(std::string_view path) {
  for (const std::string_view folder : {"/tmp/", "/var/tmp/", "/dev/", "/run/", "/var/run/", "/proc/", "/sys/", "/usr/share/doc/", "/usr/share/man/", "/var/cache/", "/var/log/",
                                        "/var/lib/dpkg/", "/lib/apk/"}) {
    if (path.starts_with(folder)) return true;
  }
  return name_of_path(path).starts_with('.');
}

bool is_system_place(std::string_view path) {
  for (const std::string_view folder : {"/bin/", "/sbin/", "/lib/", "/lib64/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/", "/etc/"}) {
    if (path.starts_with(folder)) return true;
  }
  return folder_of(path) == "/";
}

// Variables that make interpreters and the loader run something else first.
bool is_loader_variable(std::string_view name) {
  for (const std::string_view each : {"LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "PROMPT_COMMAND", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "NODE_OPTIONS",
                                      "NODE_PATH", "PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "GIT_SSH_COMMAND",
                                      "GCONV_PATH", "LUA_INIT", "PHPRC"}) {
    if (name == each) return true;
  }
  return false;
}

std::vector<std::string> command_of(const format::ImageConfig& config) {
  std::vector<std::string> command = config.entrypoint;
  command.insert(command.end(), config.cmd.begin(), config.cmd.end());
  return command;
}

std::string shown(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.size() > 120 ? text.substr(0, 117) + "..." : text;
}

class Judge {
 public:
  explicit Judge(const ComparedPlatform& platform) : platform_(platform) {
    for (const FileChange& file : platform.diff.files) files_.emplace(file.path, &file);
    for (const FindingChange& change : platform.findings) {
      if (change.change != Change::removed && change.finding.weight > 0) findings_[change.finding.location.path].push_back(&change.finding);
    }
  }

  std::vector<Risk> judge() {
    entrypoint();
    files();
    config();
    abilities();
    if (platform_.diff.cut) add(Severity::medium, "many-changes", "more files are different than can be listed, so that one among them is easily overlooked");
    return std::move(risks_);
  }

 private:
  void add(Severity severity, std::string code, std::string text, std::string path = "") {
    risks_.push_back({severity, std::move(code), std::move(text), std::move(path), {}});
  }

  std::optional<RootFileSystem::Found> find_program(const RootFileSystem& root, const format::ImageConfig& config, const std::string& word) const {
    const auto is_file = [](const std::optional<RootFileSystem::Found>& found) { return found && found->record.type != format::TarType::directory; };
    if (word.find('/') != std::string::npos) {
      auto found = root.find(word.starts_with('/') ? word : config.working_dir + "/" + word);
      return is_file(found) ? found : std::nullopt;
    }
    std::string folders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const std::string& variable : config.env) {
      if (variable.starts_with("PATH=")) folders = variable.substr(5);
    }
    for (const std::string_view folder : split(folders, ':')) {
      auto found = root.find(std::string(folder) + "/" + word);
      if (is_file(found)) return found;
    }
    return std::nullopt;
  }

  // "" when no package claims the file, or one that has no business there.
  std::string owner_of(const std::string& path) const {
    const std::size_t owner = platform_.new_packages.owners_of({path}).front();
    if (owner == InstalledPackages::none || is_hiding_place(path) || folder_of(path) == "/") return "";
    // A package that has the same version as before, but a file more.
    if (const auto file = files_.find(path); file != files_.end() && file->second->package_is_same) return "";
    return platform_.new_packages.list()[owner].name;
  }

  // What was found in the file, each deed with `joint` in front: " and which fetches and runs a program"; "" when nothing was.
  std::string deeds_of(const std::string& path, std::string_view joint) const {
    const auto known = findings_.find(path);
    if (known == findings_.end()) return "";
    std::vector<std::string_view> deeds;
    for (const Finding* finding : known->second) {
      const std::string_view deed = deed_of(finding->category);
      if (!deed.empty() && std::find(deeds.begin(), deeds.end(), deed) == deeds.end()) deeds.push_back(deed);
    }
    if (deeds.empty()) return fmt::format(", with the finding \"{}\"", known->second.front()->title);
    std::string text;
    for (std::size_t i = 0; i < deeds.size() && i < 2; ++i) text += fmt::format("{}{}", joint, deeds[i]);
    return text;
  }

  // ", which no package owns and which fetches and runs a program"
  std::string description_of(const std::string& path, const std::string& owner) const {
    return (owner.empty() ? ", which no package owns" : fmt::format(", of the package {}", owner)) + deeds_of(path, " and which ");
  }

  // Where the file stands that this word of a command names, links followed; "" when it names none.
  std::string file_named(const std::string& word) const {
    const auto found = find_program(platform_.new_root, platform_.new_manifest.config, word);
    return found ? found->record.path : "";
  }

  void entrypoint() {
    const format::ImageConfig& before = platform_.old_manifest.config;
    const format::ImageConfig& after = platform_.new_manifest.config;
    const std::vector<std::string> then = command_of(before), now = command_of(after);
    if (now.empty()) return;
    if (then == now) return same_command(now);

    // What stands in front of the old command, or of the old entrypoint alone.
    std::vector<std::string> front;
    bool is_wrapped = false;
    const auto ends_with = [](const std::vector<std::string>& whole, const std::vector<std::string>& end) {
      return !end.empty() && whole.size() > end.size() && std::equal(end.rbegin(), end.rend(), whole.rbegin());
    };
    if (ends_with(now, then)) {
      front.assign(now.begin(), now.end() - static_cast<std::ptrdiff_t>(then.size()));
      is_wrapped = true;
    } else if (ends_with(after.entrypoint, before.entrypoint)) {
      front.assign(after.entrypoint.begin(), after.entrypoint.end() - static_cast<std::ptrdiff_t>(before.entrypoint.size()));
      is_wrapped = true;
    } else if (!then.empty() && before.entrypoint != after.entrypoint) {
      front = after.entrypoint.empty() ? std::vector<std::string>{now.front()} : after.entrypoint;
      // The old program is started by the new one.
      const auto program = find_program(platform_.new_root, after, now.front());
      const auto text = program ? platform_.new_root.kept_text(program->record.path) : std::nullopt;
      is_wrapped = text && now.front() != then.front() && text->find(then.front()) != std::string_view::npos;
    } else if (!then.empty() && now.front() != then.front()) {
      front = {now.front()};
    }
    if (front.empty()) {
      if (then.empty()) return;
      return add(Severity::low, "entrypoint-other", fmt::format("the image now runs \"{}\" in place of \"{}\"", shown(now), shown(then)));
    }

    // The most telling file of what is new: one that no package owns.
    std::string path, owner = "?";
    for (const std::string& word : front) {
      const std::string file = file_named(word);
      if (file.empty()) continue;
      const std::string owned_by = owner_of(file);
      if (path.empty() || (owned_by.empty() && !owner.empty())) {
        path = file;
        owner = owned_by;
      }
    }
    const bool has_inline_script = std::find(front.begin(), front.end(), "-c") != front.end() && is_shell(name_of_path(front.front()));
    const std::string_view how = is_wrapped ? " first" : " in place of " ;
    const std::string rest = is_wrapped ? "" : fmt::format("\"{}\"", shown(then));
    if (path.empty()) {
      return add(is_wrapped ? Severity::high : Severity::medium, is_wrapped ? "entrypoint-wrapped" : "entrypoint-replaced",
                 fmt::format("the image now starts \"{}\"{}{}, which is not in the image", front.front(), how, rest));
    }
    if (has_inline_script && !owner.empty()) {
      return add(is_wrapped ? Severity::high : Severity::medium, is_wrapped ? "entrypoint-wrapped" : "entrypoint-replaced",
                 fmt::format("the image now runs the shell command \"{}\"{}{}", shown(front), how, rest), path);
    }
    const auto changed = files_.find(path);
    const bool is_new = changed != files_.end();
    Severity severity = Severity::low;
    if (owner.empty()) {
      severity = is_wrapped ? Severity::high : is_new ? Severity::medium : Severity::low;
    } else if (!is_known_starter(name_of_path(path)) && is_wrapped) {
      severity = Severity::medium;
    }
    add(severity, is_wrapped ? "entrypoint-wrapped" : "entrypoint-replaced",
        fmt::format("the {} now starts {}{}{}{}", after.entrypoint.empty() ? "command" : "entrypoint", path, how, rest, description_of(path, owner)), path);
  }

  // The command is the same; is what it names?
  void same_command(const std::vector<std::string>& command) {
    for (const std::string& word : command) {
      const auto then = find_program(platform_.old_root, platform_.old_manifest.config, word);
      const auto now = find_program(platform_.new_root, platform_.new_manifest.config, word);
      if (!now || !then) continue;
      const std::string& path = now->record.path;
      if (then->record.path != path) {
        const std::string owner = owner_of(path);
        if (path.starts_with("/etc/alternatives")) continue;
        add(owner.empty() ? Severity::high : Severity::low, "command-shadowed",
            fmt::format("\"{}\", which the image starts, is now {} and was {}{}", word, path, then->record.path, description_of(path, owner)), path);
        continue;
      }
      const auto change = files_.find(path);
      if (change == files_.end() || change->second->change != Change::changed) continue;
      const bool was_script = then->record.file_type.kind == format::FileKind::script, is_script = now->record.file_type.kind == format::FileKind::script;
      const std::string moved = moved_to(then->record);
      const std::string owner = owner_of(path);
      if (!moved.empty()) {
        add(owner.empty() ? Severity::high : Severity::medium, "program-replaced",
            fmt::format("{}, which the image starts, is another program{}, and the old one now stands at {}", path, description_of(path, owner), moved), path);
      } else if (was_script != is_script) {
        add(owner.empty() ? Severity::high : Severity::medium, "program-replaced",
            fmt::format("{}, which the image starts, was {} and is now {}{}", path, was_script ? "a script" : "a program", is_script ? "a script" : "a program",
                        description_of(path, owner)),
            path);
      } else if (owner.empty() && std::find(change->second->aspects.begin(), change->second->aspects.end(), "content") != change->second->aspects.end()) {
        add(Severity::low, "entrypoint-other", fmt::format("{}, which the image starts, has another content{}", path, description_of(path, owner)), path);
      }
    }
  }

  // A new path with the content of `old`; "" when there is none.
  std::string moved_to(const Entry& old) const {
    if (old.content == ContentDigest{}) return "";
    for (const auto& [path, change] : files_) {
      if (change->change != Change::added || change->new_size != old.size) continue;
      const auto found = platform_.new_root.find_exact(path);
      if (found && found->record.content == old.content) return path;
    }
    return "";
  }

  void files() {
    std::vector<const FileChange*> programs;
    for (const FileChange& file : platform_.diff.files) {
      if (file.change != Change::removed && (file.path == "/etc/ld.so.preload" || file.path.ends_with("/.ssh/authorized_keys"))) {
        add(Severity::high, "preload",
            file.path == "/etc/ld.so.preload" ? "/etc/ld.so.preload now makes every program load a library" : fmt::format("{} now lets somebody log in", file.path), file.path);
        continue;
      }
      if (file.package_is_same) {
        package_is_same(file);
        continue;
      }
      if (!file.package.empty() || !file.is_program || file.change != Change::added) continue;
      if ((file.mode & 06000) != 0) {
        add(Severity::high, "setuid", fmt::format("{} is new, belongs to no package and runs with the rights of its owner", file.path), file.path);
      } else if (is_hiding_place(file.path)) {
        add(Severity::high, "program-hidden", fmt::format("the new program {} belongs to no package and stands where no program belongs", file.path), file.path);
      } else {
        programs.push_back(&file);
      }
    }
    if (programs.empty()) return;
    // One or two programs in an image in which hardly anything else is different did not come with an update.
    std::size_t others = 0;
    for (const FileChange& file : platform_.diff.files) others += file.is_program && file.change == Change::added ? 0 : 1;
    const bool is_alone = programs.size() <= 3 && others <= 5 && platform_.diff.packages.empty();
    const FileChange* worst = programs.front();
    for (const FileChange* file : programs) {
      if (is_system_place(file->path) && !is_system_place(worst->path)) worst = file;
      if (findings_.contains(file->path) && !findings_.contains(worst->path)) worst = file;
    }
    const std::string more = programs.size() == 1 ? "" : fmt::format(" ({} such programs in all)", programs.size());
    const Severity severity = is_alone ? Severity::high : is_system_place(worst->path) ? Severity::medium : Severity::low;
    add(severity, "program-added",
        fmt::format("the new program {} belongs to no package{}{}{}", worst->path, deeds_of(worst->path, " and "),
                    is_alone ? ", and hardly anything else is different" : "", more),
        worst->path);
  }

  void package_is_same(const FileChange& file) {
    const bool matters = file.is_program || file.path.find("/lib/security/") != std::string::npos || file.path.find(".so") != std::string::npos;
    if (file.change == Change::changed && matters &&
        std::find(file.aspects.begin(), file.aspects.end(), "content") != file.aspects.end()) {
      add(Severity::high, "package-file-changed", fmt::format("{} is different, although its package {} has the same version", file.path, file.package), file.path);
    } else if (file.change == Change::added && file.is_program) {
      add(Severity::high, "package-claims", fmt::format("the package {} has the same version, but claims a program that it did not have: {}", file.package, file.path), file.path);
    }
  }

  void config() {
    const format::ImageConfig& before = platform_.old_manifest.config;
    const format::ImageConfig& after = platform_.new_manifest.config;
    const auto is_root = [](const std::string& user) {
      const std::string name = user.substr(0, user.find(':'));
      return name.empty() || name == "0" || name == "root";
    };
    if (!is_root(before.user) && is_root(after.user)) add(Severity::medium, "user-root", fmt::format("the image now runs as root and ran as {}", before.user));
    for (const ConfigChange& change : platform_.diff.config) {
      if (change.new_value.empty()) continue;
      if (change.field == "Healthcheck") {
        add(change.old_value.empty() ? Severity::medium : Severity::low, "healthcheck", fmt::format("the image now runs {} again and again, as its health check", shown(after.healthcheck)));
      }
      if (change.field.starts_with("Env.") && is_loader_variable(std::string_view(change.field).substr(4))) {
        // The value may name files: one of them that is new and belongs to nobody makes it plain.
        bool names_new_file = false;
        for (const auto& [path, file] : files_) {
          if (file->package.empty() && file->change != Change::removed && change.new_value.find(path) != std::string::npos) names_new_file = true;
        }
        add(names_new_file ? Severity::high : Severity::medium, "loader-variable",
            fmt::format("{} is now {}, which programs load or run before anything else", change.field.substr(4), change.new_value.substr(0, 120)));
      }
      if (change.field.starts_with("Volumes.") && change.field.find("docker.sock") != std::string::npos) {
        add(Severity::high, "container-tool", "the image now asks for the socket of the container engine as a volume");
      }
    }
  }

  void abilities() {
    std::map<std::string, std::vector<const AbilityChange*>> by_kind;
    for (const AbilityChange& change : platform_.diff.abilities) {
      if (change.change == Change::added) by_kind[change.ability.kind].push_back(&change);
    }
    for (const auto& [kind, changes] : by_kind) {
      // The one that no package brought says most.
      const AbilityChange* worst = changes.front();
      for (const AbilityChange* change : changes) {
        if (change->package.empty() && !worst->package.empty()) worst = change;
      }
      const bool is_owned = !worst->package.empty();
      Severity severity = Severity::low;
      if (kind == "setuid" || kind == "setgid" || kind == "file-capability") severity = is_owned ? Severity::low : Severity::high;
      if (kind == "kernel-module" || kind == "container-tool") severity = is_owned ? Severity::low : Severity::medium;
      if (kind == "starts-by-itself") {
        if (is_owned) continue;
        severity = Severity::medium;
      }
      if (kind == "compiler" || kind == "debugger" || kind == "network-tool") {
        if (is_owned && kind != "network-tool") continue;
        severity = Severity::low;
      }
      const std::string code = kind == "setgid" ? "setuid" : kind == "compiler" || kind == "debugger" ? "network-tool" : kind;
      const std::string more = changes.size() == 1 ? "" : fmt::format(" ({} such files in all)", changes.size());
      add(severity, code,
          fmt::format("{} is new{}: it {}{}", worst->ability.path, is_owned ? fmt::format(" with the package {}", worst->package) : std::string(" and belongs to no package"),
                      explain_ability(kind), more),
          worst->ability.path);
    }
  }

  const ComparedPlatform& platform_;
  std::map<std::string, const FileChange*> files_;
  std::map<std::string, std::vector<const Finding*>> findings_;
  std::vector<Risk> risks_;
};

}  // namespace

std::vector<Risk> risks_of(const ComparedPlatform& platform) { return Judge(platform).judge(); }

std::vector<Risk> risks_of(const std::vector<FindingChange>& findings) {
  std::vector<Risk> risks;
  for (const FindingChange& change : findings) {
    const int weight = change.finding.weight;
    if (change.change == Change::removed || weight <= 0) continue;
    const Severity severity = weight >= 80 ? Severity::critical : weight >= 45 ? Severity::high : weight >= 20 ? Severity::medium : Severity::low;
    const std::string& path = change.finding.location.path;
    risks.push_back({severity, "finding",
                     fmt::format("{} finding{}: {}", change.change == Change::added ? "new" : "changed", path.empty() ? "" : " in " + path, change.finding.title), path, {}});
  }
  return risks;
}

unsigned rank_of_risk(std::string_view code) { return static_cast<unsigned>(std::find(codes.begin(), codes.end(), code) - codes.begin()); }

}  // namespace lazaret::audit
