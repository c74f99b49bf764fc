#include "engine/yara_literals.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>

#include <fmt/format.h>

#include "engine/yara_literal_sequence.h"

namespace lazaret::engine {
namespace {

constexpr std::size_t literal_limit = 96;
constexpr std::size_t prefix_limit = 32;
constexpr std::size_t key_window = 12;  // bytes of an xor string that are looked for with every key: enough for a LiteralFinder
constexpr unsigned depth_limit = 100;
// Bounds of expressions: Hyperscan's automata grow with them.
constexpr unsigned jump_limit = 64;
constexpr std::size_t expression_limit = 1000;
// A literal of a hex string that is better than this is better than an expression.
constexpr double good_literal_quality = 5;
constexpr double least_expression_quality = 2.2;

bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
unsigned hex_value(char c) { return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a') + 10; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

std::string widen(std::string_view text) {
  std::string wide;
  wide.reserve(text.size() * 2);
  for (const char c : text) {
    wide += c;
    wide += '\0';
  }
  return wide;
}

// --- hex strings: bytes, ??, A?, ?A, [n], [n-m], [n-], [-], ( .. | .. )

class HexReader {
 public:
  explicit HexReader(std::string_view source) : source_(source) {}

  // Nothing is known when the source is not understood.
  LiteralPiece read() {
    LiteralPiece piece = read_sequence(0);
    close_expression();
    if (!failed_ && position_ == source_.size()) return piece;
    prefix_.clear();
    best_expression_ = {};
    return {};
  }
  const std::string& prefix() const { return prefix_; }
  // That of the part between jumps that tells most; "" when none tells enough.
  const std::string& expression() const { return best_expression_.text; }

 private:
  char peek() {
    while (position_ < source_.size() && (source_[position_] == ' ' || source_[position_] == '\t' || source_[position_] == '\r' || source_[position_] == '\n')) {
      ++position_;
    }
    return position_ < source_.size() ? source_[position_] : '\0';
  }

  LiteralPiece read_sequence(unsigned depth) {
    LiteralSequence sequence;
    if (depth > depth_limit) failed_ = true;
    while (!failed_) {
      const char c = peek();
      if (c == '\0' || c == '|' || c == ')') break;
      if (c == '(') {
        ++position_;
        prefix_ends_ = true;
        std::vector<LiteralPiece> alternatives;
        expression_.text += "(?:";
        for (;;) {
          alternatives.push_back(read_sequence(depth + 1));
          if (peek() != '|') break;
          ++position_;
          expression_.text += '|';
        }
        if (peek() != ')') failed_ = true;
        ++position_;
        expression_.text += ')';
        sequence.add(alternative_of(alternatives));
      } else if (c == '[') {
        read_jump(depth);
        prefix_ends_ = true;
        sequence.add_gap();
      } else {
        read_byte(sequence, depth);
      }
    }
    return sequence.finish();
  }

  void read_byte(LiteralSequence& sequence, unsigned depth) {
    const char high = source_[position_++];
    const char low = position_ < source_.size() ? source_[position_++] : '\0';
    if ((!is_hex_digit(high) && high != '?') || (!is_hex_digit(low) && low != '?')) {
      failed_ = true;
      return;
    }
    if (high != '?' && low != '?') {
      const char byte = static_cast<char>(hex_value(high) << 4 | hex_value(low));
      sequence.add_exact({std::string(1, byte)});
      if (!prefix_ends_ && prefix_.size() < prefix_limit) prefix_ += byte;
      expression_.text += escaped(byte);
      // Inside alternatives the shortest may be empty, so only what stands outside of them counts.
      if (depth == 0) expression_.fixed += byte;
      return;
    }
    prefix_ends_ = true;
    if (high == '?' && low == '?') {
      expression_.text += '.';
      return sequence.add_gap();
    }
    std::vector<std::string> alternatives;
    expression_.text += '[';
    for (unsigned nibble = 0; nibble < 16; ++nibble) {
      const unsigned byte = high == '?' ? nibble << 4 | hex_value(low) : hex_value(high) << 4 | nibble;
      alternatives.emplace_back(1, static_cast<char>(byte));
      expression_.text += escaped(static_cast<char>(byte));
    }
    expression_.text += ']';
    sequence.add_exact(alternatives);
  }

  // [n], [n-m], [n-], [-]. A long one ends the expression, and what follows it begins another.
  void read_jump(unsigned depth) {
    const auto close = source_.find(']', position_);
    if (close == std::string_view::npos) {
      failed_ = true;
      return;
    }
    const std::string_view inside = source_.substr(position_ + 1, close - position_ - 1);
    position_ = close + 1;
    const auto dash = inside.find('-');
    const auto least = number(inside.substr(0, dash));
    const auto most = dash == std::string_view::npos ? least : number(inside.substr(dash + 1));
    if (least && most && *least <= *most && *most <= jump_limit) {
      expression_.text += *least == *most ? fmt::format(".{{{}}}", *least) : fmt::format(".{{{},{}}}", *least, *most);
    } else if (depth == 0) {
      close_expression();
    } else {
      expression_.text += ".*";
    }
  }

  static std::optional<unsigned> number(std::string_view digits) {
    unsigned value = 0;
    bool any = false;
    for (const char c : digits) {
      if (c == ' ') continue;
      if (c < '0' || c > '9' || value > 1000000) return std::nullopt;
      value = value * 10 + static_cast<unsigned>(c - '0');
      any = true;
    }
    return any ? std::optional(value) : std::nullopt;
  }

  static std::string escaped(char byte) { return fmt::format("\\x{:02x}", static_cast<std::uint8_t>(byte)); }

  void close_expression() {
    if (expression_.text.size() <= expression_limit && expression_quality(expression_.fixed) > expression_quality(best_expression_.fixed)) {
      best_expression_ = std::move(expression_);
    }
    expression_ = {};
  }

  std::string_view source_;
  std::size_t position_ = 0;
  std::string prefix_;
  bool prefix_ends_ = false, failed_ = false;
  struct Expression {
    std::string text;
    std::string fixed;  // its bytes that are no wildcards
  };
  Expression expression_, best_expression_;

 public:
  double quality() const { return expression_quality(best_expression_.fixed); }

 private:
  // As a literal's, but in pieces it is found more easily by chance.
  static double expression_quality(const std::string& fixed) { return fixed.empty() ? 0 : literal_quality({fixed}) * 0.8; }
};

// --- regular expressions, as far as libyara has them

class RegexpReader {
 public:
  RegexpReader(std::string_view source, bool ignore_case) : source_(source), ignore_case_(ignore_case) {}

  LiteralPiece read() {
    LiteralPiece piece = read_alternatives(0);
    if (failed_ || position_ != source_.size()) return {};
    return piece;
  }

 private:
  bool more() const { return !failed_ && position_ < source_.size(); }
  char peek() const { return position_ < source_.size() ? source_[position_] : '\0'; }

  LiteralPiece read_alternatives(unsigned depth) {
    if (depth > depth_limit) failed_ = true;
    std::vector<LiteralPiece> alternatives;
    do {
      LiteralSequence sequence;
      while (more() && peek() != '|' && peek() != ')') read_repeated(sequence, depth);
      alternatives.push_back(sequence.finish());
    } while (more() && peek() == '|' && ++position_ > 0);
    return alternatives.size() == 1 ? std::move(alternatives.front()) : alternative_of(alternatives);
  }

  void read_repeated(LiteralSequence& sequence, unsigned depth) {
    const LiteralPiece piece = read_atom(depth);
    if (failed_) return;
    unsigned least = 1, most = 1;
    const char c = peek();
    if (c == '*' || c == '+' || c == '?') {
      ++position_;
      least = c == '+' ? 1 : 0;
      most = c == '?' ? 1 : 1000;
    } else if (c == '{') {
      if (!read_bounds(least, most)) return;
    } else {
      return sequence.add(piece);
    }
    if (peek() == '?') ++position_;  // not greedy: no difference to what is contained
    if (std::string_view("*+?{").find(peek()) != std::string_view::npos && more()) {
      failed_ = true;
      return;
    }
    if (least == 0 && most == 1 && piece.exact && piece.exact->size() <= 4) {
      std::vector<std::string> with_nothing = *piece.exact;
      with_nothing.emplace_back();
      return sequence.add_exact(with_nothing);
    }
    for (unsigned i = 0; i < std::min(least, 32u); ++i) sequence.add(piece);
    if (most != least || least > 32) sequence.add_gap();
  }

  bool read_bounds(unsigned& least, unsigned& most) {
    const auto close = source_.find('}', position_);
    const std::string_view inside = close == std::string_view::npos ? "" : source_.substr(position_ + 1, close - position_ - 1);
    const auto comma = inside.find(',');
    const auto number = [this](std::string_view digits, unsigned absent) {
      unsigned value = digits.empty() ? absent : 0;
      for (const char c : digits) {
        if (c < '0' || c > '9' || value > 100000) failed_ = true;
        value = value * 10 + static_cast<unsigned>(c - '0');
      }
      return value;
    };
    if (inside.empty()) failed_ = true;
    least = number(inside.substr(0, comma), 0);
    most = comma == std::string_view::npos ? least : number(inside.substr(comma + 1), 1000000);
    if (most < least) failed_ = true;
    position_ = failed_ ? source_.size() : close + 1;
    return !failed_;
  }

  LiteralPiece exactly(char byte) const {
    LiteralPiece piece;
    piece.exact.emplace(1, std::string(1, byte));
    return piece;
  }
  static LiteralPiece nothing() {
    LiteralPiece piece;
    piece.exact.emplace(1, std::string());
    return piece;
  }

  LiteralPiece read_atom(unsigned depth) {
    const char c = source_[position_++];
    switch (c) {
      case '(': {
        if (peek() == '?') failed_ = true;
        LiteralPiece piece = read_alternatives(depth + 1);
        if (peek() != ')') failed_ = true;
        ++position_;
        return piece;
      }
      case '[': return read_class();
      case '.': return {};
      case '^':
      case '$': return nothing();
      case '*':
      case '+':
      case '?':
      case '{':
      case ')': failed_ = true; return {};
      case '\\': {
        bool is_class = false, is_place = false;
        const auto byte = read_escape(is_class, is_place);
        if (is_class) return {};
        if (is_place) return nothing();
        return exactly(byte);
      }
      default: return exactly(c);
    }
  }

  char read_escape(bool& is_class, bool& is_place) {
    if (!more()) {
      failed_ = true;
      return 0;
    }
    const char c = source_[position_++];
    switch (c) {
      case 'w': case 'W': case 's': case 'S': case 'd': case 'D': is_class = true; return 0;
      case 'b': case 'B': is_place = true; return 0;
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'f': return '\f';
      case 'a': return '\a';
      case 'x': {
        if (position_ + 2 > source_.size() || !is_hex_digit(source_[position_]) || !is_hex_digit(source_[position_ + 1])) {
          failed_ = true;
          return 0;
        }
        const char byte = static_cast<char>(hex_value(source_[position_]) << 4 | hex_value(source_[position_ + 1]));
        position_ += 2;
        return byte;
      }
      default:
        // Punctuation stands for itself; what another letter or digit means is left to libyara.
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) failed_ = true;
        return c;
    }
  }

  LiteralPiece read_class() {
    std::bitset<256> members;
    const bool inverted = peek() == '^';
    bool many = inverted;
    if (inverted) ++position_;
    bool first = true;
    while (more() && (peek() != ']' || first)) {
      first = false;
      char low = source_[position_++];
      bool is_class = false, is_place = false;
      if (low == '\\') low = read_escape(is_class, is_place);
      if (is_class || is_place) {
        many = true;
        continue;
      }
      char high = low;
      if (peek() == '-' && position_ + 1 < source_.size() && source_[position_ + 1] != ']') {
        ++position_;
        high = source_[position_++];
        if (high == '\\') high = read_escape(is_class, is_place);
        if (is_class || is_place) failed_ = true;
      }
      if (static_cast<std::uint8_t>(high) < static_cast<std::uint8_t>(low)) failed_ = true;
      for (unsigned byte = static_cast<std::uint8_t>(low); byte <= static_cast<std::uint8_t>(high); ++byte) {
        members.set(static_cast<std::uint8_t>(ignore_case_ ? to_lower(static_cast<char>(byte)) : static_cast<char>(byte)));
      }
    }
    if (!more()) failed_ = true;
    ++position_;
    if (failed_ || many || members.count() > 4) return {};
    LiteralPiece piece;
    piece.exact.emplace();
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (members.test(byte)) piece.exact->emplace_back(1, static_cast<char>(byte));
    }
    return piece;
  }

