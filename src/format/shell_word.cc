// Words of the shell: quoting, parameter expansion, command substitution, brace lists and field
// splitting (IEEE 1003.1 chapter 2.2, 2.6; bash for $'...', {a,b}, ${a:0:1}, ${a//b/c}, arrays).
//
// A word is built of parts. Of each part it is known whether it was quoted (then it is not split),
// and whether its value is known. Values that grow by repeated expansion (b=$a$a; c=$b$b; ...) are
// paid for out of State::work.
#include <algorithm>
#include <iterator>

#include "format/shell_parser.h"

namespace lazaret::format::shell {
namespace {

constexpr std::size_t pattern_value_limit = 512;  // ${a##pattern} tries every length
constexpr unsigned range_limit = 256;             // {1..256}
constexpr std::uint64_t word_cost = 64;

bool has_glob(std::string_view text) {
  return text.find_first_of("*?[\\") != std::string_view::npos;
}

std::string without_escapes(std::string_view pattern) {
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    text.push_back(pattern[i]);
  }
  return text;
}

char change_case(char c, bool upper) {
  if (upper && c >= 'a' && c <= 'z') return static_cast<char>(c - 32);
  if (!upper && c >= 'A' && c <= 'Z') return static_cast<char>(c + 32);
  return c;
}

}  // namespace

bool State::spend(std::uint64_t bytes) {
  if (bytes > work) {
    work = 0;
    script.cut = true;
    return false;
  }
  work -= bytes;
  return true;
}

void State::set(std::string_view name, Variable variable) {
  for (ShellWord& item : variable.items) {
    if (item.text.size() > value_limit) {
      script.cut = true;
      return;
    }
    if (file_origin != 0) item.origin = origins.join(file_origin, item.origin);
  }
  variable.exported |= export_all;
  const auto known = variables.find(name);
  if (known != variables.end()) {
    variable.exported |= known->second.exported;
    if (conditional > 0 && !known->second.items.empty() &&
        !known->second.items.front().text.empty() && name != "IFS") {
      script.branches = true;
      if (environment != nullptr && environment->keep_values) return;
    }
    known->second = std::move(variable);
  } else if (variables.size() < variable_limit) {
    variables.emplace(std::string(name), std::move(variable));
  } else {
    script.cut = true;
  }
}

std::string_view State::separators() const {
  const auto known = variables.find("IFS");
  if (known == variables.end() || known->second.items.empty()) return " \t\n";
  return std::string_view(known->second.items.front().text).substr(0, 64);
}

bool State::spend_on(const std::vector<ShellWord>& words) {
  std::uint64_t cost = 0;
  for (const ShellWord& word : words) {
    cost += word_cost + word.text.size();
    if (cost > work) break;
  }
  return spend(cost);
}

void Fields::literal(char c) {
  current_.text.push_back(c);
  current_.glob |= c == '*' || c == '?' || c == '[';
  started_ = true;
}

void Fields::quoted(std::string_view text) {
  current_.text += text;
  current_.quoted = true;
  started_ = true;
}

void Fields::append(std::string_view value) {
  if (!state_.spend(value.size())) {
    current_.is_static = false;
    return;
  }
  current_.text += value;
}

void Fields::expansion(std::string_view value, bool is_static, bool in_quotes,
                       std::uint32_t origin) {
  current_.is_static &= is_static;
  if (origin != 0 && !value.empty())
    current_.origin = state_.origins.join(current_.origin, origin);
  if (in_quotes || !split_) {
    append(value);
    started_ |= !value.empty() || !is_static;
    return;
  }
  const std::string separators(state_.separators());
  while (!value.empty()) {
    const auto end = std::min(value.find_first_of(separators), value.size());
    if (end > 0) {
      append(value.substr(0, end));
      current_.glob |= value.substr(0, end).find_first_of("*?[") != std::string_view::npos;
      started_ = true;
    }
    if (end == value.size()) break;
    next();
    current_.is_static &= is_static;
    current_.origin = origin;
    value.remove_prefix(end + 1);
  }
  started_ |= !is_static;
}

