// The source of YARA rules, read into values: rules, strings and conditions.
//
// libyara compiles and runs the rules; this reader exists to know which rules cannot be true of a file before libyara sees it (yara_prefilter.h).
// So it reads the language of YARA 4.2 (YARA documentation, "Writing YARA rules"; precedence as in libyara's grammar), for sources that libyara has
// accepted already. What it does not understand it says so: such a source is run whole, on every file.
//
// Sources are the user's, not the image's, but they are bounded all the same: nesting is limited and nothing is copied twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::engine {

struct YaraString {
  enum class Kind { text, hex, regexp };

  std::string name;  // "$a"; "$" for an anonymous one
  Kind kind = Kind::text;
  std::string value;  // text: the bytes, escapes resolved; hex: what stands between the braces; regexp: what stands between the slashes
  bool ascii = false, wide = false, ignore_case = false, full_word = false, dot_all = false;
  bool exclusive_or = false;
  unsigned key_min = 0, key_max = 255;  // with exclusive_or
  bool base64 = false, base64_wide = false;
  std::string base64_alphabet;  // 64 characters, or "" for the usual one
};

// A node of a condition. `children` by kind, in the order of the source.
struct YaraExpression {
  enum class Kind {
    unknown,       // a value that only libyara can tell: floating point numbers, entrypoint, values of loops
    boolean,       // value 0 or 1
    integer,       // value
    text,          // text: a literal
    regexp,        // a literal of a regular expression: text; value is 1 when it ignores case
    file_size,     //
    read,          // int16be(x) and its like: text is the function's name, child the offset
    identifier,    // text: an external variable, a rule, or a variable of a loop
    module_value,  // text: dotted name without subscripts and arguments, "pe.sections.name"; children: those in its calls
    string,        // text: "$a" or "$" for the one of the loop around; child: the offset of `at`, or both bounds of `in`
    string_count,  // text as above; children: both bounds of `in`
    string_place,  // @a[i] or !a[i]; text as above
    negative,      // child: an arithmetic value
    complement,
    arithmetic,  // text: one of + - * \ % & | ^ << >>
    compare,     // text: one of == != < <= > >=
    text_compare,  // text: contains, icontains, startswith, istartswith, endswith, iendswith, iequals, matches
    logical_and,
    logical_or,
    logical_not,
    defined,
    of,      // quantifier of strings or rules: `names`; children: the quantifier's number if it has one, then nothing more that matters
    for_of,  // for quantifier of strings: children: (number), body
    for_in,  // for quantifier variables in range: children: (number), body
  };
  enum class Quantifier { none, any, all, number, percent };

  Kind kind = Kind::unknown;
  std::int64_t value = 0;
  std::string text;
  std::vector<YaraExpression> children;
  Quantifier quantifier = Quantifier::any;
  std::vector<std::string> names;  // of a set: "$a", "$b*", "rule", "rule*"; "$*" for `them`
  bool bounded = false;            // string, string_count, of: `in` (or `at`) follows
};

struct YaraRuleSource {
  std::string name;
  bool is_global = false, is_private = false;
  std::size_t begin = 0, end = 0;  // of the source: from its first modifier to behind its closing brace
  std::vector<YaraString> strings;
  YaraExpression condition;
  std::vector<std::string> mentioned;  // every word of the condition that may name another rule, "name*" for sets of them
};

struct YaraSource {
  std::vector<std::string> imports;
  std::vector<YaraRuleSource> rules;
  std::string problem;  // "" or what was not understood, with its line; then the lists are not complete
};

YaraSource read_yara_source(std::string_view source);

}  // namespace lazaret::engine
