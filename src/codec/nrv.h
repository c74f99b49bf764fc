// NRV2B, NRV2D and NRV2E: the compression methods of the UCL library, as executables packed by UPX contain them. One block, held whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace lazaret::codec {

enum class NrvMethod : std::uint8_t { nrv2b, nrv2d, nrv2e };

// How the bits stand in the stream: in units of this many bits, little-endian, highest bit first, each read when its first bit is needed.
enum class NrvUnit : std::uint8_t { bits_8 = 8, bits_16 = 16, bits_32 = 32 };

struct NrvResult {
  std::size_t written = 0;
  bool complete = false;  // the end mark was met, in time
};

// Decodes `in` into `out`, whose size is what the container says the block decodes to. Damaged or hostile input ends early; what
// came out before is in `out`. Work is bounded by the sizes of both.
NrvResult decode_nrv(NrvMethod method, NrvUnit unit, Bytes in, std::span<std::uint8_t> out);

}  // namespace lazaret::codec