void Fields::unknown() {
  current_.is_static = false;
  started_ = true;
}

void Fields::next() {
  if (!started_ || !split_) return;
  if (state_.spend(word_cost)) done_.push_back(std::move(current_));
  current_ = {};
  current_.offset = offset_;
  started_ = false;
}

std::vector<ShellWord> Fields::take() {
  next();
  return std::move(done_);
}

// --- reading

void Parser::read_word(Fields& fields, Inner& inner) {
  while (!at_end()) {
    const char c = peek();
    if ((c == '<' || c == '>') && peek(1) == '(') {
      if (too_deep()) {
        state_.script.cut = true;
        at_ += 2;
        continue;
      }
      at_ += 2;
      substitution(inner, ShellNesting::process, c == '<' ? "<()" : ">()");
      fields.unknown();
      continue;
    }
    if (ends_word(c)) return;
    if (c == '\r' && (peek(1) == '\n' || at_ + 1 == text_.size())) return;
    if (c == '\\') {
      if (peek(1) == '\n') {
        at_ += 2;
      } else if (peek(1) == '\r' && peek(2) == '\n') {
        at_ += 3;
      } else {
        fields.quoted(text_.substr(at_ + 1, 1));
        at_ = std::min(at_ + 2, text_.size());
      }
    } else if (c == '\'') {
      const auto end = std::min(text_.find('\'', at_ + 1), text_.size());
      fields.quoted(text_.substr(at_ + 1, end - at_ - 1));
      at_ = std::min(end + 1, text_.size());
    } else if (c == '"') {
      ++at_;
      double_quoted(fields, inner);
    } else if (c == '$') {
      dollar(fields, inner, false);
    } else if (c == '`') {
      backquoted(fields, inner, false);
    } else if (c == '{' && fields.splits() && braces(fields, inner)) {
      continue;
    } else {
      fields.literal(c);
      ++at_;
    }
  }
}

ShellWord Parser::read_value(Inner& inner) {
  Fields fields(state_, false, position(at_));
  read_word(fields, inner);
  return fields.take_word();
}

// The word behind <<: quotes are taken away, nothing is expanded.
ShellWord Parser::read_delimiter() {
  ShellWord word;
  while (!at_end() && !ends_word(peek()) && peek() != '\r') {
    const char c = peek();
    if (c == '\\' && at_ + 1 < text_.size()) {
      word.quoted = true;
      word.text.push_back(peek(1));
      at_ += 2;
    } else if (c == '\'' || c == '"') {
      word.quoted = true;
      const auto end = std::min(text_.find(c, at_ + 1), text_.size());
      word.text += text_.substr(at_ + 1, end - at_ - 1);
      at_ = std::min(end + 1, text_.size());
    } else {
      word.text.push_back(c);
      ++at_;
    }
  }
  return word;
}

void Parser::double_quoted(Fields& fields, Inner& inner) {
  fields.quoted("");
  while (!at_end() && peek() != '"') {
    const char c = peek();
    if (c == '\\' && std::string_view("$`\"\\\n").find(peek(1)) != std::string_view::npos) {
      if (peek(1) != '\n') fields.quoted(text_.substr(at_ + 1, 1));
      at_ = std::min(at_ + 2, text_.size());
    } else if (c == '$') {
      dollar(fields, inner, true);
    } else if (c == '`') {
      backquoted(fields, inner, true);
    } else {
      const auto end = std::min(text_.find_first_of("\"\\$`", at_ + 1), text_.size());
      fields.quoted(text_.substr(at_, end - at_));
      at_ = end;
    }
  }
  if (!at_end()) ++at_;
}

