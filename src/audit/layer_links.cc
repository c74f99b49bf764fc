#include "audit/layer_links.h"

#include <algorithm>
#include <functional>

#include "audit/layer_names.h"
#include "audit/paths.h"

namespace lazaret::audit {
namespace {

constexpr std::size_t links_limit = 200'000, entries_limit = 1'000'000;
constexpr unsigned follow_limit = 40;

std::uint64_t hash_of(std::string_view path) { return std::hash<std::string_view>{}(path); }

struct Link {
  std::string target;
  std::size_t layer = 0;
};

// The links that stand at some time while the layers are put upon each other.
class Links {
 public:
  std::string resolve(std::string_view folder) const {
    std::string done, rest(folder);
    for (unsigned followed = 0; !rest.empty() && rest != "/";) {
      const auto slash = rest.find('/', 1);
      done += rest.substr(0, slash);
      rest = slash == std::string::npos ? "" : rest.substr(slash);
      const auto link = links_.find(done);
      if (link == links_.end()) continue;
      if (++followed > follow_limit) return std::string(folder);
      const std::string& target = link->second.target;
      rest = canonical_path(target.starts_with('/') ? target + rest : std::string(folder_of(done)) + "/" + target + rest);
      done.clear();
    }
    return done.empty() ? "/" : done;
  }

  void set(const std::string& path, std::string target, std::size_t layer) {
    if (links_.size() < links_limit) links_.insert_or_assign(path, Link{std::move(target), layer});
  }
  void replace(const std::string& path) { links_.erase(path); }
  // Everything below `folder`, and with `whole` what stands there, that layers under `layer` brought.
  void remove(const std::string& folder, bool whole, std::size_t layer) {
    const auto gone = [&](auto at) { return at->second.layer < layer ? links_.erase(at) : std::next(at); };
    if (whole) {
      if (const auto at = links_.find(folder); at != links_.end()) gone(at);
    }
    const std::string begin = folder == "/" ? "/" : folder + "/";
    for (auto at = links_.lower_bound(begin); at != links_.end() && at->first.starts_with(begin);) at = gone(at);
  }

 private:
  std::map<std::string, Link> links_;
};

// True when any entry's folder is, by its name, a symlink of some layer. Cheap: this is all that nearly all images need.
bool any_below_link(const std::vector<const LayerAudit*>& layers) {
  std::vector<std::uint64_t> links;
  EntryView entry;
  for (const LayerAudit* layer : layers) {
    EntryTable::Cursor cursor(layer->entries);
    while (cursor.next(entry)) {
      if (entry.type == format::TarType::symlink) links.push_back(hash_of(entry.path));
    }
  }
  if (links.empty()) return false;
  std::sort(links.begin(), links.end());
  std::string folder;
  for (const LayerAudit* layer : layers) {
    EntryTable::Cursor cursor(layer->entries);
    while (cursor.next(entry)) {
      if (folder_of(entry.path) == folder) continue;
      folder = folder_of(entry.path);
      for (std::string_view at = folder; at != "/"; at = folder_of(at)) {
        if (std::binary_search(links.begin(), links.end(), hash_of(at))) return true;
      }
    }
  }
  return false;
}

}  // namespace

LinkedEntries linked_entries(const std::vector<const LayerAudit*>& layers) {
  LinkedEntries linked;
  if (!any_below_link(layers)) return linked;
  Links links;
  EntryView entry;
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    EntryTable::Cursor cursor(layers[layer]->entries);
    std::string folder, lands;
    for (std::size_t number = 0; cursor.next(entry); ++number) {
      // A link that the layer itself brings counts from there on, so that nothing is remembered across one.
      if (folder_of(entry.path) != folder || entry.type == format::TarType::symlink) {
        folder = folder_of(entry.path);
        lands = links.resolve(folder);
      }
      const std::string_view name = name_of_path(entry.path);
      std::string path = lands == folder ? std::string(entry.path) : (lands == "/" ? "" : lands) + "/" + std::string(name);
      if (path != entry.path && linked.size() < entries_limit) linked.emplace(std::pair(layer, number), path);
      switch (marker_kind(name)) {
        case MarkerKind::opaque: links.remove(lands, false, layer); continue;
        case MarkerKind::whiteout: links.remove(std::string(folder_of(path) == "/" ? "" : folder_of(path)) + "/" + std::string(name.substr(4)), true, layer); continue;
        case MarkerKind::none: break;
        default: continue;
      }
      if (entry.type == format::TarType::symlink) {
        links.remove(path, true, layer + 1);
        links.set(path, std::string(entry.link_target), layer);
        folder.clear();
      } else if (entry.type == format::TarType::directory) {
        links.replace(path);
      } else {
        links.remove(path, true, layer + 1);
      }
    }
  }
  return linked;
}

}  // namespace lazaret::audit
