// Words of YARA's language (yara_syntax.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lazaret::engine {

struct YaraToken {
  enum class Kind {
    end,
    word,             // identifier or keyword; text
    text,             // "..." : text is its bytes, escapes resolved
    regexp,           // /.../is : text is what stands between the slashes, flags behind
    integer,          // value; KB and MB applied
    floating,         // a number of another kind
    string_name,      // $a, $, $a* ; text with the dollar
    string_count,     // #a, # ; text with a dollar in place of the mark
    string_offset,    // @a
    string_length,    // !a
    sign,             // text: operators and punctuation
    bad,              // text: what is wrong
  };

  Kind kind = Kind::end;
  std::string text;
  std::string flags;  // of a regexp
  std::int64_t value = 0;
  std::size_t begin = 0, end = 0;
};

// Copyable, so that a parser can look ahead and return.
class YaraLexer {
 public:
  explicit YaraLexer(std::string_view source) : source_(source) {}

  YaraToken next();
  // What stands between braces, comments taken out. To be called when the opening brace of a hex string has been read; false when it does not end.
  bool read_hex_string(std::string& content);
  std::size_t line_at(std::size_t offset) const;

 private:
  bool skip_space();
  bool skip_comment();
  YaraToken read_text(std::size_t begin);
  YaraToken read_regexp(std::size_t begin);
  YaraToken read_number(std::size_t begin);
  YaraToken read_string_name(std::size_t begin);
  char at(std::size_t offset) const { return offset < source_.size() ? source_[offset] : '\0'; }

  std::string_view source_;
  std::size_t position_ = 0;
};

}  // namespace lazaret::engine
