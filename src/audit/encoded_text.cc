#include "audit/encoded_text.h"

#include <algorithm>
#include <array>

#include "format/file_kind.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The base64 characters that are the same wherever `plain` begins at `lead` (0, 1 or 2) bytes into a group of three: those whose six
// bits come from `plain` alone.
std::string aligned_base64(std::string_view plain, std::size_t lead) {
  std::string encoded;
  const std::size_t bits = plain.size() * 8;
  // The first character boundary at or behind the first bit of `plain`.
  const std::size_t first_bit = lead * 8;
  std::size_t position = (first_bit + 5) / 6 * 6 - first_bit;
  for (; position + 6 <= bits; position += 6) {
    unsigned value = 0;
    for (std::size_t bit = position; bit < position + 6; ++bit) {
      value = value << 1 | (static_cast<std::uint8_t>(plain[bit / 8]) >> (7 - bit % 8) & 1u);
    }
    encoded.push_back(alphabet[value]);
  }
  return encoded;
}

bool is_base64(std::uint8_t c) {
  static const std::array<bool, 256> table = [] {
    std::array<bool, 256> set{};
    for (const char letter : alphabet) set[static_cast<std::uint8_t>(letter)] = true;
    set['-'] = set['_'] = true;
    return set;
  }();
  return table[c];
}

}  // namespace

std::span<const std::string> encoded_marks() {
  static const std::vector<std::string> marks = [] {
    std::vector<std::string> list;
    const std::string_view starts[] = {"#!/bin/", "/dev/tcp/", "stratum+tcp", "#!/usr/bin/", "authorized_keys", "/etc/cron",
                                       "import socket", "http://", "\x7f" "ELF\x02\x01\x01", "| bash", "|bash", "/bin/sh -i", "/bin/bash"};
    for (const std::string_view plain : starts) {
      for (std::size_t lead = 0; lead < 3; ++lead) {
        std::string encoded = aligned_base64(plain, lead);
        if (encoded.size() >= 7) list.push_back(std::move(encoded));
      }
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  }();
  return marks;
}

std::optional<std::string> decode_around(Bytes content, std::uint64_t end, std::uint64_t* offset, std::uint64_t* run_end) {
  const auto encoded = [&](std::uint64_t at) {
    const std::uint8_t c = content[at];
    return is_base64(c) || c == '\n' || c == '\r';
  };
  std::uint64_t begin = std::min<std::uint64_t>(end, content.size()), last = begin;
  while (begin > 0 && encoded(begin - 1)) --begin;
  while (last < content.size() && encoded(last)) ++last;
  while (begin < last && !is_base64(content[begin])) ++begin;
  *offset = begin;
  *run_end = last;
  if (last - begin < 16) return std::nullopt;
  const std::string_view run = as_text(content.subspan(begin, last - begin));
  // Letters that stand in front of the run by chance shift it: try each of the four positions in a group.
  for (std::size_t skip = 0; skip < 4; ++skip) {
    auto decoded = codec::decode_base64(run.substr(skip));
    if (decoded && is_worth_auditing(*decoded)) {
      *offset = begin + skip;
      return decoded;
    }
  }
  return std::nullopt;
}

std::optional<std::string> from_utf16(std::string_view bytes) {
  if (bytes.size() < 16 || bytes.size() % 2 != 0) return std::nullopt;
  std::string text;
  text.reserve(bytes.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (bytes[i + 1] != '\0' || c == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) return std::nullopt;
    text.push_back(bytes[i]);
  }
  return text;
}

bool is_worth_auditing(std::string_view decoded) {
  if (decoded.size() < 8) return false;
  if (from_utf16(decoded)) return true;
  const Bytes bytes = as_bytes(decoded);
  const auto type = format::classify(clamp(bytes, 0, 4096), bytes.size(), "");
  return type.kind != format::FileKind::data && type.kind != format::FileKind::empty;
}

}  // namespace lazaret::audit
