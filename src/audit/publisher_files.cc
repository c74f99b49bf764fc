#include "audit/publisher_files.h"

namespace lazaret::audit {
namespace {

bool is_code(const format::FileType& type) {
  switch (type.kind) {
    case format::FileKind::elf:
    case format::FileKind::pe:
    case format::FileKind::macho:
    case format::FileKind::java_class:
    case format::FileKind::python_bytecode:
    case format::FileKind::wasm:
    case format::FileKind::script: return true;
    case format::FileKind::text: return type.language != format::Language::none;
    default: return false;
  }
}

}  // namespace

std::vector<PublisherFile> publisher_files(const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers) {
  std::vector<PublisherFile> files;
  for (std::size_t layer = base_layers; layer < root.layers().size(); ++layer) {
    const LayerAudit& audit = *root.layers()[layer];
    Entry entry;
    std::uint64_t number = 0;
    for (EntryTable::Cursor cursor(audit.entries); cursor.next(entry); ++number) {
      if (entry.type != format::TarType::file || entry.size < publisher_file_bytes || entry.content == ContentDigest{} || !is_code(entry.file_type)) continue;
      const auto owner = packages.owner(entry.path, layer, content_of(audit, entry, number));
      const bool unmodified = owner && owner->state == PackageIndex::State::unmodified;
      if (unmodified && owner->trust == Trust::known_base) continue;
      files.push_back({layer, entry.path, entry.content, unmodified && owner->trust == Trust::self_declared});
    }
  }
  return files;
}

}  // namespace lazaret::audit
