// The header block (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar
// Format"):
//
//   0 name[100]  100 mode[8]  108 uid[8]  116 gid[8]  124 size[12]  136 mtime[12]  148 chksum[8]
//   156 typeflag  157 linkname[100]                                    (v7 ends here, at 257)
//   257 magic[6]  263 version[2]  265 uname[32]  297 gname[32]  329 devmajor[8]  337 devminor[8]
//   345 prefix[155]                                                    (ustar ends here, at 500)
//   star: prefix[131] 476 atime[12] 488 ctime[12] 500 [8] 508 "tar\0"
//   GNU:  345 atime[12] 357 ctime[12] 369 offset[12] 381 longnames[4] 385 [1]
//         386 sparse[4] of (offset[12], numbytes[12])  482 isextended  483 realsize[12]
//
// Traps. The checksum was a signed sum in some old writers, so both sums are right. A magic of
// "ustar" with an unusual version is v7 to Go and GNU tar, ustar to libarchive, and Python uses the
// prefix of any header. Go takes a GNU header whose times cannot be read for one of its own old
// mistakes and uses the bytes as prefix. Numbers may be octal with spaces or NULs on both sides, or
// binary with the top bit of the first byte set; binary ones may be negative.
#include "format/tar_header.h"

#include <algorithm>
#include <limits>

namespace lazaret::format {
namespace {

struct Field {
  std::size_t offset, size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, uid_field{108, 8}, gid_field{116, 8},
    size_field{124, 12}, mtime_field{136, 12}, checksum_field{148, 8}, link_name_field{157, 100},
    magic_field{257, 8}, user_field{265, 32}, group_field{297, 32}, major_field{329, 8},
    minor_field{337, 8}, prefix_field{345, 155}, star_prefix_field{345, 131},
    gnu_atime_field{345, 12}, gnu_ctime_field{357, 12}, gnu_real_size_field{483, 12};
constexpr std::size_t type_flag_offset = 156;
constexpr std::size_t gnu_sparse_offset = 386, gnu_extended_offset = 482, gnu_end = 495;
constexpr std::size_t header_sparse_entries = 4, extension_sparse_entries = 21;
constexpr std::size_t sparse_entry_size = 24, extension_extended_offset = 504;

Bytes bytes_of(Bytes block, Field field) {
  return block.subspan(field.offset, field.size);
}
std::string_view text_of(Bytes block, Field field) {
  const std::string_view text = as_text(bytes_of(block, field));
  return text.substr(0, text.find('\0'));
}

std::optional<std::int64_t> read_binary(Bytes field) {
  // Two's complement, big-endian; the top bit only marks the form, the next one is the sign.
  const std::uint8_t inverted = (field[0] & 0x40) != 0 ? 0xff : 0;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    std::uint8_t byte = field[i] ^ inverted;
    if (i == 0) byte &= 0x7f;
    if (value >> 56 != 0) return std::nullopt;
    value = value << 8 | byte;
  }
  if (value >> 63 != 0) return std::nullopt;
  const auto number = static_cast<std::int64_t>(value);
  return inverted != 0 ? -1 - number : number;
}

std::optional<std::int64_t> read_octal(Bytes field) {
  std::string_view text = as_text(field);
  constexpr std::string_view padding(" \0", 2);
  const std::size_t begin = text.find_first_not_of(padding);
  if (begin == std::string_view::npos) return 0;
  text.remove_prefix(begin);
  text = text.substr(0, text.find_last_not_of(padding) + 1);
  text = text.substr(0, text.find('\0'));
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    if (value >> 60 != 0) return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return static_cast<std::int64_t>(value);
}

std::uint32_t saturated(std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) {
    return std::numeric_limits<std::uint32_t>::max();
  }
  return static_cast<std::uint32_t>(value);
}

bool checksum_is_right(Bytes block) {
  const auto stored = read_octal(bytes_of(block, checksum_field));
  if (!stored) return false;
  std::uint32_t sum = 0;
  for (const std::uint8_t byte : block) sum += byte;
  for (const std::uint8_t byte : bytes_of(block, checksum_field)) sum -= byte;
  sum += ' ' * checksum_field.size;
  if (*stored == sum) return true;
  std::int64_t signed_sum = sum;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool in_checksum =
        i >= checksum_field.offset && i < checksum_field.offset + checksum_field.size;
    if (!in_checksum && block[i] >= 0x80) signed_sum -= 0x100;
  }
  return *stored == signed_sum;
}

TarForm form_of(Bytes block) {
  const std::string_view magic = as_text(bytes_of(block, magic_field));
  if (magic == std::string_view("ustar  \0", 8)) return TarForm::gnu;
  if (!magic.starts_with(std::string_view("ustar\0", 6))) return TarForm::v7;
  if (as_text(block.subspan(508, 4)) == std::string_view("tar\0", 4)) return TarForm::star;
  return TarForm::ustar;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Go reads a prefix in a GNU header when a time in its place is set and is not a number.
bool has_go_prefix(Bytes block) {
  for (const Field field : {gnu_atime_field, gnu_ctime_field}) {
    const Bytes bytes = bytes_of(block, field);
    if (bytes[0] != 0 && !read_tar_number(bytes)) return true;
  }
  return false;
}

void read_sparse_entries(Bytes entries, std::size_t count, TarSparseBlock& result,
                         std::vector<TarSegment>& segments) {
  for (; result.used < count; ++result.used) {
    const Bytes entry = entries.subspan(result.used * sparse_entry_size, sparse_entry_size);
    if (entry[0] == 0) return;
    const auto offset = read_tar_number(entry.first(12));
    const auto size = read_tar_number(entry.last(12));
    if (!offset || !size || *offset < 0 || *size < 0) {
      result.valid = false;
      return;
    }
    segments.push_back({static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*size)});
  }
}

}  // namespace

