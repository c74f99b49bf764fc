// What every match of a YARA string must contain: a literal, or one of a few.
//
// A string whose literals are all absent from a file has no match there. That is all they are for, so they may be shorter than the string, and a string
// without good ones (/[a-z]{8}/, { 4D 5A }) simply has none. A hex string of short runs between wildcards has an expression for Hyperscan instead. Semantics follow the YARA documentation, "Strings": wide puts a zero behind every byte,
// xor comes after wide, base64 after wide, base64wide widens the encoded text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/yara_syntax.h"

namespace lazaret::engine {

struct YaraLiterals {
  std::vector<std::string> any_of;  // empty: nothing is known
  bool ignore_case = false;         // ASCII letters of either case
  std::string expression;           // in place of literals: every match contains a match of it (`.` matches any byte)
  bool weak = false;                // they are met in many files
  std::string prefix;               // bytes that every match begins with, up to 32; "" when they are not fixed
};

YaraLiterals necessary_literals(const YaraString& string);
// The same for a regular expression that stands in a condition (`filename matches /x/i`).
std::vector<std::string> necessary_literals(std::string_view regexp, bool ignore_case);

}  // namespace lazaret::engine
