// Files that a program in Python, Perl, PHP, Ruby, JavaScript, ... may run or load, by its string
// literals and import statements.
//
// No parser of any of these languages: literals are found by their quotes, so that a string in a
// comment counts too. Whoever asks looks which of the names are files; what is none is dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "format/file_kind.h"

namespace lazaret::format {

struct SourceReference {
  std::string path;   // as written; for imports relative to the program's folder, without extension
  bool is_module = false;
  std::uint64_t offset = 0;
};

// At most `limit` of them, in the order of the text. Linear in text.size().
std::vector<SourceReference> source_references(std::string_view text, Language language, std::size_t limit = 512);

}  // namespace lazaret::format
