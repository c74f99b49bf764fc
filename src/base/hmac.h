// HMAC-SHA256 (RFC 2104): what only the owner of a key can have made.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lazaret {

// 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

// The 32 random bytes in `path`, which are made (mode 0600) where there is no such file.
Result<std::string> read_or_make_key(const std::string& path);

}  // namespace lazaret
