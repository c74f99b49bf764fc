// Any bytes, whole and as the beginning of a larger file.
#include <cstdlib>

#include "format/elf.h"
#include "format/file_kind.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes content(data, size);
  for (const std::uint64_t file_size : {std::uint64_t{size}, std::uint64_t{size} + 4096, ~std::uint64_t{0}}) {
    const ElfFile file = parse_elf(content, file_size);
    if (!file.valid && !file.sections.empty()) std::abort();
    if (file_size == size && file.end_of_image > size) std::abort();
  }
  (void)classify(content, size, "");
  return 0;
}
