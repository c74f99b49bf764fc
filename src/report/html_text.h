// Text of an image inside HTML, and the looks that all pages share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lazaret::report {

extern const std::string_view html_style;

// Escaped as on a terminal, and so that nothing in it becomes markup or leaves an attribute.
std::string html_plain(std::string_view text, std::size_t limit = 2000);

}  // namespace lazaret::report