// $'...'
void Parser::ansi_quoted(Fields& fields) {
  std::string text;
  while (!at_end() && peek() != '\'') {
    if (peek() == '\\') {
      append_escape(text_, at_, EscapeStyle::ansi, text);
    } else {
      text.push_back(peek());
      ++at_;
    }
  }
  fields.quoted(text);
  if (!at_end()) ++at_;
}

// $name, $1, $@, ${...}, $(...), $((...)), $'...', $"..."
void Parser::dollar(Fields& fields, Inner& inner, bool in_quotes) {
  const char c = peek(1);
  if (c == '(') {
    if (peek(2) == '(') {
      const auto outside = closing_parenthesis(at_ + 1), inside = closing_parenthesis(at_ + 2);
      if (outside && inside && *inside + 1 == *outside) {
        const std::string_view expression = text_.substr(at_ + 3, *inside - at_ - 3);
        const auto value = number(expression, inner);
        at_ = *outside + 1;
        if (value) {
          fields.expansion(std::to_string(*value), true, in_quotes);
        } else {
          fields.unknown();
        }
        return;
      }
    }
    at_ += 2;
    if (too_deep()) {
      state_.script.cut = true;
      fields.unknown();
      return;
    }
    const std::size_t first = substitution(inner, ShellNesting::substitution, "$()");
    append_output(fields, inner, first, in_quotes);
  } else if (c == '{') {
    const std::size_t begin = at_ + 2, end = closing_brace(begin, in_quotes);
    at_ = std::min(end + 1, text_.size());
    parameter(fields, inner, text_.substr(begin, end - begin), in_quotes);
  } else if (c == '\'' && !in_quotes) {
    at_ += 2;
    ansi_quoted(fields);
  } else if (c == '"' && !in_quotes) {
    ++at_;
  } else if (is_name_start(c)) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_name(text_[end])) ++end;
    const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end;
    parameter(fields, inner, name, in_quotes);
  } else if (c != '\0' &&
             (is_digit(c) || std::string_view("@*?$!#-").find(c) != std::string_view::npos)) {
    const std::string_view name = text_.substr(at_ + 1, 1);
    at_ += 2;
    if (name == "@" || name == "*" || is_digit(c)) {
      parameter(fields, inner, name, in_quotes);
    } else {
      fields.unknown();
    }
  } else {
    fields.literal('$');
    ++at_;
  }
}

void Parser::backquoted(Fields& fields, Inner& inner, bool in_quotes) {
  const std::size_t begin = at_ + 1;
  std::size_t end = begin;
  std::string body;
  while (end < text_.size() && text_[end] != '`') {
    if (text_[end] == '\\' && end + 1 < text_.size() &&
        (text_[end + 1] == '`' || text_[end + 1] == '\\' || text_[end + 1] == '$' ||
         (in_quotes && text_[end + 1] == '"')))
      ++end;
    body.push_back(text_[end++]);
  }
  at_ = std::min(end + 1, text_.size());
  const std::size_t first = inner.size();
  evaluate(body, position(begin), fixed_ || body.size() != end - begin, "$()",
           ShellNesting::substitution, inner);
  append_output(fields, inner, first, in_quotes);
}

// The index of the } that ends the parameter at `at`; text_.size() when there is none.
std::size_t Parser::closing_brace(std::size_t at, bool in_quotes) const {
  unsigned open = 1;
  for (; at < text_.size(); ++at) {
    const char c = text_[at];
    if (c == '\\') {
      ++at;
    } else if (c == '\'' && !in_quotes) {
      at = std::min(text_.find('\'', at + 1), text_.size());
    } else if (c == '$' && at + 1 < text_.size() && text_[at + 1] == '{') {
      ++open;
      ++at;
    } else if (c == '}' && --open == 0) {
      return at;
    }
  }
  return text_.size();
}

