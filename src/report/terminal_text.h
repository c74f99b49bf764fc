// Colour and line breaks for people on a terminal. Text must have been escaped before.
#pragma once

#include <string>
#include <string_view>

#include "audit/report.h"

namespace lazaret::report {

// Puts text in a colour (the parameters of SGR, ECMA-48 8.3.117), or leaves it as it is.
struct Paint {
  bool on;
  std::string operator()(const char* code, std::string_view text) const;
};

const char* colour_of(audit::Verdict verdict);
const char* colour_of(detect::Severity severity);

// Breaks at spaces; a word longer than the line is broken where the line ends. Continues with `indent`; the first line begins at its column.
std::string wrap(std::string_view text, std::size_t width, std::string_view indent);

}  // namespace lazaret::report
