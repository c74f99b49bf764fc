// Any bytes: every one accounted for, the handler's contract kept, and the same events whatever the
// sizes of the pieces fed.
#include <cstdlib>

#include "format/tar_test_support.h"

using namespace lazaret;
using namespace lazaret::format;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// Rights the checksums of what looks like headers, since no mutation would.
std::string with_checksums(std::string archive) {
  for (std::size_t at = 0; at + 512 <= archive.size(); at += 512) {
    if (archive.compare(at + 257, 5, "ustar") != 0) continue;
    TarBlock block("");
    block.set(0, archive.substr(at, 512));
    archive.replace(at, 512, block.str());
  }
  return archive;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte chooses the limits and the pieces.
  const std::uint8_t choice = data[0];
  std::string archive(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((choice & 4) != 0) archive = with_checksums(std::move(archive));
  Limits limits;
  if ((choice & 1) != 0) limits.layer_entries = 3;
  if ((choice & 2) != 0) limits.extended_header_bytes = 700;
  const TarRecorder whole = read_tar(archive, limits);
  require(whole.in_order);
  require(is_balanced(whole.account));
  require(whole.account.total == archive.size());
  std::uint64_t content = 0, side = 0;
  for (const TarRecord& record : whole.entries) {
    require(record.ended);
    require(record.size <= record.entry.size);
    content += record.stored;
  }
  for (const TarSide& item : whole.sides) {
    require(item.offset + item.bytes.size() <= archive.size());
    require(archive.compare(item.offset, item.bytes.size(), item.bytes) == 0);
    if (item.what != "pax-record" && item.what != "tar-header-slack") side += item.bytes.size();
  }
  require(content == whole.account.content);
  require(side == whole.account.side);

  const TarRecorder split = read_tar(archive, limits, 1 + choice * 5);
  require(split.in_order);
  require(split.summary() == whole.summary());
  return 0;
}
