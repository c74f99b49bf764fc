// The records of a zip file, one at a time, without judgement.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace lazaret::format {

inline constexpr std::string_view zip_local_signature("PK\3\4", 4);
inline constexpr std::string_view zip_central_signature("PK\1\2", 4);
inline constexpr std::string_view zip_end_signature("PK\5\6", 4);
inline constexpr std::string_view zip_descriptor_signature("PK\7\10", 4);

bool has_signature(Bytes content, std::uint64_t offset, std::string_view signature);

// What local and central headers have in common.
struct ZipHeader {
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc32 = 0;
  std::uint64_t encoded_size = 0, size = 0;
  std::string_view name;
  std::uint64_t offset = 0;       // of the header itself
  std::uint64_t header_size = 0;  // with name, extra fields and comment
  std::string_view unicode_name;  // Info-ZIP's extra field 0x7075; "" when absent
  bool zip64 = false;
  // (offset, size) of extra fields of unknown kinds, and of the comment.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> unread;
  // Central headers only.
  std::uint64_t local_offset = 0;
  std::uint8_t host = 0;  // 3: Unix
  std::uint32_t attributes = 0;
  std::uint32_t disk = 0;

  bool encrypted() const { return (flags & 1) != 0; }
  bool has_descriptor() const { return (flags & 8) != 0; }
};

std::optional<ZipHeader> read_local_header(Bytes content, std::uint64_t offset);
std::optional<ZipHeader> read_central_header(Bytes content, std::uint64_t offset);

// The bytes a data descriptor behind the content takes up; 0 when there is none. `encoded_size` is
// what it must say.
std::uint64_t descriptor_size(Bytes content, std::uint64_t offset, std::uint64_t encoded_size);

// The end record, with what a zip64 end record says instead.
struct ZipEnd {
  std::uint64_t offset = 0;            // of the end record
  std::uint64_t records_offset = 0;    // of the first end record (zip64's, when there is one)
  std::uint64_t size = 0;              // of the end record with its comment
  std::uint64_t entries = 0;           // claimed
  std::uint64_t directory_size = 0;    // claimed
  std::uint64_t directory_offset = 0;  // claimed
  std::uint32_t disk = 0;
  std::string_view comment;
};
std::optional<ZipEnd> read_end_record(Bytes content, std::uint64_t offset);

}  // namespace lazaret::format