// The parenthesis that closes the one at `at`, quotes not looked at: only to tell arithmetic from
// a substitution that begins with a subshell.
std::optional<std::size_t> Parser::closing_parenthesis(std::size_t at) {
  if (!parentheses_table_) {
    parentheses_table_.emplace();
    std::vector<std::size_t> open;
    for (std::size_t i = text_.find_first_of("()"); i != std::string_view::npos;
         i = text_.find_first_of("()", i + 1)) {
      if (text_[i] == '(') {
        open.push_back(i);
      } else if (!open.empty()) {
        parentheses_table_->emplace_back(open.back(), i);
        open.pop_back();
      }
    }
    std::sort(parentheses_table_->begin(), parentheses_table_->end());
  }
  const auto found = std::lower_bound(parentheses_table_->begin(), parentheses_table_->end(),
                                      std::pair<std::size_t, std::size_t>{at, 0});
  if (found == parentheses_table_->end() || found->first != at) return std::nullopt;
  return found->second;
}

// --- parameters

// What stands between ${ and }, or the name behind $.
void Parser::parameter(Fields& fields, Inner& inner, std::string_view body, bool in_quotes) {
  if (body == "@" || body == "*") {
    // Unknown arguments of the script are mostly none, and c$@url is used to split words.
    if (state_.positional) append_items(fields, *state_.positional, body == "@", in_quotes);
    return;
  }
  bool indirect = false, length = false;
  if (body.size() > 1 && (body[0] == '!' || body[0] == '#')) {
    indirect = body[0] == '!';
    length = body[0] == '#';
    body.remove_prefix(1);
  }
  std::size_t end = 0;
  if (!body.empty() && is_digit(body[0])) {
    while (end < body.size() && is_digit(body[end])) ++end;
  } else if (body.starts_with('@') || body.starts_with('*')) {
    end = 1;
  } else {
    while (end < body.size() && is_name(body[end])) ++end;
  }
  std::string_view name = body.substr(0, end);
  std::string_view operation = body.substr(end);
  if (name.empty()) {
    fields.unknown();
    return;
  }

  std::vector<ShellWord> items;
  bool known = false;
  const auto look_up = [&](std::string_view of) {
    if (of == "0" && state_.self) {
      known = true;
      items.push_back(*state_.self);
    } else if (is_digit(of[0])) {
      if (!state_.positional || of.size() > 4) return;
      const std::size_t index = std::stoul(std::string(of));
      known = index > 0 || state_.self;
      if (index == 0 && known) items.push_back(*state_.self);
      if (index > 0 && index <= state_.positional->size())
        items.push_back((*state_.positional)[index - 1]);
    } else if (of == "@" || of == "*") {
      known = state_.positional.has_value();
      if (known && state_.spend_on(*state_.positional)) items = *state_.positional;
    } else if (const auto variable = state_.variables.find(of);
               variable != state_.variables.end()) {
      if (!state_.spend_on(variable->second.items)) return;
      known = true;
      items = variable->second.items;
    }
  };
  look_up(name);
  if (indirect && known) {
    const std::string target = items.empty() ? "" : items.front().text;
    known = false;
    items.clear();
    if (!target.empty() && std::all_of(target.begin(), target.end(), is_name)) look_up(target);
  }

  bool all = name == "@" || name == "*";
  if (operation.starts_with('[')) {
    const auto close = std::min(operation.find(']'), operation.size());
    const std::string_view subscript = operation.substr(1, close - 1);
    operation = operation.substr(std::min(close + 1, operation.size()));
    if (subscript == "@" || subscript == "*") {
      all = true;
    } else if (known) {
      const auto index = number(subscript, inner);
      if (!index) {
        fields.unknown();
        return;
      }
      const auto size = static_cast<std::int64_t>(items.size());
      const std::int64_t place = *index < 0 ? *index + size : *index;
      if (place < 0 || place >= size) {
        items.clear();
      } else {
        items = {items[static_cast<std::size_t>(place)]};
      }
    }
  }
  if (length) {
    if (!known) {
      fields.unknown();
    } else {
      const std::size_t size = all ? items.size() : items.empty() ? 0 : items.front().text.size();
      fields.expansion(std::to_string(size), all || items.empty() || items.front().is_static,
                       in_quotes);
    }
    return;
  }
  if (all && known && operation.empty()) {
    append_items(fields, items, true, in_quotes);
    return;
  }

  // ${x:-word}, ${x-word}, ${x:=word}, ${x:+word}: the word is what is most likely used when
  // nothing is known of x.
  const std::size_t colon = operation.starts_with(':') ? 1 : 0;
  const char kind = operation.size() > colon ? operation[colon] : '\0';
  const bool empty = items.empty() || items.front().text.empty();
  if (kind == '-' || kind == '=' || kind == '+' || kind == '?') {
    const bool use_word =
        kind == '+' ? !known || !empty : kind != '?' && (!known || (empty && colon == 1));
    if (use_word) {
      const ShellWord word = expand_part(operation.substr(colon + 1), inner);
      if (kind == '=') state_.set(name, word);
      const bool certain = known || state_.environment != nullptr;
      fields.expansion(word.text, word.is_static && certain, in_quotes, word.origin);
      if (!certain && word.text.empty()) fields.unknown();
      return;
    }
    operation = {};
    if (kind == '+') return;
  }
  if (!known) {
    // Where the environment is known, a variable that nobody sets is empty.
    if (state_.environment == nullptr || !is_name_start(name[0])) fields.unknown();
    return;
  }
  const ShellWord value = items.empty() ? ShellWord{} : std::move(items.front());
  if (operation.empty()) {
    fields.expansion(value.text, value.is_static, in_quotes, value.origin);
  } else {
    transform(fields, inner, value, operation, in_quotes);
  }
}

