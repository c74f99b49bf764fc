// A pattern of the one multi-pattern pass, as a detector declares it, and a hit of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace lazaret::engine {

// A regular expression in Hyperscan's subset of PCRE: no back references, no look-around, no
// captures. It runs over every byte of every file, so begin with or contain a literal of four or
// more bytes, avoid leading .* and wide classes with large repeats, and validate in code
// afterwards: a hit is only a reason to look. `literal` patterns are plain bytes.
struct Pattern {
  std::string_view text;
  bool literal = false;
  bool ignore_case = false;
  bool multi_line = false;  // ^ and $ match at line ends
  bool dot_all = false;     // . matches a line end
  bool once = false;        // one hit tells all: further ones are not reported
};

constexpr Pattern literal(std::string_view text) {
  return {text, true, false, false, false};
}
constexpr Pattern literal_ignore_case(std::string_view text) {
  return {text, true, true, false, false};
}
constexpr Pattern regex(std::string_view text) {
  return {text, false, false, false, false};
}
constexpr Pattern regex_ignore_case(std::string_view text) {
  return {text, false, true, false, false};
}

// Where a pattern ended. `pattern` is its index in the detector's own list. The start is not given
// (it would double the cost of the pass): look backwards from `end`.
struct PatternHit {
  std::uint32_t pattern = 0;
  std::uint64_t end = 0;  // offset of the first byte after the match, in FileView::content
};

}  // namespace lazaret::engine
