// Any bytes by any method into a buffer of any size. Form: method, unpacked size (32 bits), bytes.
#include <cstdlib>
#include <vector>

#include "codec/nrv.h"
#include "codec/upx_block.h"

using namespace lazaret;
using namespace lazaret::codec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  const Bytes content(data, size);
  std::vector<std::uint8_t> out(*read_le<std::uint32_t>(content, 1) % (1 << 18));
  (void)decode_upx_block(data[0], content.subspan(5), out, 4 << 20);
  constexpr NrvUnit units[] = {NrvUnit::bits_8, NrvUnit::bits_16, NrvUnit::bits_32};
  const NrvResult result = decode_nrv(static_cast<NrvMethod>(data[0] % 3), units[data[0] / 3 % 3], content.subspan(5), out);
  if (result.written > out.size()) std::abort();
  return 0;
}
