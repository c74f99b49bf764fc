// The parser behind parse_shell(), shared by shell_parser.cc (lists and commands), shell_word.cc
// (words and expansions) and shell_evaluation.cc (text that commands run).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/shell.h"

namespace lazaret::format::shell {

inline constexpr unsigned depth_limit = 40;
inline constexpr std::size_t chain_limit = 16;
inline constexpr std::size_t iteration_limit = 1024;  // readings of one loop's body
inline constexpr std::size_t command_limit = 1 << 17, value_limit = 1 << 20, variable_limit = 4096;
inline constexpr std::uint64_t work_floor = 4 << 20, work_factor = 4;
inline constexpr std::uint64_t started_work_floor = 16 << 20;  // for the few scripts that an image starts

inline bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
inline bool is_name(char c) {
  return is_name_start(c) || is_digit(c);
}
inline bool ends_word(char c) {
  return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' ||
         c == '(' || c == ')';
}
inline std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Escapes as $'...', `echo -e` and printf know them.
enum class EscapeStyle { ansi, echo, format };
// text[at] is a backslash; appends what it stands for and steps over it.
void append_escape(std::string_view text, std::size_t& at, EscapeStyle style, std::string& out);
std::string with_escapes(std::string_view text, EscapeStyle style);

// fnmatch() without its traps: *, ?, [...], backslash. At most text.size() * pattern.size() steps.
bool pattern_fits(std::string_view pattern, std::string_view text);

// The value of an arithmetic expression of numbers; names were expanded before. Nothing when it is
// no such expression, divides by zero or overflows.
std::optional<std::int64_t> arithmetic(std::string_view expression);

// Where values come from, as lists that share their beginnings.
class Origins {
 public:
  Origins() : steps_(1) {}
  std::uint32_t add(std::uint32_t previous, std::string_view step);
  std::uint32_t add(const std::vector<std::string>& steps);
  // Of a value made of two.
  std::uint32_t join(std::uint32_t a, std::uint32_t b);
  std::vector<std::string> steps(std::uint32_t origin) const;
  std::vector<ShellOrigin> take() { return std::move(steps_); }

 private:
  bool contains(std::uint32_t origin, std::uint32_t other) const;
  std::vector<ShellOrigin> steps_;
};

struct Output {
  std::string text;    // unknown parts are left out
  bool known = false;  // all of it
  std::uint32_t origin = 0;
};
// What a pipeline may need to know beyond its commands.
struct OutputContext {
  const ShellDecompress* decompress = nullptr;
  Origins* origins = nullptr;
  // The content of a file by the path that a command names.
  std::function<std::optional<Output>(std::string_view path)> read_file;
  const std::string* folder = nullptr;  // the working directory
};
// What the pipeline prints up to `last`, paid for out of `work`; sets `cut` when that is not
// enough. `captured`: what the last command writes to a file counts as printed.
Output pipeline_output(const ShellScript& script, std::size_t last, const OutputContext& context,
                       std::uint64_t& work, bool& cut, bool captured = false);

// What printf prints for these arguments; nothing when it has conversions that are not known here.
std::optional<std::string> formatted(const std::vector<std::string_view>& arguments);

// The number that `text` begins with; most when it is larger, nothing when there is none.
std::optional<std::size_t> leading_number(std::string_view text, std::size_t most);

// True when the redirection changes what the command reads.
bool feeds_input(const ShellRedirection& redirection);

// Where a program's path is a pattern (/???/b?n/c?rl): the first well-known program that it fits,
// "" when none does.
std::string_view program_of_pattern(std::string_view pattern);

struct Variable {
  std::vector<ShellWord> items;  // one unless it is an array
  bool is_array = false;
  bool exported = false;
};

// The body of a function, read again for each call with the arguments of that call.
struct Function {
  std::string body;
  std::uint64_t base = 0;
  bool fixed = false;
};

// What every level of nesting shares.
struct State {
  ShellScript script;
  Origins origins;
  std::map<std::string, Variable, std::less<>> variables;
  std::map<std::string, Function, std::less<>> functions;
  std::map<std::string, ShellWord, std::less<>> files;  // written by the script
  const ShellEnvironment* environment = nullptr;
  std::string folder = "/";
  unsigned calls = 0;           // of functions, one in the other
  unsigned sourced = 0;         // files that are being read for their effect only
  std::uint32_t file_origin = 0;  // of values that a sourced file sets
  unsigned conditional = 0;     // branches that need not be taken
  bool export_all = false;
  std::optional<std::vector<ShellWord>> positional;  // $1 ...; known behind `set --` and in sh -c
  std::optional<ShellWord> self;                     // $0 of sh -c
  std::size_t pipelines = 0;
  std::uint64_t work = 0;  // bytes that expansions and evaluations may still produce
  bool stopped = false;    // no more commands fit
  const ShellDecompress* decompress = nullptr;

