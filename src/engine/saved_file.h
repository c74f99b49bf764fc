// What is dear to make, kept in a file so that the next start does not make it again.
#pragma once

#include <optional>
#include <string>

namespace lazaret::engine {

// What save_file() wrote there; nothing when there is no file, or a damaged or half-written one. The file's name says what is in it.
std::optional<std::string> load_file(const std::string& file);
// Written beside and renamed, so that a reader sees all of it or none. That it cannot be written is no error: it is made again then.
void save_file(const std::string& file, const std::string& bytes);

}  // namespace lazaret::engine
