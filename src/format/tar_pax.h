// pax extended headers: the records in the content of 'x' and 'g' members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/tar_header.h"

namespace lazaret::format {

// What the records say about a member. Of records with the same key the last one counts; an empty
// value counts as absent.
struct PaxAttributes {
  std::optional<std::string> path, link_path;
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> uid, gid;
  std::optional<std::int64_t> mtime;
  std::vector<std::pair<std::string, std::string>> xattrs;

  std::string sparse_major, sparse_minor;
  std::optional<std::string> sparse_name;
  std::optional<std::uint64_t> sparse_size;    // of the expanded file
  std::optional<std::uint64_t> sparse_blocks;  // how many segments the map should have
  std::vector<TarSegment> sparse_map;          // of versions 0.0 and 0.1
  bool sparse_map_present = false, sparse_map_valid = true;
  bool any_sparse = false;
  // The keys that change where or how a member is written, for global headers: "path, size".
  std::string effective_keys;
};

struct PaxProblem {
  std::string_view rule;
  std::string message;
  std::size_t offset = 0;  // in the content
};

struct PaxContent {
  PaxAttributes attributes;
  std::vector<PaxProblem> problems;
  // Runs of records (offset, size) whose keys or values are not in `attributes`: unknown,
  // overridden or malformed ones.
  std::vector<std::pair<std::size_t, std::size_t>> unused;
};

PaxContent read_pax(std::string_view content);

// Decimal digits only, below 2^63.
std::optional<std::uint64_t> read_decimal(std::string_view text);

}  // namespace lazaret::format
