// base64 (RFC 4648): whole texts, and the letters of which runs of it consist.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lazaret {

// In the standard alphabet, padded, without line ends (RFC 4648, section 4).
std::string encode_base64(std::string_view bytes);

// Strict enough to be meaningful, lenient as `base64 -d -i` is: standard and URL-safe alphabets,
// optional padding, white space and line ends between groups. Nothing when a byte outside of that
// is met or fewer than two characters are there.
std::optional<std::string> decode_base64(std::string_view text);

// What the base64 letters of `run` decode to; whatever else stands between them is passed over.
std::string decode_base64_letters(std::string_view run);

namespace base64_detail {

inline constexpr std::uint8_t other = 64, pad = 65, space = 66;

// 0..63 for both base64 alphabets (RFC 4648, sections 4 and 5), or what else a byte is.
consteval std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  for (auto& entry : table) entry = other;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  table['-'] = 62;
  table['_'] = 63;
  table['='] = pad;
  for (const char c : {' ', '\t', '\r', '\n'}) table[static_cast<std::uint8_t>(c)] = space;
  return table;
}
inline constexpr auto table = make_table();


}  // namespace base64_detail

// 0..63 for a letter of either alphabet, 64 and more for any other byte. It is asked of every byte of a text.
inline std::uint8_t base64_value(char c) { return base64_detail::table[static_cast<std::uint8_t>(c)]; }

}  // namespace lazaret
