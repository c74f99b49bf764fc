// Any bytes as a program with build information wherever its mark stands.
#include "format/go_build_info.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes content(data, size);
  const ElfFile elf = parse_elf(content, size);
  const std::string_view text = as_text(content);
  unsigned read = 0;
  for (auto at = text.find(go_build_info_mark); at != std::string_view::npos && read < 16; at = text.find(go_build_info_mark, at + 1)) {
    (void)read_go_build_info(content, elf, at);
    ++read;
  }
  return 0;
}
