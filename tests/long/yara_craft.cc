// Writes for each rule of a pack a file that is meant to make it true: the first bytes that its condition compares, then its strings. What is negated by name
// ("$fp1", "$not") is left out. Many conditions want more than that; yara_differential.py counts how many rules fire.
//
// usage: yara_craft RULES_FOLDER OUT_FOLDER
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "engine/yara_syntax.h"

namespace {

using lazaret::engine::YaraExpression;
using lazaret::engine::YaraString;

unsigned nibble(char c, unsigned wild) { return c == '?' ? wild : static_cast<unsigned>(std::strtoul(std::string(1, c).c_str(), nullptr, 16)); }

std::string from_hex_string(const std::string& source) {
  std::string bytes, digits;
  int skipping = 0;  // inside of alternatives behind the first
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (c == '|') {
      skipping = 1;
    } else if (c == ')') {
      skipping = 0;
    } else if (c == '[') {
      const auto close = source.find(']', i);
      if (skipping == 0) bytes.append(std::strtoul(source.c_str() + i + 1, nullptr, 10), 'j');
      i = close == std::string::npos ? source.size() : close;
    } else if (skipping == 0 && (std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == '?')) {
      digits += c;
      if (digits.size() == 2) {
        bytes += static_cast<char>(nibble(digits[0], 4) << 4 | nibble(digits[1], 1));
        digits.clear();
      }
    }
  }
  return bytes;
}

// The first way through a regular expression.
class RegexpText {
 public:
  explicit RegexpText(const std::string& source) : source_(source) {}
  std::string text() { return alternatives(); }

 private:
  std::string alternatives() {
    std::string first, one;
    bool done = false;
    while (at_ < source_.size() && source_[at_] != ')') {
      if (source_[at_] == '|') {
        ++at_;
        if (!done) first = one;
        done = true;
        one.clear();
        continue;
      }
      const std::string piece = atom();
      one += repeated(piece);
    }
    return done ? first : one;
  }
  std::string repeated(const std::string& piece) {
    std::size_t least = 1;
    if (at_ < source_.size() && (source_[at_] == '*' || source_[at_] == '?')) {
      least = 0;
      ++at_;
    } else if (at_ < source_.size() && source_[at_] == '+') {
      ++at_;
    } else if (at_ < source_.size() && source_[at_] == '{') {
      least = std::min<std::size_t>(std::strtoul(source_.c_str() + at_ + 1, nullptr, 10), 5000);
      at_ = std::min(source_.find('}', at_), source_.size() - 1) + 1;
    } else {
      return piece;
    }
    if (at_ < source_.size() && source_[at_] == '?') ++at_;
    std::string all;
    for (std::size_t i = 0; i < least; ++i) all += piece;
    return all;
  }
  std::string atom() {
    const char c = source_[at_++];
    if (c == '(') {
      std::string inside = alternatives();
      if (at_ < source_.size()) ++at_;
      return inside;
    }
    if (c == '.') return "x";
    if (c == '^' || c == '$') return "";
    if (c == '[') {
      const bool inverted = at_ < source_.size() && source_[at_] == '^';
      if (inverted) ++at_;
      const std::string first = source_[at_] == '\\' ? atom() : std::string(1, source_[at_++]);
      while (at_ < source_.size() && source_[at_] != ']') at_ += source_[at_] == '\\' ? 2 : 1;
      if (at_ < source_.size()) ++at_;
      return inverted ? "~" : first;
    }
    if (c != '\\' || at_ >= source_.size()) return std::string(1, c);
    const char escaped = source_[at_++];
    switch (escaped) {
      case 'w': return "w";
      case 'd': return "7";
      case 's': return " ";
      case 'S': case 'D': return "z";
      case 'W': return "-";
      case 'b': case 'B': return "";
      case 'n': return "\n";
      case 't': return "\t";
      case 'r': return "\r";
      case 'x': at_ += 2; return std::string(1, static_cast<char>(std::strtoul(source_.substr(at_ - 2, 2).c_str(), nullptr, 16)));
      default: return std::string(1, escaped);
    }
  }
  const std::string& source_;
  std::size_t at_ = 0;
};

// Puts the integers at fixed places that the condition asks for where they belong. The first wins.
void place_integers(const YaraExpression& expression, std::string& begin) {
  using Kind = YaraExpression::Kind;
  if (expression.kind == Kind::logical_not) return;
  if (expression.kind == Kind::compare && expression.text == "==") {
    for (const int side : {0, 1}) {
      const YaraExpression& read = expression.children[static_cast<std::size_t>(side)];
      const YaraExpression& value = expression.children[static_cast<std::size_t>(1 - side)];
      if (read.kind != Kind::read || value.kind != Kind::integer || read.children[0].kind != Kind::integer || read.children[0].value > 4096) continue;
      const std::size_t size = read.text.find("32") != std::string::npos ? 4 : read.text.find("16") != std::string::npos ? 2 : 1;
      const auto place = static_cast<std::size_t>(read.children[0].value);
      const bool big = read.text.ends_with("be");
      if (begin.size() < place + size) begin.resize(place + size, '\0');
      for (std::size_t i = 0; i < size; ++i) {
        if (begin[place + i] == '\0') begin[place + i] = static_cast<char>(value.value >> (8 * (big ? size - 1 - i : i)) & 0xff);
      }
    }
  }
  for (const YaraExpression& child : expression.children) {
    place_integers(child, begin);
    if (expression.kind == Kind::logical_or && !begin.empty()) break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 3) return 2;
  std::size_t number = 0;
  for (const auto& entry : fs::recursive_directory_iterator(argv[1])) {
    if (entry.path().extension() != ".yar" && entry.path().extension() != ".yara") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    for (const auto& rule : lazaret::engine::read_yara_source(text.str()).rules) {
      std::string content;
      place_integers(rule.condition, content);
      if (content.starts_with("MZ")) {
        // Many rules ask for the PE header too.
        if (content.size() < 0x60) content.resize(0x60, '\0');
        if (content[0x3c] == '\0') content[0x3c] = '\x40';
        if (content[0x40] == '\0') content.replace(0x40, 6, std::string("PE\0\0\x4c\x01", 6));
      }
      content += ' ';
      for (const YaraString& string : rule.strings) {
        bool excluded = false;
        for (const char* word : {"$fp", "$no", "$excl", "$filter", "$false", "$legit", "$benign"}) excluded |= string.name.starts_with(word);
        if (excluded) continue;
        std::string piece = string.kind == YaraString::Kind::text ? string.value
                            : string.kind == YaraString::Kind::hex ? from_hex_string(string.value)
                                                                   : RegexpText(string.value).text();
        if (string.wide && !string.ascii) {
          std::string wide;
          for (const char c : piece) wide += {c, '\0'};
          piece = wide;
        }
        if (string.exclusive_or) {
          for (char& c : piece) c = static_cast<char>(static_cast<unsigned char>(c) ^ string.key_max);
        }
        content += piece;
        content.append(string.wide ? 2 : 1, string.full_word ? ' ' : '\0');
        content += "\r\n";
      }
      std::ofstream(fs::path(argv[2]) / fmt::format("{:05}", number++), std::ios::binary) << content;
    }
  }
  fmt::print("{} files\n", number);
  return 0;
}
