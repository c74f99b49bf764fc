#include "audit/root_file_system.h"

#include <algorithm>
#include <unordered_map>

#include "audit/layer_names.h"
#include "audit/paths.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view marker_prefix = ".wh.";
constexpr std::size_t hard_links_limit = 100'000;

// 64 bits of a multiply-and-fold hash. Collisions only cost a comparison: the path is always checked.
std::uint64_t hash_path(std::string_view path) {
  std::uint64_t value = 0x9e3779b97f4a7c15ull ^ path.size();
  std::size_t i = 0;
  for (; i + 8 <= path.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, path.data() + i, 8);
    value = (value ^ word) * 0xbf58476d1ce4e5b9ull;
    value ^= value >> 29;
  }
  std::uint64_t tail = 0;
  std::memcpy(&tail, path.data() + i, path.size() - i);
  value = (value ^ tail) * 0x94d049bb133111ebull;
  return value ^ value >> 32;
}

struct PathHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view path) const { return hash_path(path); }
};

// What a layer does to the layers below it, by path.
struct Shadow {
  bool whole = false;     // the path and everything below it is gone (whiteout, or something that is not a directory stands there)
  bool children = false;  // everything below it is gone (opaque)
};

}  // namespace

RootFileSystem::RootFileSystem(std::vector<const LayerAudit*> layers) : layers_(std::move(layers)), linked_(linked_entries(layers_)) {
  std::size_t entries = 0;
  for (const LayerAudit* layer : layers_) {
    first_numbers_.push_back(entries + 1);
    entries += layer->entries.size();
  }
  std::size_t capacity = 64;
  while (capacity * 2 < entries * 3) capacity *= 2;
  slots_.resize(capacity);
  visible_.resize(layers_.size());
  visible_files_.resize(layers_.size());

  // From the top down: what is there first wins, unless something above has shadowed it.
  std::unordered_map<std::string, Shadow> shadows;
  std::vector<std::pair<std::size_t, std::size_t>> links;  // hard links that are visible: (layer, entry)
  for (std::size_t layer = layers_.size(); layer-- > 0;) {
    const EntryTable& table = layers_[layer]->entries;
    visible_[layer].resize(table.size());
    std::vector<std::pair<std::string, Shadow>> added;
    std::string folder = "\n";  // no folder at all
    bool folder_is_shadowed = false;

    EntryTable::Cursor cursor(table);
    EntryView entry;
    for (std::size_t number = 0; cursor.next(entry); ++number) {
      move_to_place(layer, number, entry);
      const std::string_view name = name_of_path(entry.path);
      if (name.starts_with(marker_prefix)) {
        // A malformed marker removes nothing here, so that what some engine still has stays in sight.
        const MarkerKind kind = marker_kind(name);
        if (kind == MarkerKind::opaque) added.push_back({std::string(folder_of(entry.path)), {false, true}});
        if (kind == MarkerKind::whiteout) {
          std::string path(folder_of(entry.path));
          if (path != "/") path.push_back('/');
          added.push_back({path + std::string(name.substr(marker_prefix.size())), {true, true}});
        }
        continue;
      }
      if (!shadows.empty()) {
        if (folder_of(entry.path) != folder) {
          folder = folder_of(entry.path);
          folder_is_shadowed = false;
          for (std::string_view at = folder;; at = folder_of(at)) {
            const auto shadow = shadows.find(std::string(at));
            if (shadow != shadows.end() && shadow->second.children) folder_is_shadowed = true;
            if (at == "/" || folder_is_shadowed) break;
          }
        }
        if (folder_is_shadowed) continue;
        const auto shadow = shadows.find(std::string(entry.path));
        if (shadow != shadows.end() && shadow->second.whole) continue;
      }
      if (entry.type != format::TarType::directory && layer > 0) added.push_back({std::string(entry.path), {false, true}});

      const std::uint64_t hash = hash_path(entry.path);
      Slot& slot = slots_[slot_of(hash, entry.path)];
      if (slot != 0) {
        if (layer_of(slot) != layer) continue;  // a higher layer has it
        const std::size_t earlier = entry_of(slot, layer);
        visible_[layer][earlier] = false;
        visible_files_[layer] -= table.at(earlier).type != format::TarType::directory;
      }
      slot = fingerprint(hash) | (entry.type == format::TarType::symlink ? symlink_bit : 0) | (first_numbers_[layer] + number);
      visible_[layer][number] = true;
      visible_files_[layer] += entry.type != format::TarType::directory;
      if (entry.type == format::TarType::hard_link && links.size() < hard_links_limit) links.push_back({layer, number});
    }
    for (auto& [path, shadow] : added) {
      Shadow& known = shadows[path];
      known.whole |= shadow.whole;
      known.children |= shadow.children;
    }
  }
  if (!links.empty()) find_linked_content(links);
}

