// What is known of programs by their names: which run what they read, and which only start another.
#include <algorithm>
#include <array>

#include "format/shell_parser.h"

namespace lazaret::format {
namespace {

// A program that starts the command that follows its own arguments.
struct Starter {
  std::string_view name;
  std::string_view valued;  // short options that take a word
  unsigned arguments = 0;   // words of its own before the command
};
constexpr std::array<Starter, 47> starters = {{{"sudo", "ugpCTrtUDRh", 0},
                                               {"doas", "uC", 0},
                                               {"env", "uC", 0},
                                               {"nohup", "", 0},
                                               {"setsid", "", 0},
                                               {"exec", "a", 0},
                                               {"busybox", "", 0},
                                               {"toybox", "", 0},
                                               {"command", "", 0},
                                               {"builtin", "", 0},
                                               {"nice", "n", 0},
                                               {"ionice", "cnpPu", 0},
                                               {"stdbuf", "ioe", 0},
                                               {"time", "fo", 0},
                                               {"timeout", "ks", 1},
                                               {"tini", "pe", 0},
                                               {"tini-static", "pe", 0},
                                               {"dumb-init", "r", 0},
                                               {"catatonit", "", 0},
                                               {"gosu", "", 1},
                                               {"su-exec", "", 1},
                                               {"setuidgid", "", 1},
                                               {"s6-setuidgid", "", 1},
                                               {"chpst", "ueb/nmocf", 0},
                                               {"chrt", "TPD", 1},
                                               {"taskset", "", 1},
                                               {"cpulimit", "lepP", 0},
                                               {"numactl", "", 0},
                                               {"setpriv", "", 0},
                                               {"unbuffer", "", 0},
                                               {"catchsegv", "", 0},
                                               {"torsocks", "", 0},
                                               {"torify", "", 0},
                                               {"proxychains", "f", 0},
                                               {"proxychains4", "f", 0},
                                               {"fakeroot", "lsb", 0},
                                               {"eatmydata", "", 0},
                                               {"linux32", "", 0},
                                               {"linux64", "", 0},
                                               {"setarch", "", 1},
                                               {"prlimit", "", 0},
                                               {"strace", "eopsuEa", 0},
                                               {"ltrace", "eopsun", 0},
                                               {"xvfb-run", "nsefp", 0},
                                               {"dbus-run-session", "", 0},
                                               {"daemonize", "acelopuE", 0},
                                               {"nocache", "", 0}}};

// Programs that attacks write as patterns, in the order in which a pattern is tried on them.
constexpr std::array<std::string_view, 46> programs = {
    "sh",     "bash",    "curl",    "wget",   "nc",     "cat",   "base64",  "python3",
    "python", "perl",    "php",     "ruby",   "node",   "ncat",  "netcat",  "socat",
    "dash",   "zsh",     "busybox", "chmod",  "rm",     "cp",    "mv",      "ls",
    "echo",   "printf",  "env",     "telnet", "mkfifo", "mknod", "openssl", "xxd",
    "tail",   "head",    "gzip",    "gunzip", "nohup",  "sudo",  "su",      "chroot",
    "mount",  "crontab", "chattr",  "awk",    "sed",    "whoami"};
constexpr std::array<std::string_view, 6> folders = {"/bin/",  "/usr/bin/",  "/usr/local/bin/",
                                                     "/sbin/", "/usr/sbin/", "/usr/local/sbin/"};

bool is_assignment(std::string_view word) {
  const auto equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 && shell::is_name_start(word[0]) &&
         std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals),
                     shell::is_name);
}

// A cluster of short options whose last one takes the next word: -u in `sudo -nu root`.
bool takes_word(std::string_view option, std::string_view valued) {
  if (option.starts_with("--"))
    return option == "--user" || option == "--group" || option == "--signal" ||
           option == "--kill-after" || option == "--adjustment" || option == "--chdir";
  const auto found = option.find_first_of(valued, 1);
  return found != std::string_view::npos && found + 1 == option.size();
}

}  // namespace

namespace shell {

std::string_view program_of_pattern(std::string_view pattern) {
  if (pattern.size() > 128) return {};
  const auto slash = pattern.rfind('/') + 1;
  const std::string_view folder = pattern.substr(0, slash), name = pattern.substr(slash);
  if (name.find_first_not_of('*') == std::string_view::npos) return {};
  const bool fits_folder =
      std::any_of(folders.begin(), folders.end(),
                  [&](std::string_view candidate) { return pattern_fits(folder, candidate); });
  if (!fits_folder) return {};
  for (const std::string_view program : programs) {
    if (pattern_fits(name, program)) return program;
  }
  return {};
}

}  // namespace shell

std::string_view ShellCommand::program() const {
  return words.empty() || !words[0].is_static ? std::string_view()
                                              : shell::base_name(words[0].text);
}

std::string ShellCommand::text() const {
  std::string text;
  for (const ShellWord& word : words) {
    if (&word != &words.front()) text += ' ';
    text += word.text;
  }
  return text;
}

bool is_shell(std::string_view program) {
  for (const std::string_view name : {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash",
                                      "ksh93", "lksh", "yash", "hush"}) {
    if (program == name) return true;
  }
  return false;
}

bool is_interpreter(std::string_view program) {
  if (is_shell(program)) return true;
  while (!program.empty() && (shell::is_digit(program.back()) || program.back() == '.'))
    program.remove_suffix(1);
  for (const std::string_view name : {"python", "perl", "ruby", "php", "node", "nodejs", "lua",
                                      "luajit", "pypy", "tclsh", "deno", "bun", "jrunscript", "jjs",
                                      "jshell", "julia", "groovy", "expect", "pwsh", "Rscript"}) {
    if (program == name) return true;
  }
  return false;
}

std::size_t program_word(const ShellCommand& command) {
  const auto& words = command.words;
  std::size_t at = 0;
  while (at < words.size()) {
    const std::string_view program = shell::base_name(words[at].text);
    const auto starter =
        std::find_if(starters.begin(), starters.end(),
                     [&](const Starter& candidate) { return candidate.name == program; });
    if (starter == starters.end()) return at;
    const std::size_t own = at++;
    for (; at < words.size(); ++at) {
      const std::string_view word = words[at].text;
      if (word == "--") {
        ++at;
        break;
      }
      if (is_assignment(word) && (program == "env" || program == "sudo" || program == "doas"))
        continue;
      if (word == "-" && program == "env") continue;
      if (word.size() < 2 || word[0] != '-') break;
      // These do not start a command, but tell of it, or run text.
      if (program == "command" && (word == "-v" || word == "-V")) return own;
      if (program == "env" && (word.starts_with("-S") || word.starts_with("--split-string")))
        return own;
      if (takes_word(word, starter->valued)) ++at;
    }
    at += starter->arguments;
  }
  return words.size();
}

}  // namespace lazaret::format
