#include "format/code_commands.h"

#include <algorithm>
#include <array>

#include "format/shell.h"

namespace lazaret::format {
namespace {

constexpr std::size_t text_limit = 64 << 10, argument_limit = 16, quoted_limit = 4096;

constexpr std::array<std::string_view, 33> calls = {
    "system",       "popen",      "popen2",      "popen3",          "exec",       "execSync",   "shell_exec",  "passthru", "proc_open",
    "spawn",        "spawnSync",  "execFile",    "execFileSync",    "call",       "run",        "check_output", "check_call", "Popen",
    "getoutput",    "getstatusoutput", "execute", "execl",          "execlp",     "execle",     "execv",       "execvp",   "execve",
    "callCommand",  "Command",    "create_subprocess_shell", "create_subprocess_exec", "eval", "capture2"};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }

int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

// Reads arguments from a place in the code.
class Reader {
 public:
  // `work`: characters that may still be read, over all calls.
  Reader(std::string_view code, std::size_t at, const CodeVariable& variable, std::size_t& work) : code_(code), at_(at), variable_(variable), work_(work) {}

  // A literal or a variable of the environment, or several that are joined by + or "."; nothing when something else stands there.
  std::optional<std::string> value() {
    std::string text;
    bool any = false;
    for (;;) {
      const std::size_t begin = at_;
      skip_blanks();
      auto part = literal();
      if (!part) part = environment();
      if (!part) {
        at_ = begin;
        return any ? std::optional(text) : std::nullopt;
      }
      if (text.size() + part->size() > text_limit) return std::nullopt;
      text += *part;
      any = true;
      const std::size_t end = at_;
      skip_blanks();
      // "a" . "b", "a" + "b"; adjacent literals join in C and Python.
      if (peek() == '+' || (peek() == '.' && at_ + 1 < code_.size() && !is_name(code_[at_ + 1]))) {
        ++at_;
      } else if (!is_quote(peek())) {
        at_ = end;
        return text;
      }
    }
  }
  // Steps over what may stand between the arguments of a list.
  bool separator() {
    bool any = false;
    while (at_ < code_.size() && (is_blank(peek()) || peek() == ',' || peek() == '[' || peek() == ']' || peek() == '(')) {
      any |= peek() == ',';
      ++at_;
    }
    return any;
  }
  void skip_blanks() {
    while (at_ < code_.size() && is_blank(peek())) ++at_;
  }
  void skip_opening() {
    while (at_ < code_.size() && (is_blank(peek()) || peek() == '(' || peek() == '[' || peek() == '{')) ++at_;
  }
  std::vector<std::string> take_variables() { return std::move(used_); }

 private:
  char peek() const { return at_ < code_.size() ? code_[at_] : '\0'; }

  std::optional<std::string> literal() {
    std::size_t at = at_;
    // b'', rb"", f'', u''
    while (at < code_.size() && at - at_ < 2 && std::string_view("bBrRfFuU").find(code_[at]) != std::string_view::npos) ++at;
    if (at >= code_.size() || !is_quote(code_[at])) {
      at = at_;
      if (at >= code_.size() || !is_quote(code_[at])) return std::nullopt;
    }
    const char quote = code_[at];
    const bool triple = code_.substr(at, 3) == std::string(3, quote);
    at += triple ? 3 : 1;
    std::string text;
    for (; at < code_.size() && text.size() < text_limit && work_ > 0; ++at, --work_) {
      if (triple ? code_.substr(at, 3) == std::string(3, quote) : code_[at] == quote) {
        at_ = at + (triple ? 3 : 1);
        return text;
      }
      if (code_[at] != '\\' || at + 1 >= code_.size()) {
        text += code_[at];
        continue;
      }
      const char c = code_[++at];
      if (c == 'n') {
        text += '\n';
      } else if (c == 't') {
        text += '\t';
      } else if (c == 'x' && at + 2 < code_.size() && hex_value(code_[at + 1]) >= 0 && hex_value(code_[at + 2]) >= 0) {
        text += static_cast<char>(hex_value(code_[at + 1]) * 16 + hex_value(code_[at + 2]));
        at += 2;
      } else if (c != '\n') {
        if (std::string_view("\\\"'`$").find(c) == std::string_view::npos) text += '\\';
        text += c;
      }
    }
    return std::nullopt;  // it does not end
  }

