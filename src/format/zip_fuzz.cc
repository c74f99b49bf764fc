// Any bytes: members and gaps lie inside of the file.
#include <cstdlib>

#include "format/zip.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes content(data, size);
  Limits limits;
  limits.nested_entries = 1000;
  const ZipFile file = parse_zip(content, limits);
  for (const ZipEntry& entry : file.entries) {
    if (entry.data.empty()) continue;
    if (entry.data.data() < data || entry.data.data() + entry.data.size() > data + size)
      std::abort();
  }
  for (const auto& gap : file.gaps) {
    if (!slice(content, gap.offset, gap.size)) std::abort();
  }
  return 0;
}
