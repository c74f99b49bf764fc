// APPNOTE.TXT 6.3.10: 4.3.7 local header, 4.3.9 data descriptor, 4.3.12 central header, 4.3.14 and
// 4.3.15 zip64 end record and locator, 4.3.16 end record, 4.5 extra fields. All numbers
// little-endian. A 32-bit field of all ones means that the number is in the zip64 extra field
// (0x0001), which holds only those that are needed, in a fixed order. The descriptor may lack its
// signature, and its sizes are 8 bytes wide in zip64, which is known from the extra field only, if
// at all: it is recognised by what it says.
#include "format/zip_records.h"

#include <algorithm>
#include <array>

namespace lazaret::format {
namespace {

constexpr std::uint64_t local_size = 30, central_size = 46, end_size = 22, locator_size = 20,
                        zip64_end_size = 56;
constexpr std::uint32_t all_ones = 0xffffffff;

template <typename T>
T get(Bytes content, std::uint64_t offset) {
  return read_le<T>(content, offset).value_or(0);
}

// Kinds of extra fields that say something about times, owners or sizes; others may hold anything.
bool is_known_extra(std::uint16_t id, std::uint64_t size) {
  constexpr std::array<std::uint16_t, 10> known = {0x0001, 0x000a, 0x000d, 0x5455, 0x5855,
                                                   0x7855, 0x7875, 0x9901, 0xcafe, 0x756e};
  return size <= 40 && std::find(known.begin(), known.end(), id) != known.end();
}

void read_extra(Bytes content, std::uint64_t offset, std::uint64_t size, bool central,
                ZipHeader& header) {
  const std::uint64_t end = offset + size;
  while (end - offset >= 4) {
    const auto id = get<std::uint16_t>(content, offset);
    const std::uint64_t length = get<std::uint16_t>(content, offset + 2);
    if (length > end - offset - 4) break;
    std::uint64_t at = offset + 4;
    const std::uint64_t field_end = at + length;
    if (id == 0x0001) {
      header.zip64 = true;
      const auto wide = [&](std::uint64_t& value) {
        if (value != all_ones || field_end - at < 8) return;
        value = get<std::uint64_t>(content, at);
        at += 8;
      };
      wide(header.size);
      wide(header.encoded_size);
      if (central) wide(header.local_offset);
    } else if (id == 0x7075 && length > 5) {
      header.unicode_name = as_text(clamp(content, at + 5, length - 5));
    } else if (!is_known_extra(id, length) && length > 0) {
      header.unread.emplace_back(at, length);
    }
    offset = field_end;
  }
  if (offset < end) header.unread.emplace_back(offset, end - offset);
}

}  // namespace

bool has_signature(Bytes content, std::uint64_t offset, std::string_view signature) {
  const auto bytes = slice(content, offset, signature.size());
  return bytes && as_text(*bytes) == signature;
}

std::optional<ZipHeader> read_local_header(Bytes content, std::uint64_t offset) {
  if (!has_signature(content, offset, zip_local_signature)) return std::nullopt;
  if (!slice(content, offset, local_size)) return std::nullopt;
  ZipHeader header;
  header.offset = offset;
  header.flags = get<std::uint16_t>(content, offset + 6);
  header.method = get<std::uint16_t>(content, offset + 8);
  header.crc32 = get<std::uint32_t>(content, offset + 14);
  header.encoded_size = get<std::uint32_t>(content, offset + 18);
  header.size = get<std::uint32_t>(content, offset + 22);
  const std::uint64_t name_size = get<std::uint16_t>(content, offset + 26);
  const std::uint64_t extra_size = get<std::uint16_t>(content, offset + 28);
  header.header_size = local_size + name_size + extra_size;
  if (!slice(content, offset, header.header_size)) return std::nullopt;
  header.name = as_text(clamp(content, offset + local_size, name_size));
  read_extra(content, offset + local_size + name_size, extra_size, false, header);
  return header;
}

std::optional<ZipHeader> read_central_header(Bytes content, std::uint64_t offset) {
  if (!has_signature(content, offset, zip_central_signature)) return std::nullopt;
  if (!slice(content, offset, central_size)) return std::nullopt;
  ZipHeader header;
  header.offset = offset;
  header.host = get<std::uint8_t>(content, offset + 5);
  header.flags = get<std::uint16_t>(content, offset + 8);
  header.method = get<std::uint16_t>(content, offset + 10);
  header.crc32 = get<std::uint32_t>(content, offset + 16);
  header.encoded_size = get<std::uint32_t>(content, offset + 20);
  header.size = get<std::uint32_t>(content, offset + 24);
  const std::uint64_t name_size = get<std::uint16_t>(content, offset + 28);
  const std::uint64_t extra_size = get<std::uint16_t>(content, offset + 30);
  const std::uint64_t comment_size = get<std::uint16_t>(content, offset + 32);
  header.disk = get<std::uint16_t>(content, offset + 34);
  header.attributes = get<std::uint32_t>(content, offset + 38);
  header.local_offset = get<std::uint32_t>(content, offset + 42);
  header.header_size = central_size + name_size + extra_size + comment_size;
  if (!slice(content, offset, header.header_size)) return std::nullopt;
  header.name = as_text(clamp(content, offset + central_size, name_size));
  read_extra(content, offset + central_size + name_size, extra_size, true, header);
  if (comment_size > 0)
    header.unread.emplace_back(offset + central_size + name_size + extra_size, comment_size);
  return header;
}

std::uint64_t descriptor_size(Bytes content, std::uint64_t offset, std::uint64_t encoded_size) {
  const bool is_signed = has_signature(content, offset, zip_descriptor_signature);
  const std::uint64_t sizes = offset + (is_signed ? 8 : 4);  // behind the checksum
  const std::uint64_t front = sizes - offset;
  // Content of 0 bytes makes the narrow form look like the wide one, but for what follows it.
  const bool wide = read_le<std::uint64_t>(content, sizes) == encoded_size &&
                    slice(content, sizes, 16) && !has_signature(content, sizes + 8, "PK");
  if (wide) return front + 16;
  if (read_le<std::uint32_t>(content, sizes) == encoded_size && slice(content, sizes, 8))
    return front + 8;
  return 0;
}

std::optional<ZipEnd> read_end_record(Bytes content, std::uint64_t offset) {
  if (!has_signature(content, offset, zip_end_signature)) return std::nullopt;
  if (!slice(content, offset, end_size)) return std::nullopt;
  ZipEnd end;
  end.offset = end.records_offset = offset;
  end.disk = get<std::uint16_t>(content, offset + 4);
  end.entries = get<std::uint16_t>(content, offset + 10);
  end.directory_size = get<std::uint32_t>(content, offset + 12);
  end.directory_offset = get<std::uint32_t>(content, offset + 16);
  const std::uint64_t comment_size = get<std::uint16_t>(content, offset + 20);
  const auto comment = slice(content, offset + end_size, comment_size);
  if (!comment) return std::nullopt;
  end.comment = as_text(*comment);
  end.size = end_size + comment_size;

  // The locator's offset does not count what stands in front of the archive.
  if (offset >= locator_size &&
      has_signature(content, offset - locator_size, std::string_view("PK\6\7", 4))) {
    const std::uint64_t locator = offset - locator_size;
    const std::uint64_t stated = get<std::uint64_t>(content, locator + 8);
    for (const std::uint64_t at : {stated, locator - std::min(locator, zip64_end_size)}) {
      if (at >= locator || !has_signature(content, at, std::string_view("PK\6\6", 4)) ||
          locator - at < zip64_end_size)
        continue;
      end.records_offset = at;
      end.disk = get<std::uint32_t>(content, at + 16);
      end.entries = get<std::uint64_t>(content, at + 32);
      end.directory_size = get<std::uint64_t>(content, at + 40);
      end.directory_offset = get<std::uint64_t>(content, at + 48);
      break;
    }
  }
  return end;
}

}  // namespace lazaret::format