// ${a:0:1}, ${a/b/c}, ${a#b}, ${a%b}, ${a^^}
void Parser::transform(Fields& fields, Inner& inner, const ShellWord& value,
                       std::string_view operation, bool in_quotes) {
  const std::string& text = value.text;
  const auto give = [&](std::string_view result, bool sure = true) {
    fields.expansion(result, value.is_static && sure, in_quotes, value.origin);
  };
  const auto size = static_cast<std::int64_t>(text.size());

  if (operation[0] == ':') {
    const auto second = operation.find(':', 1);
    const auto offset =
        number(operation.substr(1, second == std::string_view::npos ? second : second - 1), inner);
    const auto count = second == std::string_view::npos
                           ? std::optional<std::int64_t>(size)
                           : number(operation.substr(second + 1), inner);
    if (!offset || !count) return fields.unknown();
    const std::int64_t begin =
        std::clamp<std::int64_t>(*offset < 0 ? std::max(*offset, -size) + size : *offset, 0, size);
    const std::int64_t end =
        *count < 0 ? size + std::max(*count, -size) : begin + std::min(*count, size - begin);
    if (end < begin) return give("");
    return give(std::string_view(text).substr(static_cast<std::size_t>(begin),
                                              static_cast<std::size_t>(end - begin)));
  }

  if (operation[0] == '/') {
    const bool all = operation.starts_with("//");
    std::string_view rest = operation.substr(all ? 2 : 1);
    std::size_t slash = 0;
    while (slash < rest.size() && rest[slash] != '/') slash += rest[slash] == '\\' ? 2 : 1;
    slash = std::min(slash, rest.size());
    const std::string from = expand_part(rest.substr(0, slash), inner).text;
    const std::string to =
        slash < rest.size() ? expand_part(rest.substr(slash + 1), inner).text : std::string();
    std::string result;
    const bool one_character =
        from == "?" || (from.size() > 2 && from[0] == '[' && from.back() == ']' &&
                        from.find(']', 2) == from.size() - 1);
    if (from.empty()) return give(text);
    if (one_character) {
      bool done = false;
      for (const char c : text) {
        if ((all || !done) && pattern_fits(from, {&c, 1})) {
          if (!state_.spend(to.size() + from.size())) return fields.unknown();
          result += to;
          done = true;
        } else {
          result.push_back(c);
        }
      }
      return give(result);
    }
    const std::string plain = without_escapes(from);
    if (has_glob(from) && plain == from) return give(text, false);
    std::size_t at = 0;
    for (;;) {
      const auto found = text.find(plain, at);
      if (found == std::string::npos || !state_.spend(to.size() + 1)) break;
      result += text.substr(at, found - at);
      result += to;
      at = found + plain.size();
      if (!all) break;
    }
    result += text.substr(at);
    return give(result);
  }

  if (operation[0] == '#' || operation[0] == '%') {
    const bool prefix = operation[0] == '#';
    const bool longest = operation.size() > 1 && operation[1] == operation[0];
    const std::string pattern = expand_part(operation.substr(longest ? 2 : 1), inner).text;
    if (!has_glob(pattern)) {
      std::string_view rest = text;
      if (prefix && rest.starts_with(pattern)) rest.remove_prefix(pattern.size());
      if (!prefix && rest.ends_with(pattern)) rest.remove_suffix(pattern.size());
      return give(rest);
    }
    if (text.size() > pattern_value_limit || pattern.size() > pattern_value_limit ||
        !state_.spend(text.size() * (pattern.size() + 1)))
      return give(text, false);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      const std::size_t part = longest ? text.size() - i : i;
      const std::string_view candidate = prefix ? std::string_view(text).substr(0, part)
                                                : std::string_view(text).substr(text.size() - part);
      if (pattern_fits(pattern, candidate))
        return give(prefix ? std::string_view(text).substr(part)
                           : std::string_view(text).substr(0, text.size() - part));
    }
    return give(text);
  }

  if (operation == "^^" || operation == ",," || operation == "^" || operation == ",") {
    std::string result = text;
    for (char& c : result) {
      c = change_case(c, operation[0] == '^');
      if (operation.size() == 1) break;
    }
    return give(result);
  }
  give(text, false);
}