bool is_zero(Bytes bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::size_t find_nonzero(Bytes bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = std::min<std::size_t>(bytes.size() - at, 4096);
    if (!is_zero(bytes.subspan(at, size))) break;
    at += size;
  }
  while (at < bytes.size() && bytes[at] == 0) ++at;
  return at;
}

std::optional<std::int64_t> read_tar_number(Bytes field) {
  if (!field.empty() && (field[0] & 0x80) != 0) return read_binary(field);
  return read_octal(field);
}

std::optional<TarHeader> read_tar_header(Bytes block) {
  if (!checksum_is_right(block)) return std::nullopt;
  TarHeader header;
  header.form = form_of(block);
  header.type_flag = static_cast<char>(block[type_flag_offset]);
  header.name = text_of(block, name_field);
  header.link_name = text_of(block, link_name_field);

  const auto size = read_tar_number(bytes_of(block, size_field));
  header.size_valid = size && *size >= 0;
  if (header.size_valid) header.size = static_cast<std::uint64_t>(*size);

  const auto number = [&](Field field) -> std::int64_t {
    const auto value = read_tar_number(bytes_of(block, field));
    if (!value) header.numbers_valid = false;
    return value.value_or(0);
  };
  header.mode = static_cast<std::uint32_t>(number(mode_field));
  header.uid = saturated(number(uid_field));
  header.gid = saturated(number(gid_field));
  header.mtime = number(mtime_field);
  if (header.form != TarForm::v7) {
    header.device_major = saturated(number(major_field));
    header.device_minor = saturated(number(minor_field));
  }

  switch (header.form) {
    case TarForm::ustar:
      header.prefix = text_of(block, prefix_field);
      break;
    case TarForm::star:
      header.prefix = text_of(block, star_prefix_field);
      header.prefix_disputed = text_of(block, prefix_field).size() > star_prefix_field.size;
      break;
    case TarForm::gnu:
      if (has_go_prefix(block)) {
        const std::string_view prefix = text_of(block, prefix_field);
        if (is_ascii(prefix)) header.prefix = prefix;
        header.prefix_disputed = true;
      }
      break;
    case TarForm::v7:
      header.prefix_disputed = as_text(bytes_of(block, magic_field)).starts_with("ustar") &&
                               !text_of(block, prefix_field).empty();
      break;
  }
  return header;
}

void find_header_slack(Bytes block, const TarHeader& header,
                       std::vector<std::pair<std::size_t, std::size_t>>& slack) {
  const auto add = [&](std::size_t begin, std::size_t end) {
    const Bytes bytes = block.subspan(begin, end - begin);
    const std::size_t skipped = find_nonzero(bytes);
    if (skipped < bytes.size()) slack.emplace_back(begin + skipped, bytes.size() - skipped);
  };
  const auto behind_text = [&](Field field) {
    add(field.offset + text_of(block, field).size(), field.offset + field.size);
  };
  behind_text(name_field);
  behind_text(link_name_field);
  if (header.form == TarForm::v7) {
    // GNU tar writes zero device numbers there.
    const bool has_devices =
        as_text(block.subspan(major_field.offset, 16))
            .find_first_not_of(std::string_view("01234567 \0", 10)) == std::string_view::npos;
    add(magic_field.offset, has_devices ? major_field.offset : prefix_field.offset);
    add(prefix_field.offset, tar_block_size);
    return;
  }
  behind_text(user_field);
  behind_text(group_field);
  switch (header.form) {
    case TarForm::star:
      behind_text(star_prefix_field);
      break;
    case TarForm::gnu:
      if (header.prefix_disputed) {
        add(prefix_field.offset, tar_block_size);
      } else if (header.type_flag == 'S') {
        add(gnu_end, tar_block_size);
      } else {
        // The offset of a multi-volume member is a number; everything from there on is unused.
        add(header.type_flag == 'M' ? gnu_end : gnu_sparse_offset, tar_block_size);
      }
      break;
    default:
      behind_text(prefix_field);
      add(prefix_field.offset + prefix_field.size, tar_block_size);
      break;
  }
}

TarSparseBlock read_sparse_header(Bytes block, std::vector<TarSegment>& segments) {
  TarSparseBlock result;
  const auto real_size = read_tar_number(bytes_of(block, gnu_real_size_field));
  result.valid = real_size && *real_size >= 0;
  if (result.valid) result.real_size = static_cast<std::uint64_t>(*real_size);
  read_sparse_entries(block.subspan(gnu_sparse_offset), header_sparse_entries, result, segments);
  result.extended = block[gnu_extended_offset] != 0;
  return result;
}

TarSparseBlock read_sparse_extension(Bytes block, std::vector<TarSegment>& segments) {
  TarSparseBlock result;
  read_sparse_entries(block, extension_sparse_entries, result, segments);
  result.extended = block[extension_extended_offset] != 0;
  return result;
}

}  // namespace lazaret::format
