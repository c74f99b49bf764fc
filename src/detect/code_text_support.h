// Source code of web languages, as far as it takes to tell "the request's data is run" from the same words in comments and strings.
//
// No parser: the text with comments and plain strings blanked out, the calls around a place, and the arguments of a call. That is enough for what matters here, whether data of a request
// gets into a call that runs it, and it reads broken and mixed text (PHP in a picture) as well as whole programs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "format/file_kind.h"

namespace lazaret::detect {

enum class CodeStyle {
  php,     // only what stands between <? and ?>; $name in double quotes is code
  server,  // JSP, ASP: what stands between <% and %>; C's comments and strings
  c_like,  // Java, JavaScript, Go, C
  hash,    // Python, Perl, Ruby, shell: # begins a comment
};

// `text` of the same size with comments, literals and what is no code replaced by blanks. Quotes stay, so that calls keep their form.
std::string mask_code(std::string_view text, CodeStyle style);

// A call that encloses a place, innermost first.
struct EnclosingCall {
  std::string_view name;       // "system", "$f", "Runtime.getRuntime().exec"; "" for plain parentheses
  std::size_t open = 0;        // of its parenthesis
  std::size_t argument = 0;    // which argument the place is in, from 0
};
// Goes no further than the statement (';', '{', '}') or `reach` bytes back.
std::vector<EnclosingCall> calls_around(std::string_view code, std::size_t place, std::size_t reach = 2000);

// The text of the arguments of the call whose parenthesis is at `open`, without the parentheses; to the end when it is not closed within 4000 bytes.
std::string_view arguments_at(std::string_view code, std::size_t open);

// The variable to which the statement that `place` is in assigns ("$cmd", "cmd"), "" when it is no assignment.
std::string_view assigned_variable(std::string_view code, std::size_t place);

// True when `name` stands in `code` as a whole word; of a name that begins with $ the $ is part.
bool mentions(std::string_view code, std::string_view name);

// The last part of a dotted or arrowed name: "exec" of "Runtime.getRuntime().exec".
std::string_view last_name(std::string_view name);

}  // namespace lazaret::detect
