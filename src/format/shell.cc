#include "format/shell.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace lazaret::format {
namespace {

constexpr unsigned depth_limit = 24;
constexpr std::size_t commands_limit = 20'000, words_limit = 4096, value_limit = 1 << 16;

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }
bool ends_word(char c) { return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' || c == ')'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What every level of nesting shares.
struct State {
  ShellScript script;
  std::map<std::string, ShellWord, std::less<>> variables{{"IFS", {" ", true, false}}};
  std::size_t pipelines = 0;
};

class Parser {
 public:
  Parser(State& state, std::string_view text, unsigned depth, std::uint64_t base, std::vector<std::string> chain)
      : state_(state), text_(text), depth_(depth), base_(base), chain_(std::move(chain)) {}

  void parse() { list("\0"); }

 private:
  // --- characters ---------------------------------------------------------------------------------------------------------------
  bool at_end() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool looking_at(std::string_view what) const { return text_.substr(at_, what.size()) == what; }

  void skip_blanks() {
    for (;;) {
      if (is_blank(peek()) && !at_end()) {
        ++at_;
      } else if (peek() == '\\' && peek(1) == '\n') {
        at_ += 2;
      } else if (peek() == '\\' && peek(1) == '\r' && peek(2) == '\n') {
        at_ += 3;
      } else if (peek() == '\r' && peek(1) == '\n') {
        ++at_;
      } else if (peek() == '#' && (at_ == 0 || ends_word(text_[at_ - 1]))) {
        while (!at_end() && peek() != '\n') ++at_;
      } else {
        return;
      }
    }
  }

  // --- lists and commands -----------------------------------------------------------------------------------------------------------
  // Commands up to the end or, inside parentheses, the closing one. Reserved words (if, then, do, ...) are skipped: all branches count.
  void list(std::string_view closing) {
    while (!at_end() && !state_.script.cut) {
      skip_blanks();
      if (at_end()) return;
      const char c = peek();
      if (closing == ")" && c == ')') return;
      if (c == '\n' || c == ';' || c == '&' || c == ')' || c == '|') {
        ++at_;
        if (c == '\n') read_here_documents();
        continue;
      }
      pipeline();
    }
    read_here_documents();
  }

  void pipeline() {
    const std::size_t number = ++state_.pipelines;
    for (;;) {
      const std::size_t before = at_;
      command(number);
      skip_blanks();
      if (peek() == '|' && peek(1) != '|') {
        ++at_;
        if (peek() == '&') ++at_;
        while (!at_end() && (is_blank(peek()) || peek() == '\n')) {
          ++at_;
        }
        if (at_end()) return;
        continue;
      }
      if (at_ == before) ++at_;  // nothing could be read: step over it
      return;
    }
  }

  void command(std::size_t number) {
    ShellCommand command;
    command.pipeline = number;
    command.chain = chain_;
    bool started = false;
    std::vector<std::size_t> inner;  // commands of substitutions in this one's words
    while (!at_end()) {
      skip_blanks();
      const char c = peek();
      if (at_end() || c == '\n' || c == ';' || c == ')') break;
      if (c == '|' || (c == '&' && peek(1) != '>')) break;
      const std::size_t begin = at_;
      if (c == '(') {
        if (looking_at("((")) {
          skip_arithmetic();
          started = true;
          continue;
        }
        // A subshell, or the parentheses of a function's definition.
        ++at_;
        skip_blanks();
        if (peek() == ')' && command.words.size() <= 2) {
          ++at_;
          command.words.clear();  // name(): its body follows as commands
          started = false;
          skip_blanks();
          while (peek() == '\n') ++at_;
          continue;
        }
        nested_list(command, number);
        if (!started) command.offset = base_ + begin;
        started = true;
        continue;
      }
      if (!started) {
        if (reserved_word()) continue;
        command.offset = base_ + begin;
      }
      if (redirection(command, inner)) {
        started = true;
        continue;
      }
      if (!started || command.words.empty()) {
        if (assignment(command, inner)) {
          started = true;
          continue;
        }
      }
      ShellWord word = read_word(inner, false);
      if (at_ == begin) {
        ++at_;
        continue;
      }
      started = true;
      if (command.words.size() < words_limit) command.words.push_back(std::move(word));
    }
    if (!started) return;
    command.end = base_ + at_;
    finish(std::move(command), inner);
  }

  void nested_list(const ShellCommand&, std::size_t) {
    if (++nesting_ > depth_limit) {
      state_.script.cut = true;
      return;
    }
    list(")");
    --nesting_;
    if (peek() == ')') ++at_;
  }

