// Keccak-256 with the original padding (0x01), as CryptoNote and Ethereum use it; SHA-3 pads with 0x06 and gives other values.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace lazaret::format {

std::array<std::uint8_t, 32> keccak256(Bytes bytes);

}  // namespace lazaret::format
