// Shell scripts as lists of simple commands: POSIX sh (IEEE 1003.1, chapter 2) and what bash adds
// that scripts use.
//
// This is no interpreter. It takes quoting, splitting and nesting away, so that 'cu''rl',
// $'\x63url', c${x}url, /???/b?n/curl and curl are the same word, and says which command feeds
// which. Every branch of a script is listed; nothing is run, and no loop is unrolled. Text that a
// command would evaluate (eval, sh -c, a static pipe into a shell) is parsed in turn.
//
// The input is hostile: parsing never fails and takes time and memory linear in the text, since
// what expansions may produce is limited. What makes no sense is skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::format {

struct ShellWord {
  std::string text;          // without quotes; unknown parts ($1, command output) are left out
  bool is_static = true;     // false: a part is only known when the script runs
  bool quoted = false;       // any part was quoted
  bool glob = false;         // has an unquoted *, ? or [
  std::uint32_t origin = 0;  // where its value comes from: index in ShellScript::origins
  std::uint64_t offset = 0;  // of its first character, like ShellCommand::offset
};

// A step that a value took before it became part of a word: "config.Env.P", "/opt/data", "base64".
struct ShellOrigin {
  std::string step;
  std::uint32_t previous = 0;  // the step before; 0: there is none
};

struct ShellRedirection {
  int fd = -1;            // as written; -1 when the default of the operator
  std::string operation;  // ">", ">>", "<", ">&", "<&", "<>", ">|", "&>", "&>>", "<<", "<<<"
  ShellWord target;       // file, descriptor or, for << and <<<, the text itself
};

// How a command stands inside another.
enum class ShellNesting : std::uint8_t {
  none,
  substitution,  // $(...) or `...`: its output becomes words of the outer command
  process,       // <(...) or >(...): its output is a file for the outer command
  evaluation,    // the text that eval, sh -c, bash -c, su -c, trap, ... or a shell at the end of a
               // pipe runs
};

// The operator in front of a command that begins a pipeline.
enum class ShellConnector : std::uint8_t { sequence, and_if, or_if, background };

struct ShellCommand {
  static constexpr std::size_t no_command = static_cast<std::size_t>(-1);

  std::vector<ShellWord> words;  // [0] is the program; empty for a mere assignment or redirection
  std::vector<std::pair<std::string, ShellWord>> assignments;
  // Its own and those of groups around it: { a; b; } > f gives both a and b "> f".
  std::vector<ShellRedirection> redirections;
  // Commands with the same number are joined by | or |&. A group's commands belong to the pipeline
  // that the group is part of: { a; b; } | c.
  std::size_t pipeline = 0;
  std::size_t stage = 0;  // in the pipeline; commands of one stage share input and output
  std::size_t previous = no_command;  // index of the command before it in the same pipeline
  ShellConnector connector = ShellConnector::sequence;
  ShellNesting nesting = ShellNesting::none;
  std::size_t outer = 0;           // index of the outer command; meaningful unless nesting is none
  std::vector<std::string> chain;  // from the outside inwards: "sh -c", "$()", "eval"
  // Of the first word in the text given to parse_shell. Evaluated text that does not stand there as
  // it is has the offset of the outer command.
  std::uint64_t offset = 0;
  std::uint64_t end = 0;   // behind the last character
  std::uint32_t line = 1;  // of `offset`, counted from 1

  // The program's name without its folder, "" when there is none or it is not static.
  std::string_view program() const;
  // All words joined by blanks.
  std::string text() const;
};

struct ShellScript {
  // In the order of the text; inner commands before the outer one they feed.
  std::vector<ShellCommand> commands;
  // Entry 0 stands for the script's own text.
  std::vector<ShellOrigin> origins;
  // Files that the script writes, as far as their content is known: what lies at the path when the
  // script ends.
  std::vector<std::pair<std::string, ShellWord>> files;
  // A limit was reached: nested too deep, too many commands, or expansions that grow without end.
  bool cut = false;
  // A value was replaced in a branch that need not be taken: see ShellEnvironment::keep_values.
  bool branches = false;
};

