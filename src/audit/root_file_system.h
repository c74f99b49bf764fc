// Layers -> what a container sees: the pure merge.
//
// OCI image-spec, layer.md: entries of a higher layer replace those of lower ones; ".wh.<name>" removes <name> and all below it from lower
// layers; ".wh..wh..opq" removes everything that lower layers have in its folder. A marker never acts on its own layer. An entry that is not
// a directory hides what lower layers have below its path. Within one layer the last entry of a path wins.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/layer_audit.h"
#include "audit/layer_links.h"

namespace lazaret::audit {

// An index of visible paths: a hash table of (fingerprint, entry) whose keys stay in the entry tables, so that three million
// files take 64 MiB.
class RootFileSystem {
 public:
  // `layers`, lowest first, must outlive it.
  explicit RootFileSystem(std::vector<const LayerAudit*> layers);

  struct Found {
    std::size_t layer = 0;
    std::size_t entry = 0;  // number in that layer's table
    Entry record;
  };

  // What stands at `path` itself, without following a symlink there or on the way.
  std::optional<Found> find_exact(std::string_view path) const;
  // Follows symlinks inside the root, as a container's kernel would (at most 40).
  std::optional<Found> find(std::string_view path) const;
  // True when this very entry of this layer is what is visible at its path.
  bool is_visible(std::size_t layer, std::size_t entry) const;
  // The path under which a container sees the content of this entry: its own, or that of a hard link to it, which keeps the content when the entry itself is
  // replaced or removed. Nothing when no container sees it.
  std::optional<std::string> seen_as(std::size_t layer, std::size_t entry) const;
  // Where the entry lands: its path, unless its folder is a symlink.
  std::string place_of(std::size_t layer, std::size_t entry) const;
  const LinkedEntries& linked() const { return linked_; }
  // Every visible entry, lowest layer first, in the order of the layer.
  void for_each(const std::function<void(const Found&)>& visit) const;
  // How many entries of this layer that are no folders are visible.
  std::uint64_t visible_files(std::size_t layer) const { return visible_files_[layer]; }
  // Text of a kept file that is visible at `path`.
  std::optional<std::string_view> kept_text(std::string_view path) const;

  const std::vector<const LayerAudit*>& layers() const { return layers_; }

 private:
  // 24 bits of the path's hash, one that says that the entry is a symlink, and 39 bits of the entry's number, counted through all layers from 1; 0 is free.
  using Slot = std::uint64_t;
  static constexpr unsigned number_bits = 39;
  static constexpr Slot symlink_bit = 1ull << number_bits;
  static constexpr Slot fingerprint(std::uint64_t hash_or_slot) { return hash_or_slot >> (number_bits + 1) << (number_bits + 1); }

  std::size_t slot_of(std::uint64_t hash, std::string_view path) const;
  // False when no symlink stands at the path with this hash.
  bool may_be_symlink(std::uint64_t hash) const;
  bool stands_at(std::size_t layer, std::size_t entry, std::string_view path) const;
  Entry entry_at(std::size_t layer, std::size_t entry) const;
  template <typename AnyEntry>
  void move_to_place(std::size_t layer, std::size_t number, AnyEntry& entry) const {
    if (linked_.empty()) return;
    if (const auto place = linked_.find({layer, number}); place != linked_.end()) entry.path = place->second;
  }
  std::size_t layer_of(Slot slot) const;
  std::size_t entry_of(Slot slot, std::size_t layer) const;

  void find_linked_content(const std::vector<std::pair<std::size_t, std::size_t>>& links);

  std::vector<const LayerAudit*> layers_;
  LinkedEntries linked_;
  std::map<std::pair<std::size_t, std::size_t>, std::string> linked_content_;  // (layer, entry) whose content a visible hard link of this path has
  std::vector<std::uint64_t> first_numbers_;  // of each layer
  std::vector<Slot> slots_;
  std::vector<std::vector<bool>> visible_;  // by layer and entry
  std::vector<std::uint64_t> visible_files_;  // by layer
};

}  // namespace lazaret::audit
