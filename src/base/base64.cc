#include "base/base64.h"

namespace lazaret {
using base64_detail::other;
using base64_detail::pad;
using base64_detail::space;
using base64_detail::table;

std::string decode_base64_letters(std::string_view run) {
  std::string bytes;
  bytes.reserve(run.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : run) {
    const std::uint8_t value = base64_value(c);
    if (value >= 64) continue;
    bits = bits << 6 | value;
    if (++count == 4) {
      bytes.push_back(static_cast<char>(bits >> 16));
      bytes.push_back(static_cast<char>(bits >> 8));
      bytes.push_back(static_cast<char>(bits));
      count = 0;
      bits = 0;
    }
  }
  if (count == 2) bytes.push_back(static_cast<char>(bits >> 4));
  if (count == 3) {
    bytes.push_back(static_cast<char>(bits >> 10));
    bytes.push_back(static_cast<char>(bits >> 2));
  }
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  static constexpr char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < size ? static_cast<std::uint8_t>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      text.push_back(j <= size ? alphabet[bits >> (18 - 6 * j) & 63] : '=');
  }
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::size_t letters = 0;
  bool padding = false;
  for (const char c : text) {
    const std::uint8_t value = base64_value(c);
    if (value == other) return std::nullopt;
    if (value == pad) padding = true;
    if (value < 64) {
      if (padding) return std::nullopt;
      ++letters;
    }
  }
  if (letters < 2) return std::nullopt;
  return decode_base64_letters(text);
}

}  // namespace lazaret
