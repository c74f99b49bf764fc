#include "audit/package_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "audit/paths.h"
#include "base/text.h"
#include "format/package_database.h"

namespace lazaret::audit {
namespace {

using format::PackagedFile;

constexpr std::string_view dpkg_folder = "/var/lib/dpkg/";
constexpr std::string_view dpkg_info = "/var/lib/dpkg/info/";
constexpr std::string_view dpkg_status = "/var/lib/dpkg/status";
constexpr std::string_view distroless_status = "/var/lib/dpkg/status.d/";
constexpr std::string_view checksums_suffix = ".md5sums";
constexpr std::array apk_databases = {std::string_view("/lib/apk/db/installed"), std::string_view("/usr/lib/apk/db/installed")};
constexpr std::array usr_links = {std::string_view("/bin"),   std::string_view("/sbin"),  std::string_view("/lib"),
                                  std::string_view("/lib32"), std::string_view("/lib64"), std::string_view("/libx32")};
constexpr std::size_t problems_limit = 64, differences_shown = 3;

// "libc6:amd64" -> "libc6"
std::string_view without_architecture(std::string_view name) { return name.substr(0, name.find(':')); }

std::string show(std::string_view checksum) {
  if (checksum.empty()) return "";
  const char* algorithm = checksum.size() == 16 ? "md5" : checksum.size() == 20 ? "sha1" : "sha256";
  return fmt::format("{}:{}", algorithm, to_hex(as_bytes(checksum)));
}

enum class Notation : std::uint8_t { dpkg_md5sums, dpkg_conffiles, apk };

// What a database says of the files of one package in one layer.
struct Listing {
  std::size_t layer = 0;
  std::string version;
  Notation notation{};
  std::string_view text;
  std::string_view path;  // of the database's file
};

void read_files(const Listing& listing, const format::PackagedFileVisitor& visit) {
  switch (listing.notation) {
    case Notation::dpkg_md5sums: return format::read_dpkg_md5sums(listing.text, visit);
    case Notation::dpkg_conffiles: return format::read_dpkg_conffiles(listing.text, visit);
    case Notation::apk: return format::read_apk_files(listing.text, visit);
  }
}

std::map<std::string, std::string> files_of(const Listing& listing) {
  std::map<std::string, std::string> files;
  read_files(listing, [&](const PackagedFile& file) { files.emplace(canonical_path(file.path), file.checksum); });
  return files;
}

// The first differences between two lists of files; "" when they say the same.
std::string differences(const Listing& before, const Listing& after) {
  if (before.text == after.text) return "";
  const auto old_files = files_of(before), new_files = files_of(after);
  // Of configuration files, a package that waits for its configuration has no checksums, and obsolete ones go by and by.
  const bool conffiles = before.notation == Notation::dpkg_conffiles;
  std::string text;
  std::size_t count = 0;
  const auto add = [&](const std::string& what) {
    if (count++ < differences_shown) text += (text.empty() ? "" : "; ") + what;
  };
  for (const auto& [path, checksum] : new_files) {
    const auto old = old_files.find(path);
    if (old == old_files.end()) {
      add(path + " added");
    } else if (old->second != checksum && !(conffiles && (old->second.empty() || checksum.empty()))) {
      add(fmt::format("{} from {} to {}", path, show(old->second), show(checksum)));
    }
  }
  for (const auto& [path, checksum] : old_files) {
    if (!conffiles && !new_files.contains(path)) add(path + " removed");
  }
  if (count > differences_shown) text += fmt::format("; and {} more", count - differences_shown);
  return text;
}

}  // namespace

std::string_view name_of(Trust trust) {
  switch (trust) {
    case Trust::none: return "";
    case Trust::self_declared: return "self-declared";
    case Trust::known_base: return "known-base";
  }
  return "";
}

PackageIndex::Content content_of(const LayerAudit& layer, const Entry& entry, std::uint64_t number) {
  PackageIndex::Content content;
  content.sha256 = entry.content;
  const auto digest = std::lower_bound(layer.digests.begin(), layer.digests.end(), number,
                                       [](const FileDigest& a, std::uint64_t wanted) { return a.entry < wanted; });
  if (digest != layer.digests.end() && digest->entry == number) {
    content.md5 = digest->md5_text();
    content.sha1 = digest->sha1_text();
  }
  return content;
}

bool is_package_text(const RootFileSystem& root, const PackageIndex& packages, std::string_view path) {
  const auto text = root.kept_text(path);
  const auto found = root.find(path);
  if (!text || !found) return false;
  const Digest md5 = hash(HashAlgorithm::md5, as_bytes(*text)), sha1 = hash(HashAlgorithm::sha1, as_bytes(*text));
  const auto owner = packages.owner(path, found->layer, {as_text(md5.bytes()), as_text(sha1.bytes()), content_digest(sha256(as_bytes(*text)))});
  return owner && owner->state == PackageIndex::State::unmodified && owner->trust != Trust::none;
}

// Reads all databases of all layers, lowest first.
class PackageIndex::Builder {
 public:
  Builder(PackageIndex& index, const RootFileSystem& root, std::size_t base_layers) : index_(index), root_(root), base_layers_(base_layers) {}

