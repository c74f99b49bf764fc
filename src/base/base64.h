// base64 (RFC 4648): whole texts, and the letters of which runs of it consist.
#pragma once

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

// 0..63 for a letter of either alphabet, 64 and more for any other byte.
std::uint8_t base64_value(char c);

}  // namespace lazaret