  // Words that only structure: what follows them is a command again.
  bool reserved_word() {
    static constexpr std::array<std::string_view, 15> words = {"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "esac", "{", "}", "!", "function", "time"};
    for (const std::string_view word : words) {
      if (looking_at(word) && (at_ + word.size() == text_.size() || ends_word(text_[at_ + word.size()]))) {
        at_ += word.size();
        return true;
      }
    }
    // for x in a b c: the words are data; case x in: likewise, and each "pattern)" before a branch.
    for (const std::string_view word : {"for", "select", "case"}) {
      if (looking_at(word) && at_ + word.size() < text_.size() && is_blank(text_[at_ + word.size()])) {
        at_ += word.size();
        std::vector<std::size_t> inner;
        std::string name;
        ShellWord values;
        bool in = false;
        while (!at_end() && peek() != '\n' && peek() != ';') {
          skip_blanks();
          const std::size_t begin = at_;
          ShellWord item = read_word(inner, false);
          if (at_ == begin) break;
          if (item.text == "in" && !in) {
            in = true;
            if (word == "case") break;
          } else if (name.empty()) {
            name = item.text;
          } else if (in) {
            if (!values.text.empty()) values.text += ' ';
            values.text += item.text;
            values.is_static = values.is_static && item.is_static;
          }
        }
        if (word != "case" && !name.empty() && in) set_variable(name, values);
        return true;
      }
    }
    return false;
  }

  void skip_arithmetic() {
    int open = 0;
    while (!at_end()) {
      if (peek() == '(') ++open;
      if (peek() == ')' && --open == 0) {
        ++at_;
        return;
      }
      ++at_;
    }
  }

  bool assignment(ShellCommand& command, std::vector<std::size_t>& inner) {
    std::size_t end = at_;
    if (!is_name_start(peek())) return false;
    while (end < text_.size() && is_name(text_[end])) ++end;
    const bool append = end + 1 < text_.size() && text_[end] == '+' && text_[end + 1] == '=';
    if (end >= text_.size() || (text_[end] != '=' && !append)) return false;
    const std::string name(text_.substr(at_, end - at_));
    at_ = end + (append ? 2 : 1);
    ShellWord value;
    if (!at_end() && peek() == '(') {
      // An array: its words, joined.
      ++at_;
      while (!at_end() && peek() != ')') {
        skip_blanks();
        const std::size_t begin = at_;
        const ShellWord item = read_word(inner, false);
        if (!value.text.empty()) value.text += ' ';
        value.text += item.text;
        value.is_static = value.is_static && item.is_static;
        if (at_ == begin) ++at_;
      }
      if (!at_end()) ++at_;
    } else if (!at_end() && !ends_word(peek())) {
      value = read_word(inner, false);
    }
    if (append) {
      if (const auto known = state_.variables.find(name); known != state_.variables.end()) {
        value.text = known->second.text + value.text;
        value.is_static = value.is_static && known->second.is_static;
      }
    }
    set_variable(name, value);
    command.assignments.emplace_back(name, std::move(value));
    return true;
  }

  void set_variable(const std::string& name, const ShellWord& value) {
    if (value.text.size() <= value_limit && (state_.variables.size() < 4096 || state_.variables.contains(name))) state_.variables[name] = value;
  }

  bool redirection(ShellCommand& command, std::vector<std::size_t>& inner) {
    std::size_t at = at_;
    int fd = -1;
    if (peek() >= '0' && peek() <= '9') {
      fd = 0;
      while (at < text_.size() && text_[at] >= '0' && text_[at] <= '9' && fd < 100000) fd = fd * 10 + (text_[at++] - '0');
    }
    static constexpr std::array<std::string_view, 11> operations = {"&>>", "<<<", "<<-", "&>", ">>", "<<", "<>", ">&", "<&", ">|", ">"};
    std::string_view operation;
    for (const std::string_view candidate : operations) {
      if (text_.substr(at, candidate.size()) == candidate) {
        operation = candidate;
        break;
      }
    }
    if (operation.empty() && at < text_.size() && text_[at] == '<') operation = "<";
    if (operation.empty()) return false;
    if ((operation == "<" || operation == ">") && at + 1 < text_.size() && text_[at + 1] == '(') return false;  // process substitution
    at_ = at + operation.size();
    skip_blanks();
    ShellRedirection redirection;
    redirection.fd = fd;
    redirection.operation = operation == "<<-" ? "<<" : std::string(operation);
    if (redirection.operation == "<<") {
      const std::size_t begin = at_;
      std::vector<std::size_t> none;
      ShellWord delimiter = read_word(none, true);
      if (at_ == begin) return true;
      command.redirections.push_back(std::move(redirection));
      pending_.push_back({&command, 0, delimiter.text, delimiter.quoted, operation == "<<-"});
      pending_.back().index = command.redirections.size() - 1;
      read_here_document_now(command);
      return true;
    }
    redirection.target = read_word(inner, false);
    command.redirections.push_back(std::move(redirection));
    return true;
  }

  // A here-document begins on the next line, but its command goes on behind the delimiter. The text is taken out of the way at once, by looking
  // ahead: the line's end is remembered, and the lines up to the delimiter are skipped when the line ends.
  struct Pending {
    ShellCommand* command;
    std::size_t index;
    std::string delimiter;
    bool quoted, tabs;
  };

  void read_here_document_now(ShellCommand& command) {
    const Pending pending = pending_.back();
    pending_.pop_back();
    std::size_t begin = std::max(here_end_, text_.find('\n', at_) == std::string_view::npos ? text_.size() : text_.find('\n', at_) + 1);
    if (here_end_ == 0 || here_end_ < at_) {
      const auto line_end = text_.find('\n', at_);
      begin = line_end == std::string_view::npos ? text_.size() : line_end + 1;
    }
    std::size_t at = begin;
    std::string document;
    while (at < text_.size()) {
      const auto line_end = std::min(text_.find('\n', at), text_.size());
      std::string_view line = text_.substr(at, line_end - at);
      if (pending.tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
      at = std::min(line_end + 1, text_.size());
      std::string_view bare = line;
      if (bare.ends_with('\r')) bare.remove_suffix(1);
      if (bare == pending.delimiter) break;
      document += line;
      document += '\n';
      if (line_end == text_.size()) break;
    }
    here_end_ = at;
    ShellWord& target = command.redirections[pending.index].target;
    if (pending.quoted) {
      target.text = std::move(document);
    } else {
      std::vector<std::size_t> inner;
      target = expand(document, inner);
    }
    target.quoted = pending.quoted;
  }

  void read_here_documents() {
    // Called behind a line's end: the lines of its here-documents are no commands.
    if (here_end_ > at_) at_ = here_end_;
    here_end_ = 0;
  }

  // --- words ------------------------------------------------------------------------------------------------------------------------
  ShellWord read_word(std::vector<std::size_t>& inner, bool raw) {
    ShellWord word;
    while (!at_end()) {
      const char c = peek();
      if ((c == '<' || c == '>') && peek(1) == '(' && !raw) {
        at_ += 2;
        substitution(inner, ShellNesting::process, c == '<' ? "<()" : ">()");
        word.is_static = false;
        continue;
      }
      if (ends_word(c)) break;
      if (c == '\\') {
        word.quoted = true;
        if (peek(1) == '\n') {
          at_ += 2;
        } else {
          if (at_ + 1 < text_.size()) word.text.push_back(peek(1));
          at_ += 2;
        }
      } else if (c == '\'') {
        word.quoted = true;
        const auto end = text_.find('\'', at_ + 1);
        word.text += text_.substr(at_ + 1, (end == std::string_view::npos ? text_.size() : end) - at_ - 1);
        at_ = end == std::string_view::npos ? text_.size() : end + 1;
      } else if (c == '"') {
        word.quoted = true;
        ++at_;
        double_quoted(word, inner, raw);
      } else if (c == '$' && peek(1) == '\'' && !raw) {
        at_ += 2;
        word.quoted = true;
        ansi_quoted(word);
      } else if (c == '$' && peek(1) == '"') {
        ++at_;
      } else if (c == '$' && !raw) {
        dollar(word, inner);
      } else if (c == '`' && !raw) {
        backquoted(word, inner);
      } else if (c == '{' && !raw && brace_list(word)) {
        continue;
      } else {
        word.text.push_back(c);
        ++at_;
      }
    }
    at_ = std::min(at_, text_.size());
    return word;
  }

  void double_quoted(ShellWord& word, std::vector<std::size_t>& inner, bool raw) {
    while (!at_end() && peek() != '"') {
      const char c = peek();
      if (c == '\\' && (peek(1) == '$' || peek(1) == '`' || peek(1) == '"' || peek(1) == '\\' || peek(1) == '\n')) {
        if (peek(1) != '\n') word.text.push_back(peek(1));
        at_ += 2;
      } else if (c == '$' && !raw) {
        dollar(word, inner);
      } else if (c == '`' && !raw) {
        backquoted(word, inner);
      } else {
        word.text.push_back(c);
        ++at_;
      }
    }
    if (!at_end()) ++at_;
  }

  // $'...': bash's escapes.
  void ansi_quoted(ShellWord& word) {
    while (!at_end() && peek() != '\'') {
      if (peek() != '\\') {
        word.text.push_back(peek());
        ++at_;
        continue;
      }
      append_escape(word.text);
    }
    if (!at_end()) ++at_;
  }

  void append_escape(std::string& out) {
    const char c = peek(1);
    at_ += 2;
    switch (c) {
      case 'n': out.push_back('\n'); return;
      case 't': out.push_back('\t'); return;
      case 'r': out.push_back('\r'); return;
      case 'a': out.push_back('\a'); return;
      case 'e':
      case 'E': out.push_back('\x1b'); return;
      case 'x': {
        int value = 0;
        for (unsigned i = 0; i < 2 && hex_value(peek()) >= 0; ++i, ++at_) value = value * 16 + hex_value(peek());
        out.push_back(static_cast<char>(value));
        return;
      }
      default: break;
    }
    if (c >= '0' && c <= '7') {
      int value = c - '0';
      for (unsigned i = 0; i < (c == '0' ? 3u : 2u) && peek() >= '0' && peek() <= '7'; ++i, ++at_) value = value * 8 + (peek() - '0');
      out.push_back(static_cast<char>(value));
      return;
    }
    out.push_back(c);
  }

  // $name, ${...}, $(...), $((...)), $1, $@.
  void dollar(ShellWord& word, std::vector<std::size_t>& inner) {
    if (peek(1) == '(') {
      if (peek(2) == '(') {
        ++at_;
        skip_arithmetic();
        word.is_static = false;
        return;
      }
      at_ += 2;
      const std::size_t first = state_.script.commands.size();
      substitution(inner, ShellNesting::substitution, "$()");
      append_output(word, first);
      return;
    }
    if (peek(1) == '{') {
      const auto end = closing_brace(at_ + 2);
      const std::string_view body = text_.substr(at_ + 2, end - at_ - 2);
      at_ = std::min(end + 1, text_.size());
      append_parameter(word, body);
      return;
    }
    std::size_t end = at_ + 1;
    if (end < text_.size() && is_name_start(text_[end])) {
      while (end < text_.size() && is_name(text_[end])) ++end;
      append_parameter(word, text_.substr(at_ + 1, end - at_ - 1));
      at_ = end;
    } else if (end < text_.size() && (text_[end] == '@' || text_[end] == '*')) {
      at_ = end + 1;  // the script's arguments: mostly empty, and used to split words (c$@url)
    } else if (end < text_.size() && (std::string_view("?$!#-_").find(text_[end]) != std::string_view::npos || (text_[end] >= '0' && text_[end] <= '9'))) {
      at_ = end + 1;
      word.is_static = false;
    } else {
      word.text.push_back('$');
      ++at_;
    }
  }

  std::size_t closing_brace(std::size_t at) const {
    int open = 1;
    for (; at < text_.size(); ++at) {
      if (text_[at] == '\\') {
        ++at;
      } else if (text_[at] == '{') {
        ++open;
      } else if (text_[at] == '}' && --open == 0) {
        return at;
      }
    }
    return text_.size();
  }

  void append_parameter(ShellWord& word, std::string_view body) {
    if (body == "@" || body == "*") return;
    std::size_t end = 0;
    const bool indirect = body.starts_with('!') || body.starts_with('#');
    while (end < body.size() && is_name(body[end])) ++end;
    const auto known = state_.variables.find(body.substr(0, end));
    const std::string_view operation = body.substr(end);
    if (indirect || known == state_.variables.end()) {
      // ${x:-default}: the default is what is most likely used.
      if (!indirect && (operation.starts_with(":-") || operation.starts_with(":="))) {
        std::vector<std::size_t> inner;
        const ShellWord value = expand(operation.substr(2), inner);
        word.text += value.text;
      }
      word.is_static = false;
      return;
    }
    word.is_static = word.is_static && known->second.is_static;
    const std::string& value = known->second.text;
    if (operation.empty() || operation.starts_with(":-") || operation.starts_with(":=") || operation.starts_with("[@]") || operation.starts_with("[*]")) {
      append(word, value);
    } else if (operation.starts_with(':')) {
      // ${a:offset:length}
      const auto number = [](std::string_view text) -> std::optional<long> {
        long result = 0;
        bool negative = false;
        while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
        if (text.starts_with('-')) {
          negative = true;
          text.remove_prefix(1);
        }
        if (text.empty() || text.size() > 9) return std::nullopt;
        for (const char c : text) {
          if (c < '0' || c > '9') return std::nullopt;
          result = result * 10 + (c - '0');
        }
        return negative ? -result : result;
      };
      const auto colon = operation.find(':', 1);
      const auto offset = number(operation.substr(1, colon == std::string_view::npos ? colon : colon - 1));
      const auto length = colon == std::string_view::npos ? std::optional<long>(static_cast<long>(value.size())) : number(operation.substr(colon + 1));
      if (!offset || !length) {
        word.is_static = false;
        return;
      }
      const long size = static_cast<long>(value.size());
      const long begin = std::clamp(*offset < 0 ? size + *offset : *offset, 0l, size);
      const long count = std::clamp(*length < 0 ? size + *length - begin : *length, 0l, size - begin);
      append(word, std::string_view(value).substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
    } else if (operation.starts_with("//") || operation.starts_with('/')) {
      // ${a//from/to} with plain text
      const bool all = operation.starts_with("//");
      const std::string_view rest = operation.substr(all ? 2 : 1);
      const auto slash = rest.find('/');
      const std::string from(rest.substr(0, slash)), to(slash == std::string_view::npos ? "" : rest.substr(slash + 1));
      std::string result = value;
      if (!from.empty() && from.find_first_of("*?[") == std::string::npos) {
        for (std::size_t at = 0; (at = result.find(from, at)) != std::string::npos && result.size() < value_limit;) {
          result.replace(at, from.size(), to);
          at += to.size();
          if (!all) break;
        }
      } else {
        word.is_static = false;
      }
      append(word, result);
    } else {
      append(word, value);
      word.is_static = false;
    }
  }

  void append(ShellWord& word, std::string_view value) {
    if (word.text.size() + value.size() <= value_limit) {
      word.text += value;
    } else {
      word.is_static = false;
    }
  }

  // {a,b}: written as words next to each other. Only the simple form, which is used to hide blanks: {curl,-s,http://...}.
  bool brace_list(ShellWord& word) {
    if (!word.text.empty()) return false;
    std::size_t end = at_ + 1;
    bool comma = false;
    while (end < text_.size() && text_[end] != '}' && !ends_word(text_[end]) && text_[end] != '{' && text_[end] != '$' && text_[end] != '"' && text_[end] != '\'') {
      comma |= text_[end] == ',';
      ++end;
    }
    if (!comma || end >= text_.size() || text_[end] != '}' || (end + 1 < text_.size() && !ends_word(text_[end + 1]))) return false;
    word.text = text_.substr(at_ + 1, end - at_ - 1);
    std::replace(word.text.begin(), word.text.end(), ',', ' ');
    split_braces_ = true;
    at_ = end + 1;
    return true;
  }

  // --- nesting ----------------------------------------------------------------------------------------------------------------------
  void substitution(std::vector<std::size_t>& inner, ShellNesting nesting, const char* step) {
    if (nesting_ + depth_ >= depth_limit) {
      state_.script.cut = true;
      at_ = text_.size();
      return;
    }
    const std::size_t first = state_.script.commands.size();
    chain_.emplace_back(step);
    ++nesting_;
    const std::size_t here = here_end_;
    here_end_ = 0;
    list(")");
    here_end_ = std::max(here, here_end_);
    --nesting_;
    chain_.pop_back();
    if (peek() == ')') ++at_;
    for (std::size_t i = first; i < state_.script.commands.size(); ++i) {
      ShellCommand& command = state_.script.commands[i];
      if (command.nesting != ShellNesting::none) continue;
      command.nesting = nesting;
      inner.push_back(i);
    }
  }

  void backquoted(ShellWord& word, std::vector<std::size_t>& inner) {
    std::size_t end = at_ + 1;
    std::string body;
    while (end < text_.size() && text_[end] != '`') {
      if (text_[end] == '\\' && end + 1 < text_.size() && (text_[end + 1] == '`' || text_[end + 1] == '\\' || text_[end + 1] == '$')) ++end;
      body.push_back(text_[end++]);
    }
    const std::uint64_t base = base_ + at_ + 1;
    at_ = std::min(end + 1, text_.size());
    const std::size_t first = state_.script.commands.size();
    evaluate(body, base, "$()", ShellNesting::substitution, inner);
    append_output(word, first);
  }

  // The output of a substitution whose commands are the last ones of the list.
  void append_output(ShellWord& word, std::size_t first) {
    if (state_.script.commands.size() > first) {
      bool known = false;
      std::string output = static_output(state_.script, state_.script.commands.size() - 1, &known);
      if (known) {
        while (output.ends_with('\n')) output.pop_back();
        append(word, output);
        return;
      }
    }
    word.is_static = false;
  }

  void evaluate(const std::string& body, std::uint64_t base, const char* step, ShellNesting nesting, std::vector<std::size_t>& inner) {
    if (depth_ + nesting_ + 1 >= depth_limit) {
      state_.script.cut = true;
      return;
    }
    const std::size_t first = state_.script.commands.size();
    std::vector<std::string> chain = chain_;
    chain.emplace_back(step);
    Parser(state_, body, depth_ + nesting_ + 1, base, std::move(chain)).parse_at(base);
    for (std::size_t i = first; i < state_.script.commands.size(); ++i) {
      ShellCommand& command = state_.script.commands[i];
      if (command.nesting != ShellNesting::none) continue;
      command.nesting = nesting;
      inner.push_back(i);
    }
  }

  // Positions inside evaluated text mean nothing to a reader: all are those of the outer command.
  void parse_at(std::uint64_t base) {
    const std::size_t first = state_.script.commands.size();
    parse();
    for (std::size_t i = first; i < state_.script.commands.size(); ++i) state_.script.commands[i].offset = state_.script.commands[i].end = base;
  }

  ShellWord expand(std::string_view text, std::vector<std::size_t>& inner) {
    Parser parser(state_, text, depth_ + nesting_ + 1, base_ + at_, chain_);
    ShellWord word;
    if (depth_ + nesting_ + 1 >= depth_limit) {
      word.text = text;
      return word;
    }
    while (!parser.at_end()) {
      const char c = parser.peek();
      if (c == '\\' && (parser.peek(1) == '$' || parser.peek(1) == '`' || parser.peek(1) == '\\')) {
        word.text.push_back(parser.peek(1));
        parser.at_ += 2;
      } else if (c == '$') {
        parser.dollar(word, inner);
      } else if (c == '`') {
        parser.backquoted(word, inner);
      } else {
        word.text.push_back(c);
        ++parser.at_;
      }
    }
    return word;
  }

  // A command is complete: text that it evaluates is parsed, then it joins the list behind what it contains.
  void finish(ShellCommand command, std::vector<std::size_t>& inner) {
    if (split_braces_) split_words(command);
    if (state_.script.commands.size() >= commands_limit) {
      state_.script.cut = true;
      return;
    }
    evaluate_arguments(command, inner);
    const std::size_t index = state_.script.commands.size();
    for (const std::size_t i : inner) state_.script.commands[i].outer = index;
    state_.script.commands.push_back(std::move(command));
  }

  // {curl,-s,url} was one word so far; a ${IFS} in an unquoted word splits it too.
  void split_words(ShellCommand& command) {
    std::vector<ShellWord> words;
    for (ShellWord& word : command.words) {
      if (word.quoted || word.text.find(' ') == std::string::npos) {
        words.push_back(std::move(word));
        continue;
      }
      std::string_view rest = word.text;
      while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        if (end > 0) words.push_back({std::string(rest.substr(0, end)), word.is_static, false});
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    command.words = std::move(words);
    split_braces_ = false;
  }

  void evaluate_arguments(ShellCommand& command, std::vector<std::size_t>& inner) {
    // An unquoted word with blanks came from a variable or ${IFS}: the shell splits it.
    for (const ShellWord& word : command.words) {
      if (!word.quoted && word.text.find(' ') != std::string::npos) {
        split_words(command);
        break;
      }
    }
    const std::size_t at = program_word(command);
    if (at >= command.words.size()) return;
    const std::string_view name = command.words[at].text;
    const auto slash = name.rfind('/');
    const std::string_view program = slash == std::string_view::npos ? name : name.substr(slash + 1);
    const auto& words = command.words;
    if (program == "eval") {
      std::string text;
      for (std::size_t i = at + 1; i < words.size(); ++i) text += words[i].text + " ";
      if (!text.empty()) evaluate(text, command.offset, "eval", ShellNesting::evaluation, inner);
    } else if (is_shell(program) || program == "su" || program == "runuser" || program == "script" || program == "flock" || program == "watch") {
      for (std::size_t i = at + 1; i + 1 < words.size(); ++i) {
        const std::string& option = words[i].text;
        if (option.size() >= 2 && option[0] == '-' && option[1] != '-' && option.back() == 'c') {
          const std::string step = std::string(program) + " -c";
          evaluate(words[i + 1].text, command.offset, step.c_str(), ShellNesting::evaluation, inner);
          break;
        }
      }
      // A shell that reads a here-document or here-string runs it.
      for (const ShellRedirection& redirection : command.redirections) {
        if (is_shell(program) && (redirection.operation == "<<" || redirection.operation == "<<<")) {
          evaluate(redirection.target.text, command.offset, redirection.operation.c_str(), ShellNesting::evaluation, inner);
        }
      }
    } else if (program == "chroot" || program == "nsenter" || program == "xargs" || program == "ssh" || program == "find" || program == "docker" || program == "podman") {
      // They start another command with the words behind their own options: look for a shell with -c among them.
      for (std::size_t i = at + 1; i + 2 < words.size(); ++i) {
        const auto cut = words[i].text.rfind('/');
        if (is_shell(cut == std::string::npos ? std::string_view(words[i].text) : std::string_view(words[i].text).substr(cut + 1)) && words[i + 1].text.starts_with('-') &&
            words[i + 1].text.ends_with('c')) {
          evaluate(words[i + 2].text, command.offset, "sh -c", ShellNesting::evaluation, inner);
          break;
        }
      }
    }
  }

  State& state_;
  const std::string_view text_;
  const unsigned depth_;
  const std::uint64_t base_;
  std::vector<std::string> chain_;
  std::size_t at_ = 0;
  unsigned nesting_ = 0;
  std::vector<Pending> pending_;
  std::size_t here_end_ = 0;
  bool split_braces_ = false;

};

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string decode_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
    if (value < 0) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++count % 4 != 1) bytes.push_back(static_cast<char>(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0)));
  }
  return bytes;
}

