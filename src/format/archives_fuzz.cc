// Any bytes as ar, cpio and rpm (the first byte chooses): members and gaps lie inside of the file,
// and together they are not many times as large.
#include <cstdlib>

#include "format/archives.h"

using namespace lazaret;
using namespace lazaret::format;

namespace {

struct ArPieces final : ArHandler {
  void member(std::string_view path, std::uint32_t, std::uint64_t) override { members += std::string(path) + '\n'; }
  void data(std::uint64_t, Bytes piece) override { members += as_text(piece); }
  void member_end() override { members += '\n'; }
  void gap(std::uint64_t, Bytes piece, bool) override { gap_bytes += piece.size(); }
  void diagnostic(Diagnostic) override { ++diagnostics; }

  std::string members;
  std::uint64_t gap_bytes = 0;
  std::size_t diagnostics = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes content(data + 1, size - 1);
  Limits limits;
  limits.nested_entries = 1000;
  Archive archive;
  switch (data[0] % 3) {
    case 0: {
      archive = parse_ar(content, limits);
      // In pieces the same.
      ArPieces pieces;
      ArReader reader(limits, pieces);
      for (std::size_t at = 0; at < content.size(); at += 7) reader.feed(clamp(content, at, 7));
      reader.finish();
      std::string whole;
      std::uint64_t gap_bytes = 0;
      for (const ArchiveMember& member : archive.members) whole += member.path + '\n' + std::string(as_text(member.data)) + '\n';
      for (const auto& gap : archive.gaps) gap_bytes += gap.second;
      if (whole != pieces.members || gap_bytes != pieces.gap_bytes || archive.diagnostics.size() != pieces.diagnostics) std::abort();
      break;
    }
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
