// Any bytes as ar, cpio and rpm (the first byte chooses): members and gaps lie inside of the file,
// and together they are not many times as large.
#include <cstdlib>

#include "format/archives.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes content(data + 1, size - 1);
  Limits limits;
  limits.nested_entries = 1000;
  Archive archive;
  switch (data[0] % 3) {
    case 0:
      archive = parse_ar(content, limits);
      break;
    case 1:
      archive = parse_cpio(content, limits);
      break;
    default:
      archive = parse_rpm(content, limits).contents;
      break;
  }
  std::uint64_t total = 0;
  for (const ArchiveMember& member : archive.members) {
    if (member.data.empty()) continue;
    if (member.data.data() < content.data() ||
        member.data.data() + member.data.size() > content.data() + content.size())
      std::abort();
    total += member.data.size();
  }
  for (const auto& [offset, gap_size] : archive.gaps) {
    if (!slice(content, offset, gap_size)) std::abort();
  }
  if (total > 6 * content.size()) std::abort();
  return 0;
}