  void build() {
    read_diversions();
    read_dpkg();
    for (const std::string_view path : apk_databases) read_paragraphs("apk", [path](std::string_view other) { return other == path; });
    read_paragraphs("rpm", is_rpm_database);
    std::sort(index_.records_.begin(), index_.records_.end(), [](const Record& a, const Record& b) {
      return std::tie(a.path, a.package, a.checksum) < std::tie(b.path, b.package, b.checksum);
    });
  }

 private:
  // Each version of a file over the layers, lowest first; of two in a layer the one that counts.
  struct Version {
    std::size_t layer = 0;
    const KeptFile* file = nullptr;
  };
  using Versions = std::map<std::string_view, std::vector<Version>>;

  template <typename Predicate>
  Versions versions_of(Predicate is_wanted) const {
    Versions versions;
    for (std::size_t layer = 0; layer < root_.layers().size(); ++layer) {
      for (const KeptFile& kept : root_.layers()[layer]->kept) {
        if (!is_wanted(std::string_view(kept.path))) continue;
        auto& list = versions[kept.path];
        if (!list.empty() && list.back().layer == layer) {
          list.back().file = &kept;
        } else {
          list.push_back({layer, &kept});
        }
      }
    }
    return versions;
  }
  bool is_visible(const Version& version) const { return root_.is_visible(version.layer, version.file->entry); }

  void add_problem(DatabaseProblem problem) {
    if (index_.problems_.size() < problems_limit) index_.problems_.push_back(std::move(problem));
  }
  void note_database(std::string_view manager, std::size_t layer) {
    const auto [known, is_new] = index_.first_layer_.emplace(manager, layer);
    if (!is_new) known->second = std::min(known->second, layer);
  }
  // The lowest layer above `layer` in which `path` is taken away or covered; for findings about what is gone.
  std::size_t layer_that_removed(std::string_view path, std::size_t layer) const {
    for (std::size_t above = layer + 1; above < root_.layers().size(); ++above) {
      EntryTable::Cursor cursor(root_.layers()[above]->entries);
      for (Entry entry; cursor.next(entry);) {
        const std::string_view name = name_of_path(entry.path);
        if (!name.starts_with(".wh.")) continue;
        std::string target(folder_of(entry.path));
        if (name != ".wh..wh..opq") target += "/" + std::string(name.substr(4));
        if (path.starts_with(canonical_path(target) + "/") || path == canonical_path(target)) return above;
      }
    }
    return root_.layers().size() - 1;
  }

  void read_diversions() {
    for (const auto& [path, versions] : versions_of([](std::string_view path) { return path == "/var/lib/dpkg/diversions"; })) {
      for (format::DpkgDiversion& diversion : format::parse_dpkg_diversions(versions.back().file->text)) {
        diversions_.emplace(index_.key_of(canonical_path(diversion.from)), Diversion{canonical_path(diversion.to), std::move(diversion.package)});
      }
    }
  }