  // False when so much must not be produced any more.
  bool spend(std::uint64_t bytes);
  bool spend_on(const std::vector<ShellWord>& words);  // a copy of them
  // The environment's file, or one that the script wrote, by the path as a command names it.
  std::optional<Output> read_file(std::string_view path);
  Output output(std::size_t last, bool captured = false);
  void write_file(std::string_view path, Output content, bool append);
  void prepare();  // takes what the environment gives
  void set(std::string_view name, Variable variable);
  void set(std::string_view name, ShellWord value) {
    set(name, Variable{{std::move(value)}, false});
  }
  std::string_view separators() const;  // of field splitting: $IFS
};

// Builds words out of literal, quoted and expanded parts, splitting as the shell does.
class Fields {
 public:
  Fields(State& state, bool split, std::uint64_t offset)
      : state_(state), split_(split), offset_(offset) {
    current_.offset = offset;
  }
  void literal(char c);
  void quoted(std::string_view text);
  void expansion(std::string_view value, bool is_static, bool in_quotes, std::uint32_t origin = 0);
  void unknown();
  void next();                          // the field ends, if one has begun
  void move_to(std::uint64_t offset) {  // where the next word begins
    offset_ = offset;
    if (!started_) current_.offset = offset;
  }
  bool splits() const { return split_; }
  // For brace lists: the word as far as it was read, and a word that begins like it.
  bool in_word() const { return started_; }
  const ShellWord& peek_word() const { return current_; }
  void begin_with(const ShellWord& word) {
    current_ = word;
    started_ = true;
  }
  std::vector<ShellWord> take();
  // For Fields that do not split.
  ShellWord take_word() { return std::move(current_); }

 private:
  void append(std::string_view value);

  State& state_;
  const bool split_;
  std::uint64_t offset_;
  std::vector<ShellWord> done_;
  ShellWord current_;
  bool started_ = false;
};

class Parser {
 public:
  // `base`: offset of `text` in the whole; `fixed`: the text does not stand there as it is, so that
  // every position in it is `base`.
  Parser(State& state, std::string_view text, unsigned depth, std::uint64_t base, bool fixed,
         std::vector<std::string> chain)
      : state_(state),
        text_(text),
        depth_(depth),
        base_(base),
        fixed_(fixed),
        chain_(std::move(chain)) {}

  void parse() { list(Closer::none); }

 private:
  using Inner = std::vector<std::size_t>;  // commands of substitutions in a command's words
  enum class Closer { none, parenthesis, brace, fi, done, case_item };

