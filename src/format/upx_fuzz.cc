// Any bytes as a packed program.
#include <cstdlib>

#include "format/elf_packing.h"
#include "format/upx.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes content(data, size);
  const ElfFile elf = parse_elf(content, size);
  const UpxFile upx = find_upx(content, elf);
  std::uint64_t unpacked = 0;
  for (const UpxBlock& block : upx.blocks) {
    if (!slice(content, block.offset, block.packed)) std::abort();
    unpacked += block.unpacked;
  }
  if (upx.found && unpacked != upx.unpacked) std::abort();
  const UpxLayout layout = upx_layout(content);
  for (const UpxPiece& piece : layout.pieces) {
    if (layout.valid && (piece.size > layout.size || piece.offset > layout.size - piece.size)) std::abort();
  }
  (void)packing_of(content, elf);
  return 0;
}