  // Versions and states of dpkg's packages as each layer leaves them.
  void read_dpkg() {
    const Versions files = versions_of([](std::string_view path) {
      return path == dpkg_status || path.starts_with(distroless_status) || (path.starts_with(dpkg_info) && path.ends_with(checksums_suffix));
    });
    using Installed = std::map<std::string, format::DpkgPackage, std::less<>>;  // by name:arch, and by name for the first of them
    std::map<std::size_t, Installed> statuses;                                  // by layer
    Installed distroless;
    bool any_status = false, status_visible = false;
    const Version* last_status = nullptr;
    for (const auto& [path, versions] : files) {
      const bool is_status = path == dpkg_status;
      if (!is_status && !(path.starts_with(distroless_status) && !path.ends_with(checksums_suffix))) continue;
      for (const Version& version : versions) {
        note_database("dpkg", version.layer);
        any_status = true;
        status_visible |= is_visible(version);
        if (is_status) last_status = &version;
        for (format::DpkgPackage& package : format::parse_dpkg_status(version.file->text)) {
          Installed& installed = is_status ? statuses[version.layer] : distroless;
          const std::string key = is_status ? package.name : std::string(path.substr(distroless_status.size()));
          if (is_status) installed.emplace(package.name + ":" + package.architecture, package);
          if (!is_status && !is_visible(version) && status_visible) continue;
          installed.insert_or_assign(key, std::move(package));
        }
      }
    }
    if (any_status && !status_visible && last_status != nullptr) {
      add_problem({DatabaseProblem::Kind::removed, layer_that_removed(dpkg_status, last_status->layer), std::string(dpkg_status), "",
                   "the database of dpkg stands in a lower layer and is gone in the end"});
    }
    const auto status_at = [&](std::size_t layer) -> const Installed* {
      const auto after = statuses.upper_bound(layer);
      return after == statuses.begin() ? nullptr : &std::prev(after)->second;
    };
    // `stem`: the name of the md5sums file without its suffix: "libc6:amd64".
    const auto package_at = [&](std::string_view stem, std::size_t layer) -> const format::DpkgPackage* {
      if (const Installed* status = status_at(layer)) {
        if (const auto found = status->find(stem); found != status->end()) return &found->second;
      }
      if (const auto found = distroless.find(stem); found != distroless.end()) return &found->second;
      return nullptr;
    };
    const auto conffiles_of = [&](std::string_view stem) {
      std::vector<Listing> listings;
      for (const auto& [layer, status] : statuses) {
        const auto found = status.find(stem);
        if (found == status.end() || (listings.empty() && found->second.conffiles.empty())) continue;
        listings.push_back({layer, found->second.version, Notation::dpkg_conffiles, found->second.conffiles, dpkg_status});
      }
      return listings;
    };
    const std::size_t top = root_.layers().size();

    std::set<std::string> listed;
    for (const auto& [path, versions] : files) {
      if (!path.ends_with(checksums_suffix)) continue;
      const std::string_view stem = name_of_path(path).substr(0, name_of_path(path).size() - checksums_suffix.size());
      std::vector<Listing> listings;
      for (const Version& version : versions) {
        const format::DpkgPackage* package = package_at(stem, version.layer);
        listings.push_back({version.layer, package == nullptr ? "" : package->version, Notation::dpkg_md5sums, version.file->text, path});
      }
      const format::DpkgPackage* now = package_at(stem, top);
      const bool installed = now != nullptr && now->installed;
      const bool gone = !is_visible(versions.back());
      if (gone && status_visible) {
        if (!installed) continue;  // removed in order
        const bool moved = std::any_of(files.begin(), files.end(), [&](const auto& other) {
          return other.first != path && other.first.ends_with(checksums_suffix) && is_visible(other.second.back()) &&
                 without_architecture(name_of_path(other.first).substr(0, name_of_path(other.first).size() - checksums_suffix.size())) == without_architecture(stem);
        });
        if (moved || now->version != listings.back().version) continue;
        add_problem({DatabaseProblem::Kind::rewritten, layer_that_removed(path, versions.back().layer), std::string(path),
                     std::string(without_architecture(stem)) + " " + now->version, "the list of checksums is gone, the package is still installed"});
        add_package("dpkg", *now, {listings, conffiles_of(stem)}, Trust::none);
        continue;
      }
      listed.insert(std::string(stem));
      format::PackageName name;
      if (now != nullptr) name = *now;
      name.name = without_architecture(stem);
      add_package("dpkg", name, {listings, conffiles_of(stem)}, installed || (any_status && !status_visible) ? Trust::self_declared : Trust::none);
    }
    // Packages without a list of checksums are packages too.
    const auto add_unlisted = [&](const Installed& installed) {
      for (const auto& [key, package] : installed) {
        if (!package.installed || listed.contains(package.name) || listed.contains(package.name + ":" + package.architecture)) continue;
        if (listed.contains(key)) continue;
        listed.insert(package.name);
        add_package("dpkg", package, {conffiles_of(key)}, Trust::self_declared);
      }
    };
    if (const Installed* status = status_at(top)) add_unlisted(*status);
    add_unlisted(distroless);
  }

