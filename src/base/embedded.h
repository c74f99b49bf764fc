// Files that cmake/Embed.cmake built into the program.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace lazaret {

struct EmbeddedFile {
  std::string_view name;  // path below the base folder, with '/'
  Bytes stored;           // content with the halves of each byte exchanged

  std::string content() const {
    std::string result;
    result.reserve(stored.size());
    for (const std::uint8_t byte : stored)
      result.push_back(static_cast<char>(byte >> 4 | (byte & 0x0f) << 4));
    return result;
  }
};

}  // namespace lazaret