// A hard link has the content of what its target's name stood for when the link was made: the last entry of that name before it.
void RootFileSystem::find_linked_content(const std::vector<std::pair<std::size_t, std::size_t>>& links) {
  struct Standing {
    std::size_t layer = 0, entry = 0;
    bool there = false;
  };
  std::unordered_map<std::string, Standing, PathHash, std::equal_to<>> targets;
  std::map<std::pair<std::size_t, std::size_t>, std::string> wanted;  // (layer, entry) of the link -> target
  for (const auto& link : links) {
    std::string target = canonical_path(entry_at(link.first, link.second).link_target);
    targets.try_emplace(target);
    wanted.emplace(link, std::move(target));
  }
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    EntryTable::Cursor cursor(layers_[layer]->entries);
    EntryView entry;
    for (std::size_t number = 0; cursor.next(entry); ++number) {
      move_to_place(layer, number, entry);
      if (entry.type == format::TarType::hard_link) {
        if (const auto link = wanted.find({layer, number}); link != wanted.end()) {
          const Standing& standing = targets.find(link->second)->second;
          if (standing.there) linked_content_.try_emplace({standing.layer, standing.entry}, std::string(entry.path));
        }
      }
      const std::string_view name = name_of_path(entry.path);
      if (marker_kind(name) == MarkerKind::whiteout) {
        const std::string removed = std::string(folder_of(entry.path) == "/" ? "" : folder_of(entry.path)) + "/" + std::string(name.substr(marker_prefix.size()));
        if (const auto target = targets.find(removed); target != targets.end() && target->second.layer < layer) target->second.there = false;
      } else if (const auto target = targets.find(entry.path); target != targets.end()) {
        target->second = {layer, number, true};
      }
    }
  }
}

std::size_t RootFileSystem::layer_of(Slot slot) const {
  const std::uint64_t number = slot & ((1ull << number_bits) - 1);
  return static_cast<std::size_t>(std::upper_bound(first_numbers_.begin(), first_numbers_.end(), number) - first_numbers_.begin()) - 1;
}

std::size_t RootFileSystem::entry_of(Slot slot, std::size_t layer) const {
  return (slot & ((1ull << number_bits) - 1)) - first_numbers_[layer];
}

bool RootFileSystem::stands_at(std::size_t layer, std::size_t entry, std::string_view path) const {
  if (!linked_.empty()) {
    if (const auto place = linked_.find({layer, entry}); place != linked_.end()) return place->second == path;
  }
  return layers_[layer]->entries.has_path(entry, path);
}

// The slot that holds `path`, or the free one where it would go.
std::size_t RootFileSystem::slot_of(std::uint64_t hash, std::string_view path) const {
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot slot = slots_[at];
    if (slot == 0) return at;
    if (fingerprint(slot) != fingerprint(hash)) continue;
    const std::size_t layer = layer_of(slot);
    if (stands_at(layer, entry_of(slot, layer), path)) return at;
  }
}

