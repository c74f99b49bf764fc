// Shell scripts as lists of simple commands: POSIX sh (IEEE 1003.1, chapter 2) and what bash adds that scripts use.
//
// This is no interpreter. It takes quoting, splitting and nesting away, so that 'cu''rl', $'\x63url', c${x}url and curl are the same word, and says which
// command feeds which. Every branch of a script is listed; nothing is run. It never fails: what makes no sense is skipped, what is too deep or too
// long sets `cut`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::format {

struct ShellWord {
  std::string text;         // without quotes; unknown parts ($1, command output) are left out
  bool is_static = true;    // false: a part is only known when the script runs
  bool quoted = false;      // any part was quoted
};

struct ShellRedirection {
  int fd = -1;              // as written; -1 when the default of the operator
  std::string operation;    // ">", ">>", "<", ">&", "<&", "<>", ">|", "&>", "&>>", "<<", "<<<"
  ShellWord target;         // file, descriptor or, for << and <<<, the text itself
};

// How a command stands inside another.
enum class ShellNesting : std::uint8_t {
  none,
  substitution,   // $(...) or `...`: its output becomes words of the outer command
  process,        // <(...) or >(...): its output is a file for the outer command
  evaluation,     // the static argument of eval, sh -c, bash -c, su -c, ssh, xargs sh -c, ...
};

struct ShellCommand {
  std::vector<ShellWord> words;  // [0] is the program; empty for a mere assignment
  std::vector<std::pair<std::string, ShellWord>> assignments;
  std::vector<ShellRedirection> redirections;
  std::size_t pipeline = 0;      // commands with the same number are joined by | in the order of the list
  ShellNesting nesting = ShellNesting::none;
  std::size_t outer = 0;         // index of the outer command; meaningful unless nesting is none
  std::vector<std::string> chain;  // from the outside inwards: "sh -c", "$()", "eval"
  std::uint64_t offset = 0;      // of the first word in the text given to parse_shell (of the outer command, for evaluated text)
  std::uint64_t end = 0;         // behind the last character

  // The program's name without its folder, "" when there is none or it is not static.
  std::string_view program() const;
  // All words joined by blanks.
  std::string text() const;
};

struct ShellScript {
  std::vector<ShellCommand> commands;  // in the order of the text; inner commands before the outer one they feed
  bool cut = false;
};

ShellScript parse_shell(std::string_view text);

// The same for an argument vector, such as an image's Entrypoint and Cmd.
ShellScript parse_arguments(const std::vector<std::string>& arguments);

// `arguments` as one line that parse_shell reads back as the same words.
std::string quote_arguments(const std::vector<std::string>& arguments);

// The command at `index` with programs that only start another one taken off (sudo, env, nohup, setsid, timeout 5, exec, busybox, command, time, nice): the
// index of the word that names the program which really runs; words.size() when there is none.
std::size_t program_word(const ShellCommand& command);

// What the command prints, when that is static: echo, printf, cat of a here-document, and pipes of those through base64 -d, xxd -r -p, rev and tr.
// `last`: index of the pipeline's command whose output is wanted. Nothing is returned as "" with *known = false.
std::string static_output(const ShellScript& script, std::size_t last, bool* known);

// True for sh, bash, python, perl, ... : programs that run what they read.
bool is_interpreter(std::string_view program);
bool is_shell(std::string_view program);

}  // namespace lazaret::format
