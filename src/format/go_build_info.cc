// 16 bytes of mark, then 16 more. Byte 14 is the size of a pointer, byte 15 has flags: bit 0 big-endian, bit 1 strings inline (since Go 1.18). Inline: from byte
// 32 two strings, each with its length as a varint in front. Else: from byte 16 two pointers to strings' headers (pointer, length) in the program's memory. The first
// string is the version, the second the module information between two marks of 16 bytes.
#include "format/go_build_info.h"

#include <algorithm>
#include <optional>

namespace lazaret::format {
namespace {

constexpr std::uint64_t header_size = 32, version_limit = 256, modules_bytes_limit = 4 << 20;
constexpr std::size_t modules_limit = 20'000, settings_limit = 256, sentinel = 16;

std::optional<std::string_view> inline_string(Bytes content, std::uint64_t& at, std::uint64_t limit) {
  std::uint64_t size = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto byte = read_le<std::uint8_t>(content, at);
    if (!byte) return std::nullopt;
    ++at;
    size |= std::uint64_t{*byte & 0x7fu} << shift;
    if ((*byte & 0x80) == 0) {
      const auto text = slice(content, at, size);
      if (!text || size > limit) return std::nullopt;
      at += size;
      return as_text(*text);
    }
  }
  return std::nullopt;
}

class Memory {
 public:
  Memory(Bytes content, const ElfFile& elf, std::uint64_t pointer_size, bool big_endian)
      : content_(content), elf_(elf), pointer_size_(pointer_size), big_endian_(big_endian) {}

  std::optional<std::uint64_t> pointer(std::uint64_t offset) const {
    if (pointer_size_ == 8) return big_endian_ ? read_be<std::uint64_t>(content_, offset) : read_le<std::uint64_t>(content_, offset);
    const auto value = big_endian_ ? read_be<std::uint32_t>(content_, offset) : read_le<std::uint32_t>(content_, offset);
    if (!value) return std::nullopt;
    return *value;
  }
  // The string whose header stands at `address`.
  std::optional<std::string_view> string(std::uint64_t address, std::uint64_t limit) const {
    const auto header = offset_of(address);
    if (!header) return std::nullopt;
    const auto data = pointer(*header), size = pointer(*header + pointer_size_);
    if (!data || !size || *size > limit) return std::nullopt;
    const auto at = offset_of(*data);
    if (!at) return std::nullopt;
    const auto text = slice(content_, *at, *size);
    if (!text) return std::nullopt;
    return as_text(*text);
  }

 private:
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const ElfSegment& segment : elf_.segments) {
      if (segment.type == 1 && address >= segment.address && address - segment.address < segment.file_size) {
        return checked_add(segment.offset, address - segment.address);
      }
    }
    return std::nullopt;
  }

  const Bytes content_;
  const ElfFile& elf_;
  const std::uint64_t pointer_size_;
  const bool big_endian_;
};

std::string_view next(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

void read_modules(std::string_view text, GoBuildInfo& info) {
  while (!text.empty() && info.dependencies.size() < modules_limit && info.settings.size() < settings_limit) {
    std::string_view line = next(text, '\n');
    const std::string_view kind = next(line, '\t');
    if (kind == "path") {
      info.path = line;
    } else if (kind == "mod" || kind == "dep" || kind == "=>") {
      const std::string path(next(line, '\t'));
      GoModule module{path, std::string(next(line, '\t'))};
      if (kind == "mod") {
        info.main = std::move(module);
      } else {
        info.dependencies.push_back(std::move(module));
      }
    } else if (kind == "build") {
      const std::string key(next(line, '='));
      info.settings.emplace_back(key, std::string(line));
    }
  }
}

}  // namespace

GoBuildInfo read_go_build_info(Bytes content, const ElfFile& elf, std::uint64_t offset) {
  GoBuildInfo info;
  info.offset = offset;
  const auto header = slice(content, offset, header_size);
  if (!header || !as_text(*header).starts_with(go_build_info_mark)) return info;
  const std::uint8_t pointer_size = (*header)[14], flags = (*header)[15];
  std::optional<std::string_view> version, modules;
  if ((flags & 2) != 0) {
    std::uint64_t at = offset + header_size;
    version = inline_string(content, at, version_limit);
    if (version) modules = inline_string(content, at, modules_bytes_limit);
  } else if (pointer_size == 4 || pointer_size == 8) {
    const Memory memory(content, elf, pointer_size, (flags & 1) != 0);
    const auto first = memory.pointer(offset + 16), second = memory.pointer(offset + 16 + pointer_size);
    if (first) version = memory.string(*first, version_limit);
    if (second) modules = memory.string(*second, modules_bytes_limit);
  }
  if (!version || version->empty()) return info;
  info.found = true;
  info.version = *version;
  if (modules && modules->size() >= 2 * sentinel + 1 && (*modules)[modules->size() - sentinel - 1] == '\n') {
    read_modules(modules->substr(sentinel, modules->size() - 2 * sentinel), info);
  }
  return info;
}

}  // namespace lazaret::format