  std::string_view source_;
  const bool ignore_case_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

// --- text strings

std::string encode_base64(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  unsigned bits = 0, count = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<std::uint8_t>(byte);
    for (count += 8; count >= 6; count -= 6) text += alphabet[bits >> (count - 6) & 63];
  }
  return text;  // without the character that only part of the bytes decide
}

// The encoded text depends on where in a group of three bytes it begins. What depends on its neighbours is left out.
void add_base64(std::string_view text, std::string_view alphabet, std::vector<std::string>& forms) {
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string encoded = encode_base64(std::string(before, '\0') + std::string(text), alphabet);
    const std::size_t skipped = before == 0 ? 0 : before + 1;
    forms.push_back(encoded.size() > skipped ? encoded.substr(skipped) : "");
  }
}

// The bytes of `text`, of at most `size`, that tell most.
std::string best_window(std::string_view text, std::size_t size) {
  if (text.size() <= size) return std::string(text);
  std::string best;
  double best_quality = -1;
  for (std::size_t i = 0; i + size <= std::min<std::size_t>(text.size(), 64); ++i) {
    const std::string window(text.substr(i, size));
    const double quality = literal_quality({window});
    if (quality > best_quality) {
      best_quality = quality;
      best = window;
    }
  }
  return best;
}

std::vector<std::string> text_literals(const YaraString& string) {
  static constexpr std::string_view usual_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::string> forms;
  if (string.ascii) forms.push_back(string.value);
  if (string.wide) forms.push_back(widen(string.value));
  std::vector<std::string> literals;
  if (string.base64 || string.base64_wide) {
    const std::string_view alphabet = string.base64_alphabet.empty() ? usual_alphabet : string.base64_alphabet;
    for (const std::string& form : forms) {
      std::vector<std::string> encoded;
      add_base64(form, alphabet, encoded);
      for (const std::string& text : encoded) {
        if (string.base64) literals.push_back(text.substr(0, literal_limit));
        if (string.base64_wide) literals.push_back(widen(text).substr(0, literal_limit));
      }
    }
  } else if (string.exclusive_or) {
    for (const std::string& form : forms) {
      const std::string window = best_window(form, key_window);
      if (literal_quality({window}) < strong_literal_quality - 1) return {};
      for (unsigned key = string.key_min; key <= string.key_max; ++key) {
        std::string encrypted = window;
        for (char& c : encrypted) c = static_cast<char>(static_cast<std::uint8_t>(c) ^ key);
        literals.push_back(std::move(encrypted));
      }
    }
    return literals;
  } else {
    for (const std::string& form : forms) literals.push_back(form.substr(0, literal_limit));
  }
  return literals;
}

