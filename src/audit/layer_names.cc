#include "audit/layer_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "audit/paths.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view prefix = ".wh.";
constexpr std::size_t problems_of_a_kind = 16, odd_names_limit = 4096, removed_limit = 65536;

std::uint64_t hash_of(std::string_view path) { return std::hash<std::string_view>{}(path); }

int style_of(std::string_view name) { return name.starts_with("./") || name == "." ? 1 : name.starts_with('/') ? 2 : 0; }

// The name as every writer would put it, in the given style.
std::string plain_name(std::string_view path, int style, bool folder) {
  std::string name(style == 1 ? "." : "");
  name += style == 0 ? path.substr(1) : path;
  if (folder && !name.ends_with('/')) name += '/';
  return name;
}

}  // namespace

MarkerKind marker_kind(std::string_view name) {
  if (!name.starts_with(prefix)) return MarkerKind::none;
  const std::string_view rest = name.substr(prefix.size());
  if (rest.empty() || rest == "." || rest == "..") return MarkerKind::folder;
  if (!rest.starts_with(prefix)) return MarkerKind::whiteout;
  const std::string_view meta = rest.substr(prefix.size());
  if (meta == ".opq") return MarkerKind::opaque;
  if (meta == "aufs" || meta == "orph" || meta == "plnk") return MarkerKind::aufs;
  return MarkerKind::malformed;
}

void LayerNames::report(std::string rule, std::string message, std::uint64_t number, const std::string& path) {
  if (++counts_[rule] > problems_of_a_kind) return;
  problems_.push_back({{std::move(rule), std::move(message), 0, false, 0}, number, path});
}

void LayerNames::add(const format::TarEntry& entry, const std::string& path, std::uint64_t number) {
  const bool folder = entry.type == format::TarType::directory;
  const std::string shown = escape(entry.path, 200);
  if (style_ < 0) style_ = style_of(entry.path);
  if (path != "/" && odd_names_.size() < odd_names_limit && entry.path != plain_name(path, style_, false) && !(folder && entry.path == plain_name(path, style_, true))) odd_names_.emplace(number, entry.path);
  if (!folder) hashes_.push_back(hash_of(path));

  const std::string_view name = name_of_path(path);
  const MarkerKind kind = marker_kind(name);
  if (kind != MarkerKind::none && kind != MarkerKind::aufs) {
    if (entry.size > 0) {
      report("hidden-content.whiteout-with-content", fmt::format("\"{}\" is the name of a marker and has {} bytes of content", shown, entry.size), number, path);
    } else if (entry.type != format::TarType::file && entry.type != format::TarType::hard_link) {
      report("hidden-content.malformed-whiteout", fmt::format("\"{}\" is the name of a marker but no file", shown), number, path);
    }
  }
  switch (kind) {
    case MarkerKind::folder:
      report("hidden-content.folder-whiteout", fmt::format("\"{}\" removes {} for some engines and nothing for others", shown,
                                                           name == ".wh..." ? "the folder above the one it lies in" : "the folder it lies in"), number, path);
      break;
    case MarkerKind::malformed:
      report("hidden-content.malformed-whiteout", fmt::format("\"{}\" looks like an opaque marker and is none", shown), number, path);
      break;
    case MarkerKind::whiteout:
      if (removed_.size() < removed_limit) {
        std::string target(folder_of(path));
        if (target != "/") target += '/';
        removed_.emplace(target + std::string(name.substr(prefix.size())), number);
      }
      break;
    case MarkerKind::none:
    case MarkerKind::opaque:
    case MarkerKind::aufs: break;
  }
  if (!folder && path.find("/.wh.") < path.size() - name.size() - 1)
    report("hidden-content.content-below-marker", fmt::format("\"{}\" lies in a folder with the name of a marker", shown), number, path);
}

std::vector<NameProblem> LayerNames::finish(const EntryTable& table) {
  std::sort(hashes_.begin(), hashes_.end());
  std::vector<std::uint64_t> twice;
  for (std::size_t i = 1; i < hashes_.size(); ++i) {
    if (hashes_[i] == hashes_[i - 1] && (twice.empty() || twice.back() != hashes_[i])) twice.push_back(hashes_[i]);
  }

  EntryTable::Cursor cursor(table);
  Entry entry;
  std::map<std::string, std::uint64_t> first;  // first entry of a path that stands more than once
  std::string folder = "/";
  bool below = false;
  for (std::uint64_t number = 0; cursor.next(entry); ++number) {
    const bool is_folder = entry.type == format::TarType::directory;
    if (!is_folder && !twice.empty() && std::binary_search(twice.begin(), twice.end(), hash_of(entry.path)) && first.size() < odd_names_limit) {
      const auto [known, is_first] = first.try_emplace(entry.path, number);
      if (!is_first) {
        const auto earlier = odd_names_.find(known->second), later = odd_names_.find(number);
        const std::string shown = escape(entry.path, 200);
        if (earlier != odd_names_.end() || later != odd_names_.end()) {
          report("anomaly.tar-path-collision", fmt::format("\"{}\" and \"{}\" are both {}", escape(earlier == odd_names_.end() ? entry.path : earlier->second, 200),
                                                           escape(later == odd_names_.end() ? entry.path : later->second, 200), shown), number, entry.path);
        } else {
          report("anomaly.tar-duplicate-entry", fmt::format("\"{}\" stands more than once in the layer", shown), number, entry.path);
        }
      }
    }
    if (const auto marker = removed_.find(entry.path); marker != removed_.end()) {
      report("hidden-content.whiteout-of-own-entry", fmt::format("the layer both brings \"{}\" and removes it", escape(entry.path, 200)), number, entry.path);
      removed_.erase(marker);
    }
    // Names below something that is no folder.
    if (hashes_.empty()) continue;
    if (folder_of(entry.path) != folder) {
      folder = folder_of(entry.path);
      below = false;
      for (std::string_view at = folder; at != "/" && !below; at = folder_of(at)) below = std::binary_search(hashes_.begin(), hashes_.end(), hash_of(at));
    }
    if (below) report("anomaly.tar-entry-below-file", fmt::format("\"{}\" lies below something that the same layer brings as a file or link", escape(entry.path, 200)), number, entry.path);
  }
  return std::move(problems_);
}

}  // namespace lazaret::audit