// $@ and ${a[@]}: in quotes each item stays a word.
void Parser::append_items(Fields& fields, const std::vector<ShellWord>& items, bool apart,
                          bool in_quotes) {
  bool first = true;
  for (const ShellWord& item : items) {
    if (state_.work == 0) return fields.unknown();
    if (!first) {
      if (fields.splits() && (apart || !in_quotes)) {
        fields.next();
        if (in_quotes) fields.quoted("");
      } else {
        fields.quoted(" ");
      }
    }
    first = false;
    fields.expansion(item.text, item.is_static, in_quotes, item.origin);
  }
}

// The default of ${x:-...} and the like: quotes and expansions, but blanks do not end it.
ShellWord Parser::expand_part(std::string_view part, Inner& inner) {
  ShellWord word;
  if (part.find_first_of("$`'\"\\") == std::string_view::npos) {
    word.text = part;
    return word;
  }
  if (too_deep() || !state_.spend(part.size())) {
    state_.script.cut = true;
    word.text = part;
    return word;
  }
  Parser parser(state_, part, depth_ + nesting_ + 1, position(at_), true, chain_);
  Fields fields(state_, false, position(at_));
  while (!parser.at_end()) {
    parser.read_word(fields, inner);
    if (parser.at_end()) break;
    fields.literal(parser.peek());
    ++parser.at_;
  }
  return fields.take_word();
}

