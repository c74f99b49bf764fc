// What commands share: messages, files in and out.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lazaret::cli {

// Prints "lazaret: <message>" to standard error, escaped; returns exit_error.
int fail(std::string_view message);
// Who runs the program, for records of acts: "root on the command line".
std::string person();

Result<std::string> read_text(const std::string& path);

// $COLUMNS, else the columns of the terminal on standard output, else 100.
std::size_t terminal_width();

// Writes all to the file, or to standard output when `path` is "", or says why not. A file is replaced only when it is complete.
bool write_output(const std::string& path, std::string_view text);

}  // namespace lazaret::cli
