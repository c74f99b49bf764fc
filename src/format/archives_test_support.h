// Makes ar, cpio and rpm files, for tests and seeds of fuzz targets.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::format {

inline std::string ar_member(std::string_view name, std::string_view content) {
  char header[61];
  std::snprintf(header, sizeof header, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", std::string(name).c_str(),
                1700000000, 0, 0, "100644", content.size());
  std::string result = header + std::string(content);
  if (content.size() % 2 != 0) result += '\n';
  return result;
}
inline const std::string ar_magic = "!<arch>\n";

struct CpioMember {
  std::string name, content;
  std::uint32_t mode = 0100644;
  unsigned inode = 1, links = 1;
};

inline std::string padded_to(std::string bytes, std::size_t alignment) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
  return bytes;
}
inline std::string cpio_newc(const CpioMember& member, std::string_view magic = "070701") {
  char header[111];
  std::snprintf(header, sizeof header, "%s%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
                std::string(magic).c_str(), member.inode, member.mode, 0, 0, member.links,
                1700000000, member.content.size(), 8, 1, 0, 0, member.name.size() + 1, 0);
  return padded_to(padded_to(header + member.name + '\0', 4) + member.content, 4);
}
inline std::string cpio_odc(const CpioMember& member) {
  char header[77];
  std::snprintf(header, sizeof header, "070707%06o%06o%06o%06o%06o%06o%06o%011o%06zo%011zo", 8,
                member.inode, member.mode, 0, 0, member.links, 0, 1700000000,
                member.name.size() + 1, member.content.size());
  return header + member.name + '\0' + member.content;
}
inline std::string cpio_binary(const CpioMember& member, bool big_endian) {
  std::string header;
  const auto word = [&](std::size_t value) {
    const char low = static_cast<char>(value & 0xff), high = static_cast<char>(value >> 8 & 0xff);
    header += big_endian ? high : low;
    header += big_endian ? low : high;
  };
  for (const std::size_t value :
       {std::size_t{070707}, std::size_t{8}, std::size_t{member.inode},
        std::size_t{member.mode & 0xffff}, std::size_t{0}, std::size_t{0},
        std::size_t{member.links}, std::size_t{0}, std::size_t{0x6553}, std::size_t{0xf100},
        member.name.size() + 1, member.content.size() >> 16, member.content.size()})
    word(value);
  return padded_to(padded_to(header + member.name + '\0', 2) + member.content, 2);
}

inline std::string big(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = bytes; i-- > 0;) result += static_cast<char>(value >> (8 * i) & 0xff);
  return result;
}
struct RpmEntry {
  std::uint32_t tag = 0, type = 6, count = 1;
  std::string data;  // with the NULs of strings
};
inline std::string rpm_header(const std::vector<RpmEntry>& entries) {
  std::string index, store;
  for (const RpmEntry& entry : entries) {
    if (entry.type == 4) store = padded_to(store, 4);
    index += big(entry.tag, 4) + big(entry.type, 4) + big(store.size(), 4) + big(entry.count, 4);
    store += entry.data;
  }
  return big(0x8eade801, 4) + big(0, 4) + big(entries.size(), 4) + big(store.size(), 4) + index +
         store;
}
inline std::string rpm_lead(std::string name) {
  name.resize(66, '\0');
  return big(0xedabeedb, 4) + big(3, 1) + big(0, 1) + big(0, 2) + big(1, 2) + name + big(1, 2) +
         big(5, 2) + std::string(16, '\0');
}
inline std::string make_rpm(const std::vector<RpmEntry>& entries, std::string_view payload) {
  const std::string signature = rpm_header({{1000, 4, 1, big(1234, 4)}, {269, 6, 1, {"abc\0", 4}}});
  return rpm_lead("package") + padded_to(signature, 8) + rpm_header(entries) + std::string(payload);
}
inline std::string terminated(std::string_view text) {
  return std::string(text) + '\0';
}

}  // namespace lazaret::format
