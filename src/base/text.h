// Text helpers. Text from an image is attacker text: it goes through escape() before a person or a
// log sees it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace lazaret {

std::string to_hex(Bytes bytes);
// The bytes that an even number of hex digits of either case stand for, or nothing.
std::optional<std::string> from_hex(std::string_view hex);

// True when `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
// U+10FFFF).
bool is_utf8(std::string_view text);

// `text` made safe to show: control characters, DEL, bidirectional overrides and other invisible
// format characters, and bytes that are not UTF-8 become \xHH, \n, \t or \u{HHHH}; a backslash
// stays as it is. Cut to about `limit` bytes with "..." when longer.
std::string escape(std::string_view text, std::size_t limit = static_cast<std::size_t>(-1));

std::string to_lower(std::string_view text);  // ASCII only
bool equals_ignore_case(std::string_view a, std::string_view b);
bool contains_ignore_case(std::string_view text, std::string_view part);
std::string_view trim(std::string_view text);  // spaces, tabs, CR, LF at both ends
std::vector<std::string_view> split(std::string_view text, char separator);

// Shell-style pattern of file names: * and ? do not cross '/', ** does.
bool glob_match(std::string_view pattern, std::string_view text);

// A person's number: "1.5 GiB".
std::string format_bytes(std::uint64_t bytes);

}  // namespace lazaret
