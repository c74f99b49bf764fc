// Comma-separated values (RFC 4180) that are safe to open in a spreadsheet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lazaret {

// One line with CR LF. Spreadsheets run what begins with = + - @ or a control character as a formula, whatever the quotes: such a field gets an apostrophe
// in front, and control characters and bytes that are not UTF-8 are written as escape() does.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace lazaret
