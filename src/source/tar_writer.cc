#include "source/tar_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace lazaret::source {
namespace {

constexpr std::size_t block = 512;
constexpr std::size_t name_bytes = 100;

// A number field: zero-filled octal and a NUL. False when it does not fit.
bool put_octal(char* field, std::size_t width, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, width - 1);
  if (digits.size() > width - 1) return false;
  std::memcpy(field, digits.data(), digits.size());
  field[width - 1] = '\0';
  return true;
}

// "<length> <key>=<value>\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length)
    length = fmt::formatted_size("{}", length) + rest;
  std::string record = fmt::format("{} ", length);
  record.append(key);
  record += '=';
  record.append(value);
  record += '\n';
  return record;
}

void put_checksum(char* header) {
  std::memset(header + 148, ' ', 8);
  unsigned sum = 0;
  for (std::size_t i = 0; i < block; ++i) sum += static_cast<unsigned char>(header[i]);
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(header + 148, digits.data(), 6);
  header[154] = '\0';
}

// The ustar block; what does not fit is added to `records`.
std::string ustar_block(const TarMember& member, std::string& records) {
  std::string out(block, '\0');
  char* header = out.data();
  const auto put_text = [&](std::size_t at, std::size_t width, const std::string& text,
                            std::string_view key) {
    std::memcpy(header + at, text.data(), std::min(width, text.size()));
    if (text.size() > width) records += pax_record(key, text);
  };
  const auto put_number = [&](std::size_t at, std::size_t width, std::uint64_t value,
                              std::string_view key) {
    if (put_octal(header + at, width, value)) return;
    put_octal(header + at, width, 0);
    if (!key.empty()) records += pax_record(key, fmt::format("{}", value));
  };
  put_text(0, name_bytes, member.path, "path");
  put_number(100, 8, member.mode & 07777, {});
  put_number(108, 8, member.uid, "uid");
  put_number(116, 8, member.gid, "gid");
  put_number(124, 12, member.size, "size");
  if (member.mtime >= 0) {
    put_number(136, 12, static_cast<std::uint64_t>(member.mtime), "mtime");
  } else {
    put_octal(header + 136, 12, 0);
    records += pax_record("mtime", fmt::format("{}", member.mtime));
  }
  header[156] = member.type;
  put_text(157, name_bytes, member.link_target, "linkpath");
  std::memcpy(header + 257, "ustar\00000", 8);
  put_number(329, 8, member.device_major, {});
  put_number(337, 8, member.device_minor, {});
  put_checksum(header);
  return out;
}

}  // namespace

std::string tar_header(const TarMember& member) {
  std::string records;
  const std::string header = ustar_block(member, records);
  for (const auto& [name, value] : member.xattrs)
    records += pax_record("SCHILY.xattr." + name, value);
  if (records.empty()) return header;

  TarMember extended;
  extended.path = "PaxHeaders/" + member.path.substr(0, name_bytes - 11);
  extended.type = 'x';
  extended.size = records.size();
  std::string unused;
  std::string out = ustar_block(extended, unused);
  out += records;
  out += tar_padding(records.size());
  out += header;
  return out;
}

std::string tar_padding(std::uint64_t size) {
  return std::string((block - size % block) % block, '\0');
}

std::string tar_end() {
  return std::string(2 * block, '\0');
}

}  // namespace lazaret::source
