// One compressed block of an executable packed by UPX.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace lazaret::codec {

// Decodes a block of UPX's method `method` (the M_ numbers of its sources: 2-4 NRV2B, 5-7 NRV2D, 8-10 NRV2E, 14 LZMA, 15 deflate) into `out`, whose
// size is the block's unpacked size. False when the bytes are damaged, decode to another size, or the method is none of these. `memory`: what the LZMA
// decoder may use besides `out`.
bool decode_upx_block(std::uint8_t method, Bytes in, std::span<std::uint8_t> out, std::uint64_t memory);

}  // namespace lazaret::codec