  // os.environ["P"], os.environ.get("P"), os.getenv("P"), getenv("P"), process.env.P, $ENV{P}, ENV["P"], $_ENV["P"]
  std::optional<std::string> environment() {
    if (!variable_) return std::nullopt;
    for (const std::string_view form : {"os.environ.get(", "os.environ[", "os.getenv(", "getenv(", "process.env.", "process.env[", "$ENV{", "$_ENV[", "$_SERVER[", "ENV.fetch(", "ENV["}) {
      if (code_.substr(at_, form.size()) != form) continue;
      std::size_t at = at_ + form.size();
      if (at < code_.size() && is_quote(code_[at])) ++at;
      const std::size_t begin = at;
      while (at < code_.size() && is_name(code_[at])) ++at;
      const std::string_view name = code_.substr(begin, at - begin);
      const auto value = name.empty() ? std::nullopt : variable_(name);
      if (!value) return std::nullopt;
      while (at < code_.size() && (is_quote(code_[at]) || code_[at] == ']' || code_[at] == '}')) ++at;
      if (form.ends_with('(') && at < code_.size() && code_[at] == ')') ++at;
      at_ = at;
      used_.emplace_back(name);
      return value;
    }
    return std::nullopt;
  }

  const std::string_view code_;
  std::size_t at_;
  const CodeVariable& variable_;
  std::size_t& work_;
  std::vector<std::string> used_;
};

}  // namespace

std::vector<CodeCommand> code_commands(std::string_view code, const CodeVariable& variable, std::size_t limit) {
  std::vector<CodeCommand> result;
  std::size_t produced = 0, work = 4 * code.size() + text_limit;
  for (std::size_t at = 0; at < code.size() && work > 0 && result.size() < limit && produced < text_limit;) {
    if (code[at] == '`') {
      const auto length = code.substr(at + 1, quoted_limit).find('`');
      const auto end = length == std::string_view::npos ? length : at + 1 + length;
      work -= std::min(work, length == std::string_view::npos ? quoted_limit : length);
      if (end == std::string_view::npos) {
        ++at;
        continue;
      }
      if (end - at > 4) {
        result.push_back({std::string(code.substr(at + 1, end - at - 1)), at, {}});
        produced += end - at;
      }
      at = end + 1;
      continue;
    }
    if (!is_name(code[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < code.size() && is_name(code[at])) ++at;
    const std::string_view name = code.substr(begin, at - begin);
    // qx{...}, qx(...)
    if (name == "qx" && at < code.size() && std::string_view("{(/|[").find(code[at]) != std::string_view::npos) {
      const char close = code[at] == '{' ? '}' : code[at] == '(' ? ')' : code[at] == '[' ? ']' : code[at];
      const std::string_view inside = code.substr(at + 1, quoted_limit);
      const auto end = inside.find(close);
      work -= std::min(work, std::min(end, inside.size()));
      if (end != std::string_view::npos) result.push_back({std::string(inside.substr(0, end)), begin, {}});
      continue;
    }
    if (std::find(calls.begin(), calls.end(), name) == calls.end()) continue;
    Reader reader(code, at, variable, work);
    reader.skip_opening();
    std::vector<std::string> arguments;
    std::size_t size = 0;
    while (arguments.size() < argument_limit && size < text_limit) {
      auto value = reader.value();
      if (!value) break;
      size += value->size();
      arguments.push_back(std::move(*value));
      if (!reader.separator()) break;
    }
    if (arguments.empty()) continue;
    // execl(path, name, ...): the second is not an argument.
    if (name.starts_with("exec") && name.size() > 4 && name[4] != 'F' && name[4] != 'S' && arguments.size() > 2) arguments.erase(arguments.begin() + 1);
    const bool text = arguments.size() == 1 || arguments[0].find_first_of(" \t\n;|&") != std::string::npos;
    CodeCommand command;
    command.text = text ? std::move(arguments[0]) : quote_arguments(arguments);
    command.offset = begin;
    command.variables = reader.take_variables();
    produced += command.text.size();
    if (command.text.size() > 1) result.push_back(std::move(command));
  }
  return result;
}

}  // namespace lazaret::format
