// Text of an image inside Markdown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lazaret::report {

// Escaped so that nothing in it becomes markup, a link, a mention or an image that is fetched.
std::string markdown_plain(std::string_view text, std::size_t limit = 300);

// In a code block whose fence is longer than any run of backquotes in the text.
std::string markdown_code(std::string_view text);
// The same for several lines.
std::string markdown_code(const std::vector<std::string>& lines);

}  // namespace lazaret::report
