// One 512-byte header block of a tar archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace lazaret::format {

inline constexpr std::size_t tar_block_size = 512;

// Which fields a header has behind the first 257 bytes, by its magic.
enum class TarForm : std::uint8_t { v7, ustar, star, gnu };

// A run of file content in a sparse file.
struct TarSegment {
  std::uint64_t offset = 0, size = 0;
};

// The fields of a header block, all views into it. Numbers that cannot be read are 0.
struct TarHeader {
  TarForm form = TarForm::v7;
  char type_flag = '0';
  std::string_view name, link_name;
  std::string_view prefix;  // "" where Go's reader sees none
  // Bytes where ustar has its prefix, in a header whose magic readers interpret differently.
  bool prefix_disputed = false;
  std::uint64_t size = 0;
  bool size_valid = true;     // false: not a number, negative, or 2^63 and more
  bool numbers_valid = true;  // the others
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::int64_t mtime = 0;
  std::uint32_t device_major = 0, device_minor = 0;
};

// Nothing when the checksum is wrong. `block` has tar_block_size bytes.
std::optional<TarHeader> read_tar_header(Bytes block);

// Octal, padded by spaces and NULs, or GNU's base-256 form; nothing when it is neither or does not
// fit.
std::optional<std::int64_t> read_tar_number(Bytes field);

bool is_zero(Bytes bytes);
// The index of the first byte that is not zero; bytes.size() when all are.
std::size_t find_nonzero(Bytes bytes);

// Runs of bytes (position, size) of a header that no reader looks at and that are not zero: behind
// the NUL that ends a text field, behind the last field.
void find_header_slack(Bytes block, const TarHeader& header,
                       std::vector<std::pair<std::size_t, std::size_t>>& slack);

// The sparse map in an old GNU header (type 'S'), or in one of the extension blocks behind it.
struct TarSparseBlock {
  bool valid = true;            // false: a number cannot be read
  bool extended = false;        // another extension block follows
  std::uint64_t real_size = 0;  // of headers
  std::size_t used = 0;         // entries, so that what is behind them can be told apart
};
TarSparseBlock read_sparse_header(Bytes block, std::vector<TarSegment>& segments);
TarSparseBlock read_sparse_extension(Bytes block, std::vector<TarSegment>& segments);

}  // namespace lazaret::format