std::string decode_hex(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    const int value = hex_value(c);
    if (value < 0) continue;
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<char>(high << 4 | value));
      high = -1;
    }
  }
  return bytes;
}

std::string with_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    if (c == 'n') {
      out.push_back('\n');
    } else if (c == 't') {
      out.push_back('\t');
    } else if (c == 'x') {
      int value = 0;
      for (unsigned n = 0; n < 2 && i + 1 < text.size() && hex_value(text[i + 1]) >= 0; ++n) value = value * 16 + hex_value(text[++i]);
      out.push_back(static_cast<char>(value));
    } else if (c >= '0' && c <= '7') {
      int value = c - '0';
      for (unsigned n = 0; n < (c == '0' ? 3u : 2u) && i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '7'; ++n) value = value * 8 + (text[++i] - '0');
      out.push_back(static_cast<char>(value));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string expand_set(std::string_view set) {
  std::string out;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-' && static_cast<unsigned char>(set[i]) <= static_cast<unsigned char>(set[i + 2])) {
      for (int c = static_cast<unsigned char>(set[i]); c <= static_cast<unsigned char>(set[i + 2]); ++c) out.push_back(static_cast<char>(c));
      i += 2;
    } else {
      out.push_back(set[i]);
    }
  }
  return out;
}

}  // namespace

