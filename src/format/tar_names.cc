// A member with a long or non-ASCII name has two: the whole one in an extended header, and what
// fits in the plain header, for readers that know no better. GNU tar and Python cut, Go drops what
// is not ASCII, Python puts a question mark there, libarchive leaves out folders in the middle.
// Only names that cannot have come about in one of these ways are worth a word.
#include "format/tar_names.h"

#include <algorithm>
#include <string>

namespace lazaret::format {
namespace {

// What is left of a name when each byte that writers drop or replace is taken out.
std::string ascii_skeleton(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x80 && c != '?') result.push_back(c);
  }
  return result;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string_view without_slashes(std::string_view name) {
  while (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
  return name;
}

// True when `part` is the beginning and the end of `whole` with something left out between them.
bool is_abbreviation(std::string_view part, std::string_view whole) {
  if (part.size() > whole.size()) return false;
  std::size_t head = 0;
  while (head < part.size() && part[head] == whole[head]) ++head;
  std::size_t tail = 0;
  while (tail < part.size() && part[part.size() - 1 - tail] == whole[whole.size() - 1 - tail])
    ++tail;
  return head + tail >= part.size();
}

}  // namespace

bool is_stand_in(std::string_view header_name, std::string_view full_name) {
  constexpr std::size_t name_size = 100;    // of the header's field
  constexpr std::size_t min_cut_name = 80;  // what a cut leaves of it, at least
  const std::string_view header = without_slashes(header_name);
  const std::string_view full = without_slashes(full_name);
  if (header == full) return true;
  const bool cut = full.size() >= name_size && header.size() >= min_cut_name;
  // GNU tar and libarchive put raw bytes there; those who replace characters leave none over.
  if (!is_ascii(header)) return cut && is_abbreviation(header, full);
  const std::string header_skeleton = ascii_skeleton(header);
  const std::string full_skeleton = ascii_skeleton(full);
  if (!is_ascii(full) && header_skeleton == full_skeleton) return true;
  return cut && is_abbreviation(header_skeleton, full_skeleton);
}

// GNU tar names a sparse file "<folder>/GNUSparseFile.<process>/<name>" for readers that do not
// know the format.
bool is_sparse_stand_in(std::string_view name, std::string_view real_name) {
  if (is_stand_in(name, real_name)) return true;
  constexpr std::string_view marker = "GNUSparseFile.";
  const std::size_t at = name.find(marker);
  if (at == std::string_view::npos) return false;
  const std::string_view folder = name.substr(0, at);
  std::string_view rest = name.substr(at + marker.size());
  const std::size_t digits = rest.find_first_not_of("0123456789");
  if (digits == std::string_view::npos || rest[digits] != '/') return false;
  rest.remove_prefix(digits + 1);
  const std::size_t slash = real_name.rfind('/');
  const std::string_view real_folder =
      slash == std::string_view::npos ? std::string_view("./") : real_name.substr(0, slash + 1);
  const std::string_view real_base =
      slash == std::string_view::npos ? real_name : real_name.substr(slash + 1);
  const bool cut = name.size() >= 99;
  return (folder == real_folder || (folder.empty() && slash == std::string_view::npos)) &&
         (rest == real_base || (cut && real_base.starts_with(rest)));
}

}  // namespace lazaret::format
