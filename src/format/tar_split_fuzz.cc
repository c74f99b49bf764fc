// Any bytes as the text of tar-split: the same entries whatever the sizes of the pieces, none
// larger than the text.
#include <cstdlib>

#include "format/tar_split.h"

using namespace lazaret;
using namespace lazaret::format;

namespace {

struct Reading {
  std::uint64_t entries = 0, bytes = 0;
  std::string problem;
  bool operator==(const Reading&) const = default;
};

Reading read(Bytes text, std::size_t piece) {
  Limits limits;
  limits.layer_entries = 1000;
  limits.tar_split_line = 1 << 16;
  Reading reading;
  TarSplitReader reader(limits, [&](const TarSplitEntry& entry) {
    ++reading.entries;
    reading.bytes += entry.segment.size() + entry.name.size();
    return true;
  });
  for (; !text.empty(); text = text.subspan(std::min(piece, text.size()))) {
    if (!reader.feed(text.first(std::min(piece, text.size())))) break;
  }
  reader.finish();
  reading.problem = reader.problem();
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes text(data + 1, size - 1);
  const Reading whole = read(text, SIZE_MAX);
  // An escape (\u00e9, or a byte that is not UTF-8) takes no fewer bytes than it stands for.
  if (whole.bytes > 3 * size) std::abort();
  if (!(read(text, data[0] + 1u) == whole)) std::abort();
  return 0;
}