std::string_view ShellCommand::program() const { return words.empty() || !words[0].is_static ? std::string_view() : base_name(words[0].text); }

std::string ShellCommand::text() const {
  std::string text;
  for (const ShellWord& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

bool is_shell(std::string_view program) {
  for (const std::string_view name : {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash"}) {
    if (program == name) return true;
  }
  return false;
}

bool is_interpreter(std::string_view program) {
  if (is_shell(program)) return true;
  while (!program.empty() && ((program.back() >= '0' && program.back() <= '9') || program.back() == '.')) program.remove_suffix(1);
  for (const std::string_view name : {"python", "perl", "ruby", "php", "node", "nodejs", "lua", "pypy", "tclsh", "deno", "bun"}) {
    if (program == name) return true;
  }
  return false;
}

std::size_t program_word(const ShellCommand& command) {
  std::size_t at = 0;
  while (at < command.words.size()) {
    const std::string_view program = base_name(command.words[at].text);
    bool wrapper = false;
    for (const std::string_view name : {"sudo", "doas", "env", "nohup", "setsid", "exec", "busybox", "toybox", "command", "builtin", "nice", "ionice", "stdbuf", "time", "timeout",
                                        "tini", "dumb-init", "gosu", "su-exec", "tini-static", "chrt", "unbuffer", "catchsegv"}) {
      wrapper |= program == name;
    }
    if (!wrapper) return at;
    ++at;
    // Their options, numbers (timeout 5) and assignments (env A=b); -u root takes a word.
    while (at < command.words.size()) {
      const std::string& word = command.words[at].text;
      if (word == "--") {
        ++at;
        break;
      }
      if (word.starts_with('-')) {
        at += (program == "sudo" && (word == "-u" || word == "-g")) || (program == "nice" && word == "-n") || (program == "exec" && word == "-a") ? 2 : 1;
      } else if ((program == "timeout" && !word.empty() && word[0] >= '0' && word[0] <= '9') || (program == "env" && word.find('=') != std::string::npos)) {
        ++at;
      } else if ((program == "gosu" || program == "su-exec") && at + 1 < command.words.size()) {
        ++at;
        break;
      } else {
        break;
      }
    }
  }
  return at;
}

std::string static_output(const ShellScript& script, std::size_t last, bool* known) {
  *known = false;
  if (last >= script.commands.size()) return "";
  // The commands of the pipeline up to the last one, in order. Inner commands of other pipelines stand between them.
  std::vector<const ShellCommand*> stages;
  for (std::size_t i = last + 1; i-- > 0 && stages.size() < 32;) {
    if (script.commands[i].pipeline == script.commands[last].pipeline) stages.push_back(&script.commands[i]);
    if (last - i > 256) break;
  }
  std::reverse(stages.begin(), stages.end());
  std::string data;
  bool have = false;
  for (const ShellCommand* stage : stages) {
    const std::size_t at = program_word(*stage);
    if (at >= stage->words.size()) return "";
    const std::string_view program = base_name(stage->words[at].text);
    const auto& words = stage->words;
    std::string options, first;
    bool all_static = true;
    std::vector<std::string> arguments;
    for (std::size_t i = at + 1; i < words.size(); ++i) {
      all_static = all_static && words[i].is_static;
      arguments.push_back(words[i].text);
    }
    for (const ShellRedirection& redirection : stage->redirections) {
      if (redirection.operation == "<<" || redirection.operation == "<<<") {
        data = redirection.target.text;
        have = redirection.target.is_static;
      }
    }
    const auto has = [&](std::string_view option) { return std::find(arguments.begin(), arguments.end(), option) != arguments.end(); };
    if (program == "echo") {
      if (!all_static) return "";
      std::size_t i = 0;
      bool escapes = false, line_end = true;
      while (i < arguments.size() && (arguments[i] == "-n" || arguments[i] == "-e" || arguments[i] == "-ne" || arguments[i] == "-en" || arguments[i] == "-E")) {
        escapes |= arguments[i].find('e') != std::string::npos;
        line_end &= arguments[i].find('n') == std::string::npos;
        ++i;
      }
      data.clear();
      for (; i < arguments.size(); ++i) data += (data.empty() ? "" : " ") + arguments[i];
      if (escapes) data = with_escapes(data);
      if (line_end) data += '\n';
      have = true;
    } else if (program == "printf") {
      if (!all_static || arguments.empty()) return "";
      std::string format = with_escapes(arguments[0]);
      std::size_t next = 1;
      data.clear();
      for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] == '%' && i + 1 < format.size() && (format[i + 1] == 's' || format[i + 1] == 'b')) {
          if (next < arguments.size()) data += format[i + 1] == 'b' ? with_escapes(arguments[next]) : arguments[next];
          ++next;
          ++i;
        } else {
          data.push_back(format[i]);
        }
      }
      have = true;
    } else if (program == "cat" && (arguments.empty() || arguments[0] == "-")) {
    } else if ((program == "base64" && (has("-d") || has("--decode") || has("-D") || has("-di"))) || (program == "openssl" && has("-d") && (has("base64") || has("-base64") || has("-a")))) {
      data = decode_base64(data);
    } else if (program == "xxd" && (has("-r") || has("-rp") || has("-pr"))) {
      data = decode_hex(data);
    } else if (program == "rev") {
      std::string out, line;
      for (const char c : data) {
        if (c == '\n') {
          std::reverse(line.begin(), line.end());
          out += line + "\n";
          line.clear();
        } else {
          line.push_back(c);
        }
      }
      std::reverse(line.begin(), line.end());
      data = out + line;
    } else if (program == "tr" && arguments.size() == 2 && arguments[0] == "-d") {
      const std::string set = expand_set(with_escapes(arguments[1]));
      std::erase_if(data, [&](char c) { return set.find(c) != std::string::npos; });
    } else if (program == "tr" && arguments.size() == 2 && !arguments[0].starts_with('-')) {
      const std::string from = expand_set(with_escapes(arguments[0])), to = expand_set(with_escapes(arguments[1]));
      if (to.empty()) return "";
      for (char& c : data) {
        const auto index = from.find(c);
        if (index != std::string::npos) c = to[std::min(index, to.size() - 1)];
      }
    } else {
      return "";
    }
    if (!have || data.size() > value_limit * 16) return "";
  }
  *known = have;
  return data;
}

ShellScript parse_shell(std::string_view text) {
  State state;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Parser(state, text, 0, 0, {}).parse();
  return std::move(state.script);
}

ShellScript parse_arguments(const std::vector<std::string>& arguments) { return parse_shell(quote_arguments(arguments)); }

std::string quote_arguments(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line += ' ';
    const bool plain = !argument.empty() && argument.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%") == std::string::npos;
    if (plain) {
      line += argument;
      continue;
    }
    line += '\'';
    for (const char c : argument) {
      if (c == '\'') {
        line += "'\\''";
      } else {
        line += c;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace lazaret::format