  // apk's database, or what stands for rpm's: one file with a paragraph for each package.
  template <typename Predicate>
  void read_paragraphs(std::string_view manager, Predicate is_database) {
    for (const auto& [path, versions] : versions_of(is_database)) {
      std::map<std::string, std::vector<Listing>> listings;
      std::map<std::string, format::PackageName> now;
      for (const Version& version : versions) {
        note_database(manager, version.layer);
        now.clear();
        std::map<std::string, unsigned> times;  // rpm may have several versions of a package side by side
        format::read_apk_installed(version.file->text, [&](const format::ApkPackage& package) {
          std::string key = package.name + ":" + package.architecture;
          if (manager == "rpm") key += ":" + package.version;
          if (times[key]++ > 0) return;
          listings[key].push_back({version.layer, package.version, Notation::apk, package.paragraph, path});
          now[key] = package;
        });
      }
      if (!is_visible(versions.back())) {
        const bool moved = manager == "rpm" && std::any_of(root_.layers().back()->kept.begin(), root_.layers().back()->kept.end(),
                                                           [&](const KeptFile& kept) { return is_rpm_database(kept.path); });
        if (moved) continue;
        add_problem({DatabaseProblem::Kind::removed, layer_that_removed(path, versions.back().layer), std::string(path), "",
                     fmt::format("the database of {} stands in a lower layer and is gone in the end", manager)});
      }
      for (const auto& [key, name] : now) add_package(manager, name, {listings[key]}, Trust::self_declared);
    }
  }

  // What the lists of one package come to, from the lowest layer to the top.
  struct Followed {
    const Listing* good = nullptr;  // the list that counts
    std::vector<const Listing*> earlier;  // those of earlier versions
    bool rewritten = false;
  };

  Followed follow(const format::PackageName& name, const std::vector<Listing>& listings) {
    Followed followed;
    for (const Listing& next : listings) {
      if (followed.good == nullptr) {
        followed.good = &next;
      } else if (next.version != followed.good->version) {
        followed.earlier.push_back(followed.good);
        followed.good = &next;
        followed.rewritten = false;
      } else if (const std::string what = differences(*followed.good, next); !what.empty()) {
        followed.rewritten = true;
        add_problem({DatabaseProblem::Kind::rewritten, next.layer, std::string(next.path), name.name + " " + next.version, what});
      }
    }
    return followed;
  }

  // `lists`: the listings of each list that the package has. `most`: the most that it can be trusted.
  void add_package(std::string_view manager, const format::PackageName& name, const std::vector<std::vector<Listing>>& lists, Trust most) {
    std::vector<Followed> all;
    for (const std::vector<Listing>& listings : lists) {
      if (!listings.empty()) all.push_back(follow(name, listings));
    }
    Package package;
    package.manager = manager;
    package.name = name.name;
    package.version = name.version;
    package.architecture = name.architecture;
    const bool rewritten = std::any_of(all.begin(), all.end(), [](const Followed& list) { return list.rewritten; });
    package.layer = all.empty() ? 0 : all.front().good->layer;
    const bool of_base = !all.empty() && std::all_of(all.begin(), all.end(), [&](const Followed& list) { return list.good->layer < base_layers_; });
    package.trust = rewritten ? Trust::none : std::min(most, of_base ? Trust::known_base : Trust::self_declared);
    if (most == Trust::self_declared && of_base) package.trust = Trust::known_base;  // what the base says stays true
    const auto number = static_cast<std::uint32_t>(index_.packages_.size());
    index_.packages_.push_back(std::move(package));
    for (const Followed& list : all) add_records(name, list, number);
  }

  void add_records(const format::PackageName& name, const Followed& list, std::uint32_t number) {
    // A file that an update left as it was has been known since the list before.
    std::map<std::pair<std::uint64_t, std::string>, std::size_t> known_since;
    for (const Listing* old : list.earlier) {
      read_files(*old, [&](const PackagedFile& file) {
        const std::uint64_t key = index_.key_of(canonical_path(file.path));
        if (index_.wanted_.contains(key)) known_since.emplace(std::pair(key, std::string(file.checksum)), old->layer);
      });
    }
    read_files(*list.good, [&](const PackagedFile& file) {
      std::uint64_t key = is_canonical_path(file.path) ? index_.key_of(file.path) : index_.key_of(canonical_path(file.path));
      if (!diversions_.empty()) {
        const auto diversion = diversions_.find(key);
        if (diversion != diversions_.end() && diversion->second.package != name.name) key = index_.key_of(diversion->second.to);
      }
      if (!index_.wanted_.contains(key) || file.checksum.size() > sizeof Record::checksum) return;
      Record record;
      record.path = key;
      record.package = number;
      record.layer = static_cast<std::uint32_t>(list.good->layer);
      if (const auto since = known_since.find(std::pair(key, std::string(file.checksum))); since != known_since.end()) {
        record.layer = static_cast<std::uint32_t>(since->second);
      }
      record.size = static_cast<std::uint8_t>(file.checksum.size());
      std::copy(file.checksum.begin(), file.checksum.end(), record.checksum.begin());
      index_.records_.push_back(record);
    });
  }

