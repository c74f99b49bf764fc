// How often bytes are met by chance in the files of a Linux system: a rough guess, good for choosing between literals.
#pragma once

#include <string_view>

namespace lazaret::engine {

// The share of positions at which `text` stands, letters in either case: 1e-3 for "type", 1e-15 for what is hardly met by chance.
double frequency_of(std::string_view text);

}  // namespace lazaret::engine