// Expands a here-document: quotes are plain characters.
ShellWord Parser::expand(std::string_view text, Inner& inner) {
  ShellWord word;
  if (too_deep()) {
    state_.script.cut = true;
    word.text = text;
    return word;
  }
  Parser parser(state_, text, depth_ + nesting_ + 1, position(at_), true, chain_);
  Fields fields(state_, false, position(at_));
  while (!parser.at_end()) {
    const char c = parser.peek();
    if (c == '\\' && std::string_view("$`\\\n").find(parser.peek(1)) != std::string_view::npos) {
      if (parser.peek(1) != '\n') fields.quoted(text.substr(parser.at_ + 1, 1));
      parser.at_ = std::min(parser.at_ + 2, text.size());
    } else if (c == '$') {
      parser.dollar(fields, inner, true);
    } else if (c == '`') {
      parser.backquoted(fields, inner, true);
    } else {
      const auto end = std::min(text.find_first_of("\\$`", parser.at_ + 1), text.size());
      fields.quoted(text.substr(parser.at_, end - parser.at_));
      parser.at_ = end;
    }
  }
  return fields.take_word();
}

// An arithmetic expression; names stand for variables.
std::optional<std::int64_t> Parser::number(std::string_view expression, Inner& inner) {
  const ShellWord expanded = expand_part(expression, inner);
  if (!expanded.is_static || expanded.text.size() > 4096) return std::nullopt;
  std::string resolved;
  for (std::size_t at = 0; at < expanded.text.size();) {
    const char c = expanded.text[at];
    std::size_t end = at + 1;
    if (is_name(c)) {
      while (end < expanded.text.size() &&
             (is_name(expanded.text[end]) || expanded.text[end] == '#'))
        ++end;
    }
    const std::string_view token = std::string_view(expanded.text).substr(at, end - at);
    at = end;
    if (!is_name_start(c)) {
      resolved += token;
      continue;
    }
    const auto variable = state_.variables.find(token);
    if (variable == state_.variables.end() || variable->second.items.empty()) return std::nullopt;
    const ShellWord& value = variable->second.items.front();
    if (!value.is_static || value.text.empty() || value.text.size() > 20) return std::nullopt;
    resolved += '(' + value.text + ')';
  }
  return arithmetic(resolved);
}

// --- brace lists

// {a,b} or {1..3} at `at_`: each alternative is read with the parts of the word before and behind
// it. False, with nothing read, when it is no list.
bool Parser::braces(Fields& fields, Inner& inner) {
  if (at_ < no_braces_until_) return false;
  std::size_t end = at_ + 1, close = std::string_view::npos;
  unsigned open = 1;
  std::vector<std::size_t> commas;
  for (; end < text_.size() && !ends_word(text_[end]); ++end) {
    const char c = text_[end];
    if (c == '`' || (c == '$' && end + 1 < text_.size() && text_[end + 1] == '(')) {
      break;  // a substitution inside may hold anything
    }
    if (c == '\\') {
      ++end;
    } else if (c == '\'' || c == '"') {
      end = text_.find(c, end + 1);
      if (end == std::string_view::npos) break;
    } else if (c == '{' && close == std::string_view::npos) {
      ++open;
    } else if (c == ',' && open == 1) {
      commas.push_back(end);
    } else if (c == '}' && open > 0 && --open == 0) {
      close = end;
      break;
    }
  }
  if (close == std::string_view::npos) {
    no_braces_until_ = std::min(end, text_.size());
    return false;
  }
  no_braces_until_ = close;  // unless it is one
  std::vector<std::string> alternatives;
  const std::string_view body = text_.substr(at_ + 1, close - at_ - 1);
  if (!commas.empty()) {
    std::size_t begin = at_ + 1;
    for (const std::size_t comma : commas) {
      alternatives.emplace_back(text_.substr(begin, comma - begin));
      begin = comma + 1;
    }
    alternatives.emplace_back(text_.substr(begin, close - begin));
  } else if (const auto dots = body.find(".."); dots != std::string_view::npos) {
    const std::string_view from = body.substr(0, dots), to = body.substr(dots + 2);
    const auto first = arithmetic(from), last = arithmetic(to);
    const bool letters =
        from.size() == 1 && to.size() == 1 && is_name_start(from[0]) && is_name_start(to[0]);
    if (!letters && (!first || !last)) return false;
    const std::int64_t low = letters ? from[0] : *first, high = letters ? to[0] : *last;
    if (low < -100'000 || low > 100'000 || high < -100'000 || high > 100'000) return false;
    const std::int64_t step = low <= high ? 1 : -1;
    for (std::int64_t value = low; alternatives.size() < range_limit; value += step) {
      alternatives.push_back(letters ? std::string(1, static_cast<char>(value))
                                     : std::to_string(value));
      if (value == high) break;
    }
  } else {
    return false;
  }
  // The rest of the word stands behind each alternative.
  std::size_t tail = close + 1;
  while (tail < text_.size() && !ends_word(text_[tail])) {
    const char c = text_[tail];
    if (c == '`' || (c == '$' && tail + 1 < text_.size() && text_[tail + 1] == '(')) break;
    if (c == '\\') {
      tail += 2;
    } else if (c == '\'' || c == '"') {
      tail = std::min(text_.find(c, tail + 1), text_.size() - 1) + 1;
    } else {
      ++tail;
    }
  }
  tail = std::min(tail, text_.size());
  const std::string_view rest = text_.substr(close + 1, tail - close - 1);
  if (too_deep()) {
    state_.script.cut = true;
    return false;
  }
  const ShellWord prefix = fields.peek_word();
  const bool has_prefix = fields.in_word();
  const std::uint64_t base = position(at_);
  at_ = tail;
  bool first = true;
  for (const std::string& alternative : alternatives) {
    const std::string word = alternative + std::string(rest);
    if (!state_.spend(word_cost + word.size() + prefix.text.size())) return true;
    if (!first) {
      fields.next();
      if (has_prefix) fields.begin_with(prefix);
    }
    first = false;
    Parser parser(state_, word, depth_ + nesting_ + 1, base, true, chain_);
    parser.read_word(fields, inner);
  }
  return true;
}