  struct Diversion {
    std::string to, package;
  };

  PackageIndex& index_;
  const RootFileSystem& root_;
  const std::size_t base_layers_;
  std::map<std::uint64_t, Diversion> diversions_;  // by the key of the path
};

PackageIndex::PackageIndex(const RootFileSystem& root, std::size_t base_layers, const std::vector<std::string>& paths) {
  for (const std::string_view link : usr_links) {
    const auto found = root.find_exact(link);
    if (found && found->record.type == format::TarType::symlink && canonical_path(found->record.link_target) == "/usr" + std::string(link)) links_.push_back(link);
  }
  for (const std::string& path : paths) {
    if (!path.empty()) wanted_.insert(key_of(path));
  }
  for (const LayerAudit* layer : root.layers()) {
    for (const FileDigest& digest : layer->digests) wanted_.insert(key_of(layer->entries.at(digest.entry).path));
  }
  if (!root.layers().empty()) Builder(*this, root, base_layers).build();
}

void PackageIndex::Keys::insert(std::uint64_t key) {
  if (key == 0) {
    zero_ = true;
    return;
  }
  if (slots_.size() < (count_ + 1) * 2) {
    const std::vector<std::uint64_t> before = std::move(slots_);
    slots_.assign(std::max<std::size_t>(before.size() * 2, 1024), 0);
    count_ = 0;
    for (const std::uint64_t known : before) {
      if (known != 0) insert(known);
    }
  }
  std::size_t at = key & (slots_.size() - 1);
  while (slots_[at] != 0 && slots_[at] != key) at = (at + 1) & (slots_.size() - 1);
  count_ += slots_[at] == 0;
  slots_[at] = key;
}

bool PackageIndex::Keys::contains(std::uint64_t key) const {
  if (key == 0) return zero_;
  if (slots_.empty()) return false;
  for (std::size_t at = key & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == key) return true;
    if (slots_[at] == 0) return false;
  }
}

std::uint64_t PackageIndex::key_of(std::string_view path) const {
  for (const std::string_view link : links_) {
    if (path.size() > link.size() && path.starts_with(link) && path[link.size()] == '/') return std::hash<std::string_view>()("/usr" + std::string(path));
  }
  return std::hash<std::string_view>()(path);
}

bool PackageIndex::has_database(std::string_view manager) const { return manager.empty() ? !first_layer_.empty() : first_layer_.contains(manager); }

std::optional<PackageIndex::Owner> PackageIndex::owner(std::string_view path, std::size_t layer, const Content& content) const {
  const std::uint64_t key = key_of(path);
  std::optional<Owner> best;
  for (auto record = std::lower_bound(records_.begin(), records_.end(), key, [](const Record& a, std::uint64_t wanted) { return a.path < wanted; });
       record != records_.end() && record->path == key; ++record) {
    const Package& package = packages_[record->package];
    const std::string_view expected(record->checksum.data(), record->size);
    std::string_view found;
    State state = State::unknown;
    if (expected.size() == 16 && !content.md5.empty()) found = content.md5;
    if (expected.size() == 20 && !content.sha1.empty()) found = content.sha1;
    if (!found.empty()) state = found == expected ? State::unmodified : State::modified;
    const std::string_view half(reinterpret_cast<const char*>(content.sha256.data()), content.sha256.size());
    if (expected.size() == 32 && content.sha256 != ContentDigest{}) {
      found = half;
      state = expected.starts_with(half) ? State::unmodified : State::modified;
    }
    Owner owner;
    owner.package = &package;
    owner.state = state;
    owner.trust = package.trust;
    if (state != State::unmodified) owner.expected = show(expected);
    if (state == State::modified) {
      owner.found = expected.size() == 32 ? "sha256:" + to_hex(as_bytes(found)) + "..." : show(found);
    }
    // The package manager writes its database together with the files. A line that came later, in a database that was already there, was written
    // by somebody else.
    const auto first = first_layer_.find(package.manager);
    if (record->layer > layer && first != first_layer_.end() && first->second <= layer) owner.trust = Trust::none;
    const auto rank = [](const Owner& one) { return std::pair(one.state == State::unmodified ? 2 : one.state == State::modified ? 1 : 0, one.trust); };
    if (!best || rank(owner) > rank(*best)) best = std::move(owner);
  }
  return best;
}

}  // namespace lazaret::audit
