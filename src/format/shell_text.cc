// Escapes, patterns and arithmetic of the shell, apart from its grammar.
#include <algorithm>
#include <array>
#include <limits>

#include "format/shell_parser.h"

namespace lazaret::format::shell {
namespace {

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// Digits of `base` at text[at], at most `most`; nothing when there is none.
std::optional<std::uint32_t> read_digits(std::string_view text, std::size_t& at, int base,
                                         unsigned most) {
  std::uint32_t value = 0;
  unsigned count = 0;
  for (; count < most && at < text.size() && digit_value(text[at]) < base; ++count, ++at)
    value = value * static_cast<std::uint32_t>(base) +
            static_cast<std::uint32_t>(digit_value(text[at]));
  if (count == 0) return std::nullopt;
  return value;
}

void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x110000) {
    out.push_back(static_cast<char>(0xf0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

// A recursive-descent reader of integer expressions, with C's precedence.
class Arithmetic {
 public:
  explicit Arithmetic(std::string_view text) : text_(text) {}

  std::optional<std::int64_t> value() {
    const auto result = binary(0, 0);
    skip();
    return at_ == text_.size() ? result : std::nullopt;
  }

 private:
  using Value = std::optional<std::int64_t>;
  static constexpr unsigned depth_limit = 32;
  struct Operator {
    std::string_view spelling;
    int precedence;
  };
  // Longer spellings before their prefixes.
  static constexpr std::array<Operator, 12> operators = {{{"<<", 4},
                                                          {">>", 4},
                                                          {"**", 7},
                                                          {"+", 5},
                                                          {"-", 5},
                                                          {"*", 6},
                                                          {"/", 6},
                                                          {"%", 6},
                                                          {"&", 3},
                                                          {"^", 2},
                                                          {"|", 1},
                                                          {",", 0}}};

  void skip() {
    while (at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == '\n')) ++at_;
  }

  Value binary(int precedence, unsigned depth) {
    Value left = unary(depth);
    while (left) {
      skip();
      const Operator* found = nullptr;
      for (const Operator& candidate : operators) {
        if (text_.substr(at_, candidate.spelling.size()) == candidate.spelling) {
          found = &candidate;
          break;
        }
      }
      if (found == nullptr || found->precedence < precedence) return left;
      at_ += found->spelling.size();
      const Value right = binary(found->precedence + 1, depth + 1);
      if (!right) return std::nullopt;
      left = apply(found->spelling, *left, *right);
    }
    return left;
  }

  static Value apply(std::string_view operation, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (operation == "+") return __builtin_add_overflow(a, b, &result) ? Value() : result;
    if (operation == "-") return __builtin_sub_overflow(a, b, &result) ? Value() : result;
    if (operation == "*") return __builtin_mul_overflow(a, b, &result) ? Value() : result;
    if (operation == "&") return a & b;
    if (operation == "|") return a | b;
    if (operation == "^") return a ^ b;
    if (operation == ",") return b;
    if (operation == "**") {
      if (b < 0 || b > 64) return std::nullopt;
      result = 1;
      for (; b > 0; --b) {
        if (__builtin_mul_overflow(result, a, &result)) return std::nullopt;
      }
      return result;
    }
    if (operation == "<<" || operation == ">>") {
      if (a < 0 || b < 0 || b > 62) return std::nullopt;
      if (operation == ">>") return a >> b;
      if (a > (std::numeric_limits<std::int64_t>::max() >> b)) return std::nullopt;
      return a << b;
    }
    if (b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min())) return std::nullopt;
    return operation == "/" ? a / b : a % b;
  }

  Value unary(unsigned depth) {
    skip();
    if (at_ >= text_.size() || depth > depth_limit) return std::nullopt;
    const char c = text_[at_];
    if (c == '-' || c == '+' || c == '~' || c == '!') {
      ++at_;
      const Value value = unary(depth + 1);
      if (!value) return std::nullopt;
      if (c == '-') return apply("-", 0, *value);
      return c == '+' ? *value : c == '~' ? ~*value : *value == 0 ? 1 : 0;
    }
    if (c == '(') {
      ++at_;
      const Value value = binary(0, depth + 1);
      skip();
      if (at_ >= text_.size() || text_[at_] != ')') return std::nullopt;
      ++at_;
      return value;
    }
    return constant();
  }

  // 12, 0x1f, 017, 2#101
  Value constant() {
    std::size_t end = at_;
    while (end < text_.size() && (is_name(text_[end]) || text_[end] == '#')) ++end;
    std::string_view digits = text_.substr(at_, end - at_);
    at_ = end;
    int base = 10;
    if (const auto hash = digits.find('#'); hash != std::string_view::npos) {
      std::size_t at = 0;
      const auto given = read_digits(digits, at, 10, 2);
      if (!given || at != hash || *given < 2 || *given > 36) return std::nullopt;
      base = static_cast<int>(*given);
      digits.remove_prefix(hash + 1);
    } else if (digits.starts_with("0x") || digits.starts_with("0X")) {
      base = 16;
      digits.remove_prefix(2);
    } else if (digits.size() > 1 && digits[0] == '0') {
      base = 8;
    }
    if (digits.empty()) return std::nullopt;
    std::int64_t value = 0;
    for (const char c : digits) {
      if (digit_value(c) >= base || __builtin_mul_overflow(value, base, &value) ||
          __builtin_add_overflow(value, digit_value(c), &value))
        return std::nullopt;
    }
    return value;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

// Does `c` belong to the set at pattern[at] == '['? `at` goes behind the closing bracket; an
// unclosed set gives nothing.
std::optional<bool> in_set(std::string_view pattern, std::size_t& at, char c) {
  std::size_t i = at + 1;
  bool negative = false, found = false;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) {
    negative = true;
    ++i;
  }
  for (bool first = true; i < pattern.size() && (pattern[i] != ']' || first); first = false) {
    if (pattern.substr(i, 2) == "[:") {
      const auto end = pattern.find(":]", i + 2);
      if (end != std::string_view::npos) {
        const std::string_view name = pattern.substr(i + 2, end - i - 2);
        const bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
        const auto code = static_cast<unsigned char>(c);
        found |= (name == "lower" && lower) || (name == "upper" && upper) ||
                 (name == "alpha" && (lower || upper)) || (name == "digit" && is_digit(c)) ||
                 (name == "alnum" && (lower || upper || is_digit(c))) ||
                 (name == "space" && (is_blank(c) || c == '\n')) ||
                 (name == "punct" && code > 32 && code < 127 && !lower && !upper && !is_digit(c));
        i = end + 2;
        continue;
      }
    }
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const auto low = static_cast<unsigned char>(pattern[i]);
    auto high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = static_cast<unsigned char>(pattern[i + 2]);
      i += 2;
    }
    const auto code = static_cast<unsigned char>(c);
    found |= code >= low && code <= high;
    ++i;
  }
  if (i >= pattern.size()) return std::nullopt;
  at = i + 1;
  return found != negative;
}

}  // namespace

void append_escape(std::string_view text, std::size_t& at, EscapeStyle style, std::string& out) {
  if (at + 1 >= text.size()) {
    out.push_back('\\');
    at = text.size();
    return;
  }
  const char c = text[at + 1];
  const std::size_t begin = at;
  at += 2;
  switch (c) {
    case 'n':
      out.push_back('\n');
      return;
    case 't':
      out.push_back('\t');
      return;
    case 'r':
      out.push_back('\r');
      return;
    case 'a':
      out.push_back('\a');
      return;
    case 'b':
      out.push_back('\b');
      return;
    case 'f':
      out.push_back('\f');
      return;
    case 'v':
      out.push_back('\v');
      return;
    case 'e':
    case 'E':
      out.push_back('\x1b');
      return;
    case '\\':
      out.push_back('\\');
      return;
    case 'x':
      if (const auto value = read_digits(text, at, 16, 2)) {
        out.push_back(static_cast<char>(*value));
        return;
      }
      break;
    case 'u':
    case 'U':
      if (const auto value = read_digits(text, at, 16, c == 'u' ? 4 : 8)) {
        append_utf8(*value, out);
        return;
      }
      break;
    case 'c':
      if (style == EscapeStyle::ansi && at < text.size()) {
        out.push_back(static_cast<char>(text[at++] & 0x1f));
        return;
      }
      break;
    case '\'':
    case '"':
    case '?':
      if (style != EscapeStyle::echo) {
        out.push_back(c);
        return;
      }
      break;
    default:
      break;
  }
  // \nnn in strings and formats; \0nnn for echo, which takes \nnn too in some shells.
  if (c >= '0' && c <= '7') {
    if (style != EscapeStyle::echo || c != '0') --at;
    const auto value = read_digits(text, at, 8, 3);
    out.push_back(static_cast<char>(value.value_or(0)));
    return;
  }
  out += text.substr(begin, 2);
}

std::string with_escapes(std::string_view text, EscapeStyle style) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\\') {
      append_escape(text, at, style, out);
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

bool pattern_fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    bool fits = false;
    std::size_t next = p;
    if (p < pattern.size()) {
      const char c = pattern[p];
      if (c == '*') {
        star = p++;
        star_text = t;
        continue;
      }
      if (c == '[') {
        const auto set = in_set(pattern, next, text[t]);
        fits = set.value_or(text[t] == '[');
        if (!set) next = p + 1;
      } else if (c == '\\' && p + 1 < pattern.size()) {
        fits = pattern[p + 1] == text[t];
        next = p + 2;
      } else {
        fits = c == '?' || c == text[t];
        next = p + 1;
      }
    }
    if (fits) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::optional<std::int64_t> arithmetic(std::string_view expression) {
  return Arithmetic(expression).value();
}

}  // namespace lazaret::format::shell