// --- substitutions

// Reads commands up to the closing parenthesis, `at_` being behind the opening one. Their indices
// are appended to `inner`, from the index that is returned.
std::size_t Parser::substitution(Inner& inner, ShellNesting nesting, const char* step) {
  const std::size_t first = state_.script.commands.size(), first_inner = inner.size();
  chain_.emplace_back(step);
  ++nesting_;
  const std::string folder = state_.folder;
  body(Closer::parenthesis);
  state_.folder = folder;
  --nesting_;
  chain_.pop_back();
  for (std::size_t i = first; i < state_.script.commands.size(); ++i) {
    ShellCommand& command = state_.script.commands[i];
    if (command.nesting != ShellNesting::none) continue;
    command.nesting = nesting;
    inner.push_back(i);
  }
  return first_inner;
}

// The output of the commands inner[first...], as far as it is known.
Output Parser::output_of(const Inner& inner, std::size_t first) {
  Output output;
  output.known = first < inner.size();
  bool skip = false;
  for (std::size_t i = first; i < inner.size(); ++i) {
    const ShellCommand& command = state_.script.commands[inner[i]];
    // `command -v wget || command -v curl`: the first that gives something ends it.
    if (command.previous == ShellCommand::no_command || command.stage == 0)
      skip = command.connector == ShellConnector::or_if && !output.text.empty();
    const bool last =
        i + 1 == inner.size() || state_.script.commands[inner[i + 1]].pipeline != command.pipeline;
    if (!last || skip) continue;
    const Output part = state_.output(inner[i]);
    output.known &= part.known;
    output.text += part.text;
    output.origin = state_.origins.join(output.origin, part.origin);
  }
  return output;
}

void Parser::append_output(Fields& fields, const Inner& inner, std::size_t first, bool in_quotes) {
  Output output = output_of(inner, first);
  while (output.text.ends_with('\n')) output.text.pop_back();
  fields.expansion(output.text, output.known, in_quotes, output.origin);
  if (!output.known) fields.unknown();
}

}  // namespace lazaret::format::shell