void judge(YaraLiterals& literals, double quality) {
  literals.weak = quality < strong_literal_quality;
  if (quality < weak_literal_quality) literals.any_of.clear();
}

}  // namespace

std::vector<std::string> necessary_literals(std::string_view regexp, bool ignore_case) { return RegexpReader(regexp, ignore_case).read().required; }

YaraLiterals necessary_literals(const YaraString& string) {
  YaraLiterals result;
  result.ignore_case = string.ignore_case;
  if (string.kind == YaraString::Kind::text) {
    result.any_of = text_literals(string);
    const bool fixed = string.ascii != string.wide && !string.ignore_case && !string.exclusive_or && !string.base64 && !string.base64_wide;
    if (fixed) result.prefix = (string.ascii ? string.value : widen(string.value)).substr(0, prefix_limit);
    if (!string.exclusive_or) judge(result, literal_quality(result.any_of) + (string.wide ? 0.25 : 0));
    return result;
  }
  LiteralPiece piece;
  if (string.kind == YaraString::Kind::hex) {
    HexReader reader(string.value);
    piece = reader.read();
    result.prefix = reader.prefix();
    if (literal_quality(piece.required) < good_literal_quality && reader.quality() > std::max(literal_quality(piece.required), least_expression_quality)) {
      result.expression = reader.expression();
      return result;
    }
  } else {
    piece = RegexpReader(string.value, string.ignore_case).read();
  }
  if (string.ascii) result.any_of = piece.required;
  if (string.wide) {
    for (const std::string& literal : piece.required) result.any_of.push_back(widen(literal));
  }
  judge(result, literal_quality(piece.required));
  return result;
}

}  // namespace lazaret::engine
