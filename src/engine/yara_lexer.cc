#include "engine/yara_lexer.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.h"

namespace lazaret::engine {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_letter(c) || is_digit(c); }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

YaraToken bad(std::string what, std::size_t begin) {
  YaraToken token;
  token.kind = YaraToken::Kind::bad;
  token.text = std::move(what);
  token.begin = token.end = begin;
  return token;
}

}  // namespace

std::size_t YaraLexer::line_at(std::size_t offset) const {
  return 1 + static_cast<std::size_t>(std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(std::min(offset, source_.size())), '\n'));
}

bool YaraLexer::skip_comment() {
  if (at(position_) != '/') return false;
  if (at(position_ + 1) == '/') {
    position_ = std::min(source_.find('\n', position_), source_.size());
    return true;
  }
  if (at(position_ + 1) == '*') {
    const auto close = source_.find("*/", position_ + 2);
    position_ = close == std::string_view::npos ? source_.size() : close + 2;
    return true;
  }
  return false;
}

bool YaraLexer::skip_space() {
  while (position_ < source_.size()) {
    const char c = source_[position_];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      ++position_;
    } else if (!skip_comment()) {
      return true;
    }
  }
  return false;
}

YaraToken YaraLexer::next() {
  if (position_ == 0 && source_.starts_with("\xef\xbb\xbf")) position_ = 3;
  YaraToken token;
  if (!skip_space()) {
    token.begin = token.end = source_.size();
    return token;
  }
  const std::size_t begin = position_;
  const char c = source_[begin];
  if (c == '"') return read_text(begin);
  if (c == '/') return read_regexp(begin);
  if (is_digit(c)) return read_number(begin);
  if (c == '$' || c == '#' || c == '@' || (c == '!' && at(begin + 1) != '=')) return read_string_name(begin);
  token.begin = begin;
  if (is_letter(c)) {
    while (position_ < source_.size() && is_word(source_[position_])) ++position_;
    token.kind = YaraToken::Kind::word;
  } else {
    static constexpr std::array<std::string_view, 7> pairs = {"==", "!=", "<=", ">=", "<<", ">>", ".."};
    const bool pair = std::find(pairs.begin(), pairs.end(), source_.substr(begin, 2)) != pairs.end();
    if (!pair && std::string_view("{}()[]<>=+-*\\%&|^~.,:?").find(c) == std::string_view::npos) return bad("a character that has no meaning here", begin);
    position_ += pair ? 2 : 1;
    token.kind = YaraToken::Kind::sign;
  }
  token.end = position_;
  token.text = source_.substr(begin, position_ - begin);
  return token;
}

YaraToken YaraLexer::read_text(std::size_t begin) {
  YaraToken token;
  token.kind = YaraToken::Kind::text;
  token.begin = begin;
  for (position_ = begin + 1;; ++position_) {
    if (position_ >= source_.size() || source_[position_] == '\n') return bad("a text that does not end", begin);
    const char c = source_[position_];
    if (c == '"') break;
    if (c != '\\') {
      token.text += c;
      continue;
    }
    const char escaped = at(++position_);
    switch (escaped) {
      case 't': token.text += '\t'; break;
      case 'n': token.text += '\n'; break;
      case 'r': token.text += '\r'; break;
      case '"': token.text += '"'; break;
      case '\\': token.text += '\\'; break;
      case 'x': {
        const auto byte = from_hex(source_.substr(std::min(position_ + 1, source_.size()), 2));
        if (!byte || byte->size() != 1) return bad("an escape sequence that is not known", begin);
        token.text += *byte;
        position_ += 2;
        break;
      }
      default: return bad("an escape sequence that is not known", begin);
    }
  }
  token.end = ++position_;
  return token;
}

YaraToken YaraLexer::read_regexp(std::size_t begin) {
  YaraToken token;
  token.kind = YaraToken::Kind::regexp;
  token.begin = begin;
  for (position_ = begin + 1;; ++position_) {
    if (position_ >= source_.size() || source_[position_] == '\n') return bad("a regular expression that does not end", begin);
    const char c = source_[position_];
    if (c == '/') break;
    if (c == '\\' && at(position_ + 1) != '\n') {
      // An escaped slash is a slash; other escapes are the expression's own.
      if (at(position_ + 1) != '/') token.text += c;
      token.text += at(++position_);
      continue;
    }
    token.text += c;
  }
  ++position_;
  while (at(position_) == 'i' || at(position_) == 's') token.flags += source_[position_++];
  token.end = position_;
  return token;
}

YaraToken YaraLexer::read_number(std::size_t begin) {
  YaraToken token;
  token.kind = YaraToken::Kind::integer;
  token.begin = begin;
  unsigned base = 10;
  if (source_[begin] == '0' && at(begin + 1) == 'x' && is_hex_digit(at(begin + 2))) base = 16;
  if (source_[begin] == '0' && at(begin + 1) == 'o' && is_digit(at(begin + 2))) base = 8;
  position_ = begin + (base == 10 ? 0 : 2);
  // What does not fit 63 bits is a number whose value is not known here.
  std::uint64_t value = 0;
  bool too_large = false;
  constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
  for (; base == 16 ? is_hex_digit(at(position_)) : is_digit(at(position_)); ++position_) {
    const char c = source_[position_];
    const unsigned digit = is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a') + 10;
    if (value > (largest - digit) / base) {
      too_large = true;
    } else {
      value = value * base + digit;
    }
  }
  if (base == 10 && at(position_) == '.' && is_digit(at(position_ + 1))) {
    token.kind = YaraToken::Kind::floating;
    for (++position_; is_digit(at(position_)); ++position_) {
    }
  } else if (base == 10 && (source_.substr(position_, 2) == "KB" || source_.substr(position_, 2) == "MB")) {
    const std::uint64_t unit = source_[position_] == 'K' ? 1024 : 1048576;
    if (value > largest / unit) too_large = true;
    value *= unit;
    position_ += 2;
  }
  if (too_large) token.kind = YaraToken::Kind::floating;
  token.value = too_large ? 0 : static_cast<std::int64_t>(value);
  token.end = position_;
  return token;
}

YaraToken YaraLexer::read_string_name(std::size_t begin) {
  YaraToken token;
  token.begin = begin;
  const char mark = source_[begin];
  token.kind = mark == '$'   ? YaraToken::Kind::string_name
               : mark == '#' ? YaraToken::Kind::string_count
               : mark == '@' ? YaraToken::Kind::string_offset
                             : YaraToken::Kind::string_length;
  for (position_ = begin + 1; is_word(at(position_)); ++position_) {
  }
  if (mark == '$' && at(position_) == '*') ++position_;
  token.text = "$" + std::string(source_.substr(begin + 1, position_ - begin - 1));
  token.end = position_;
  return token;
}

bool YaraLexer::read_hex_string(std::string& content) {
  content.clear();
  while (position_ < source_.size()) {
    if (skip_comment()) continue;
    const char c = source_[position_++];
    if (c == '}') return true;
    content += c;
  }
  return false;
}

}  // namespace lazaret::engine