  // --- characters
  bool at_end() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool looking_at(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  bool looking_at_word(std::string_view what) const;
  std::uint64_t position(std::size_t at) const { return fixed_ ? base_ : base_ + at; }
  void skip_blanks();
  void skip_line_end();
  void skip_lines();
  bool too_deep() const { return depth_ + nesting_ >= depth_limit; }

  // --- lists and commands
  void list(Closer closer);
  bool closes(Closer closer);
  bool skip_keyword();
  void pipeline(ShellConnector connector);
  // True when a group was read, whose commands are those behind the ones that were there before.
  bool command(ShellConnector connector);
  bool compound();
  void body(Closer closer);
  void loop();
  void loop_head(std::string& variable, std::vector<ShellWord>& values);
  void case_items();
  bool arithmetic_command();
  void join(std::size_t first);
  void give_redirections(std::size_t first);
  // False when what was read is the head of a function, whose body follows.
  bool simple(ShellConnector connector);
  void condition(Fields& words, Inner& inner);
  bool assignment(ShellCommand& command, Inner& inner);
  bool redirection(std::vector<ShellRedirection>& redirections, Inner& inner);
  void here_document(ShellRedirection& redirection, bool strip_tabs, Inner& inner);
  void add_outer(Inner& inner, std::size_t begin);
  void finish(ShellCommand command, Inner& inner);
  std::size_t feed() const { return stage_ > 0 ? last_ : feeder_; }

  // --- words
  void read_word(Fields& fields, Inner& inner);
  ShellWord read_value(Inner& inner);
  ShellWord read_delimiter();
  void double_quoted(Fields& fields, Inner& inner);
  void ansi_quoted(Fields& fields);
  void dollar(Fields& fields, Inner& inner, bool in_quotes);
  void backquoted(Fields& fields, Inner& inner, bool in_quotes);
  void parameter(Fields& fields, Inner& inner, std::string_view body, bool in_quotes);
  void transform(Fields& fields, Inner& inner, const ShellWord& value, std::string_view operation,
                 bool in_quotes);
  void append_items(Fields& fields, const std::vector<ShellWord>& items, bool apart,
                    bool in_quotes);
  bool braces(Fields& fields, Inner& inner);
  std::size_t closing_brace(std::size_t at, bool in_quotes) const;
  std::optional<std::size_t> closing_parenthesis(std::size_t at);
  ShellWord expand(std::string_view text, Inner& inner);
  ShellWord expand_part(std::string_view part, Inner& inner);
  std::optional<std::int64_t> number(std::string_view expression, Inner& inner);

  // --- nesting
  std::size_t substitution(Inner& inner, ShellNesting nesting, const char* step);
  void append_output(Fields& fields, const Inner& inner, std::size_t first, bool in_quotes);
  Output output_of(const Inner& inner, std::size_t first);
  void evaluate(std::string_view body, std::uint64_t base, bool fixed, std::string step,
                ShellNesting nesting, Inner& inner, std::uint32_t origin = 0);
  void evaluate_word(const ShellWord& word, std::string step, const ShellCommand& command,
                     Inner& inner);
  void evaluate_words(const std::vector<ShellWord>& words, std::string step,
                      const ShellCommand& command, Inner& inner);
  void evaluate_arguments(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_shell(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_option(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_exec(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_xargs(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_remote(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_code(std::string_view code, const ShellCommand& command, std::string_view program,
                     std::uint32_t origin, Inner& inner);
  void evaluate_program(const ShellCommand& command, std::size_t program, Inner& inner);
  void evaluate_input(const ShellCommand& command, std::size_t feed, Inner& inner);
  bool evaluate_processes(const ShellCommand& command, Inner& inner);
  // What the command reads, as far as it is known.
  Output input_of(const ShellCommand& command, std::size_t feed);
  void read_variables(const ShellCommand& command, std::size_t program);
  void define(std::string name, std::size_t begin);
  bool call(const ShellCommand& command, std::size_t program, Inner& inner);
  bool run_file(const ShellCommand& command, std::size_t file, std::string step, Inner& inner);
  void source_file(const ShellCommand& command, std::size_t file, Inner& inner);
  void write_files(const std::vector<ShellRedirection>& redirections, const Output& output);
  void write_group(std::size_t first, std::size_t end, const std::vector<ShellRedirection>& redirections);
  void run_jobs(std::size_t index, const Output& table, bool has_user);
  // What a complete command leaves behind: files, its word to the environment.
  void after(std::size_t index, std::size_t program);
  void run_builtin(const ShellCommand& command, std::size_t program);

  State& state_;
  const std::string_view text_;
  const unsigned depth_;
  const std::uint64_t base_;
  const bool fixed_;
  std::vector<std::string> chain_;
  std::size_t at_ = 0;
  unsigned nesting_ = 0;
  unsigned parentheses_ = 0;         // open in this text: a ) ends the innermost
  std::size_t no_braces_until_ = 0;  // no brace list begins before
  std::size_t here_end_ = 0;  // the line that is being read goes on there: here-documents follow it
  // The pipeline that is being read.
  std::size_t pipeline_ = 0, stage_ = 0, last_ = ShellCommand::no_command;
  // What feeds the group that is being read.
  std::size_t feeder_ = ShellCommand::no_command;
  std::string function_;  // the name of the function whose body is read next
  std::optional<std::vector<std::pair<std::size_t, std::size_t>>> parentheses_table_;
};

}  // namespace lazaret::format::shell
