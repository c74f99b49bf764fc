// Whether two names of one member say the same.
#pragma once

#include <string_view>

namespace lazaret::format {

// True when `header_name`, which an archive gives in a plain header, is what writers put there for
// a longer or non-ASCII `full_name` that they give in an extended header: so that nobody can call
// it a second name of the file.
bool is_stand_in(std::string_view header_name, std::string_view full_name);
// The same for the name of a sparse file, which GNU tar changes on purpose.
bool is_sparse_stand_in(std::string_view header_name, std::string_view full_name);

}  // namespace lazaret::format