bool RootFileSystem::may_be_symlink(std::uint64_t hash) const {
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot slot = slots_[at];
    if (slot == 0) return false;
    if (fingerprint(slot) == fingerprint(hash) && (slot & symlink_bit) != 0) return true;
  }
}

std::optional<RootFileSystem::Found> RootFileSystem::find_exact(std::string_view path) const {
  const Slot slot = slots_[slot_of(hash_path(path), path)];
  if (slot == 0) return std::nullopt;
  const std::size_t layer = layer_of(slot), entry = entry_of(slot, layer);
  return Found{layer, entry, entry_at(layer, entry)};
}

Entry RootFileSystem::entry_at(std::size_t layer, std::size_t entry) const {
  Entry record = layers_[layer]->entries.at(entry);
  move_to_place(layer, entry, record);
  return record;
}

std::string RootFileSystem::place_of(std::size_t layer, std::size_t entry) const { return entry_at(layer, entry).path; }

std::optional<std::string> RootFileSystem::seen_as(std::size_t layer, std::size_t entry) const {
  if (layer >= layers_.size() || entry >= layers_[layer]->entries.size()) return std::nullopt;
  const std::string place = place_of(layer, entry);
  if (is_visible(layer, entry)) return place;
  const auto link = linked_content_.find({layer, entry});
  if (link == linked_content_.end()) return std::nullopt;
  return link->second;
}

std::optional<RootFileSystem::Found> RootFileSystem::find(std::string_view raw) const {
  // One component after the other, beginning again at the root of the image after each link. A folder needs no entry of its own to exist.
  std::string path = canonical_path(raw);
  unsigned links = 0;
  for (std::size_t at = 0; path.size() > 1;) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const bool last = end == path.size();
    const std::string_view here = std::string_view(path).substr(0, end);
    if (!last && !may_be_symlink(hash_path(here))) {
      at = end;
      continue;
    }
    auto found = find_exact(here);
    if (found && found->record.type == format::TarType::symlink) {
      if (++links > 40) return std::nullopt;
      const std::string& target = found->record.link_target;
      const std::string rest = path.substr(end);
      path = canonical_path(target.starts_with('/') ? target + rest : path.substr(0, std::max<std::size_t>(at, 1)) + "/" + target + rest);
      at = 0;
      continue;
    }
    if (last) return found;
    at = end;
  }
  return std::nullopt;
}

bool RootFileSystem::is_visible(std::size_t layer, std::size_t entry) const {
  return layer < visible_.size() && entry < visible_[layer].size() && visible_[layer][entry];
}

void RootFileSystem::for_each(const std::function<void(const Found&)>& visit) const {
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    EntryTable::Cursor cursor(layers_[layer]->entries);
    Found found;
    found.layer = layer;
    for (std::size_t number = 0; cursor.next(found.record); ++number) {
      if (!visible_[layer][number]) continue;
      move_to_place(layer, number, found.record);
      found.entry = number;
      visit(found);
    }
  }
}

std::optional<std::string_view> RootFileSystem::kept_text(std::string_view path) const {
  auto found = find(path);
  // A hard link has the content that the entry it names had in the same layer, whatever stands there now.
  if (found && found->record.type == format::TarType::hard_link) {
    const std::string target = canonical_path(found->record.link_target);
    const std::size_t layer = found->layer;
    const auto& files = layers_[layer]->kept;
    const auto file = std::find_if(files.rbegin(), files.rend(), [&](const KeptFile& kept) { return kept.path == target; });
    if (file != files.rend()) return file->text;
    found = find(target);
    if (found && found->layer > layer) return std::nullopt;
  }
  if (!found) return std::nullopt;
  const auto& kept = layers_[found->layer]->kept;
  const auto file = std::lower_bound(kept.begin(), kept.end(), found->entry,
                                     [](const KeptFile& a, std::uint64_t entry) { return a.entry < entry; });
  if (file == kept.end() || file->entry != found->entry) return std::nullopt;
  return file->text;
}

}  // namespace lazaret::audit