// Decompresses for static_output: `program` is "gzip", "xz", "bzip2" or "zstd". Nothing when the
// data is none of it. This folder has no decompressor of its own.
using ShellDecompress =
    std::function<std::optional<std::string>(std::string_view program, std::string_view data)>;

ShellScript parse_shell(std::string_view text, const ShellDecompress& decompress = nullptr);

// A value from outside of a script, with the steps that it took to get there.
struct ShellValue {
  std::string text;
  bool is_static = true;
  std::vector<std::string> origin;
};

// What holds at the moment when a command runs. Valid during the call of on_command only.
class ShellMoment {
 public:
  virtual ~ShellMoment() = default;
  // Variables that the command's own process gets (exported and assigned in front of it), or, with
  // `all`, what a sourced file sees.
  virtual std::vector<std::pair<std::string, ShellValue>> variables(const ShellCommand& command,
                                                                    bool all) const = 0;
  // One of them; "" when it is not set or not known.
  virtual std::string variable(std::string_view name) const = 0;
  virtual ShellValue value_of(const ShellWord& word) const = 0;
  // The working directory, as far as it is known.
  virtual const std::string& folder() const = 0;
  // $1 ... as the script has them now; nothing when they are not known.
  virtual std::optional<std::vector<ShellValue>> arguments() const = 0;
};

// The surroundings of a script, for readers that know them: variables, arguments, other files.
struct ShellEnvironment {
  std::vector<std::pair<std::string, ShellValue>> variables;  // exported
  std::optional<std::vector<ShellValue>> arguments;  // $1 ...
  std::string name;                                  // $0
  std::string folder = "/";
  // The content of a file by its absolute path; nothing when it is not known.
  std::function<std::optional<std::string>(std::string_view path)> read_file;
  ShellDecompress decompress;
  // Called for each command, in the order in which they are read.
  std::function<void(const ShellCommand& command, const ShellMoment& moment)> on_command;
  // Values that are known are not replaced in branches that need not be taken: the script as it
  // runs when its conditions do not hold.
  bool keep_values = false;
  // Bytes that expansions and evaluations may produce; what was used is taken off. Null: by the
  // size of the text.
  std::uint64_t* work = nullptr;
};
ShellScript parse_shell(std::string_view text, const ShellEnvironment& environment);

// An absolute path without ".", ".." and doubled slashes; `folder` is where a relative one begins.
std::string absolute_path(std::string_view folder, std::string_view path);

// The steps of an origin, first to last.
std::vector<std::string> origin_steps(const ShellScript& script, std::uint32_t origin);

// The same for an argument vector, such as an image's Entrypoint and Cmd: nothing is expanded but
// what a shell among the arguments is told to run.
ShellScript parse_arguments(const std::vector<std::string>& arguments);

// `arguments` as one line that parse_shell reads back as the same words.
std::string quote_arguments(const std::vector<std::string>& arguments);

// The command with programs that only start another one taken off (sudo, env, nohup, setsid,
// timeout 5, exec, busybox, command, time, nice): the index of the word that names the program
// which really runs; words.size() when there is none.
std::size_t program_word(const ShellCommand& command);

// What the command prints, when that is static: echo, printf, cat of a here-document, and pipes of
// those through base64 -d, xxd -r -p, rev, tr, cut, head, tail and, with `decompress`, gzip -d and
// the like. `last`: index of the pipeline's command whose output is wanted, together with the
// commands of the same stage before it. "" with *known = false when it is not static.
std::string static_output(const ShellScript& script, std::size_t last, bool* known,
                          const ShellDecompress& decompress = nullptr);

// True for sh, bash, python, perl, ... : programs that run what they read.
bool is_interpreter(std::string_view program);
bool is_shell(std::string_view program);

}  // namespace lazaret::format
