// Makes zip files record by record, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lazaret::format {

inline std::string little(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i, value >>= 8) result += static_cast<char>(value & 0xff);
  return result;
}

struct ZipMember {
  std::string name, content;
  std::uint16_t method = 0, flags = 0;
  std::uint32_t mode = 0100644;
  std::string extra = {}, comment = {};
  bool descriptor = false;

  std::string local() const {
    const std::uint16_t all = static_cast<std::uint16_t>(flags | (descriptor ? 8 : 0));
    const std::uint64_t size = descriptor ? 0 : content.size();
    std::string result = std::string("PK\3\4", 4) + little(20, 2) + little(all, 2) +
                         little(method, 2) + little(0, 4) + little(0x11223344, 4) +
                         little(size, 4) + little(size, 4) + little(name.size(), 2) + little(0, 2) +
                         name + content;
    if (descriptor)
      result += std::string("PK\7\10", 4) + little(0x11223344, 4) + little(content.size(), 4) +
                little(content.size(), 4);
    return result;
  }
  std::string central(std::uint64_t offset) const {
    const std::uint16_t all = static_cast<std::uint16_t>(flags | (descriptor ? 8 : 0));
    return std::string("PK\1\2", 4) + little(0x0314, 2) + little(20, 2) + little(all, 2) +
           little(method, 2) + little(0, 4) + little(0x11223344, 4) + little(content.size(), 4) +
           little(content.size(), 4) + little(name.size(), 2) + little(extra.size(), 2) +
           little(comment.size(), 2) + little(0, 4) + little(std::uint64_t{mode} << 16, 4) +
           little(offset, 4) + name + extra + comment;
  }
};

inline std::string zip_end(std::uint64_t entries, std::uint64_t size, std::uint64_t offset,
                           std::string_view comment = {}) {
  return std::string("PK\5\6", 4) + little(0, 4) + little(entries, 2) + little(entries, 2) +
         little(size, 4) + little(offset, 4) + little(comment.size(), 2) + std::string(comment);
}

template <typename Members>
std::string make_zip(const Members& members, std::string_view comment = {}) {
  std::string locals, centrals;
  std::uint64_t count = 0;
  for (const ZipMember& member : members) {
    centrals += member.central(locals.size());
    locals += member.local();
    ++count;
  }
  return locals + centrals + zip_end(count, centrals.size(), locals.size(), comment);
}

}  // namespace lazaret::format
