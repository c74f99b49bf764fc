#include "audit/installed_packages.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "audit/paths.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view dpkg_status = "/var/lib/dpkg/status";
constexpr std::string_view dpkg_info = "/var/lib/dpkg/info/";
constexpr std::string_view distroless_status = "/var/lib/dpkg/status.d/";

bool is_apk_database(std::string_view path) { return path == "/lib/apk/db/installed" || path == "/usr/lib/apk/db/installed"; }

void for_each_database(const RootFileSystem& root, const std::function<void(const KeptFile&)>& visit) {
  for (std::size_t layer = 0; layer < root.layers().size(); ++layer) {
    for (const KeptFile& kept : root.layers()[layer]->kept) {
      if ((kept.path.starts_with("/var/lib/dpkg/") || is_apk_database(kept.path)) && root.is_visible(layer, kept.entry)) visit(kept);
    }
  }
}

// deb-control(5): paragraphs of "Field: value", continued by lines that begin with a space.
void read_dpkg(std::string_view text, std::vector<InstalledPackage>& packages) {
  InstalledPackage package{"dpkg", "", "", ""};
  bool installed = true;
  const auto end = [&] {
    if (!package.name.empty() && installed) packages.push_back(package);
    package = {"dpkg", "", "", ""};
    installed = true;
  };
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) {
      end();
      continue;
    }
    const auto colon = line.find(':');
    if (line.front() == ' ' || colon == std::string_view::npos) continue;
    const std::string_view field = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (field == "Package") package.name = value;
    if (field == "Version") package.version = value;
    if (field == "Architecture") package.architecture = value;
    if (field == "Status") installed = value.ends_with(" installed");  // not "config-files", "half-installed"
  }
  end();
}

// apk-tools, APKINDEX and installed database: lines of one letter and a value, a paragraph for each package. `file` is told of each path with the
// number of the package among those of this text.
void read_apk(std::string_view text, std::vector<InstalledPackage>* packages, const std::function<void(std::string path, std::string_view name)>& file) {
  InstalledPackage package{"apk", "", "", ""};
  std::string folder;
  const auto end = [&] {
    if (packages != nullptr && !package.name.empty()) packages->push_back(package);
    package = {"apk", "", "", ""};
    folder.clear();
  };
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) {
      end();
      continue;
    }
    if (line.size() < 2 || line[1] != ':') continue;
    const std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'P': package.name = value; break;
      case 'V': package.version = value; break;
      case 'A': package.architecture = value; break;
      case 'F': folder = value; break;
      case 'R':
        if (file) file(canonical_path(folder + "/" + std::string(value)), package.name);
        break;
      default: break;
    }
  }
  end();
}

}  // namespace

InstalledPackages::InstalledPackages(const RootFileSystem& root) : root_(root) {
  for_each_database(root, [&](const KeptFile& kept) {
    const std::string_view path = kept.path;
    if (path == dpkg_status || (path.starts_with(distroless_status) && !path.ends_with(".md5sums"))) read_dpkg(kept.text, packages_);
    if (is_apk_database(path)) read_apk(kept.text, &packages_, nullptr);
  });
  std::sort(packages_.begin(), packages_.end());
  packages_.erase(std::unique(packages_.begin(), packages_.end()), packages_.end());
}

std::vector<std::size_t> InstalledPackages::owners_of(const std::vector<std::string>& paths) const {
  std::vector<std::size_t> owners(paths.size(), none);
  if (paths.empty() || packages_.empty()) return owners;
  std::unordered_multimap<std::string, std::size_t> wanted;
  for (std::size_t i = 0; i < paths.size(); ++i) wanted.emplace(usr_merged_path(paths[i]), i);

  // A package may be there for several architectures; one that is not in the list owns nothing.
  const auto find = [&](std::string_view manager, std::string_view name, std::string_view architecture) {
    const auto package = std::find_if(packages_.begin(), packages_.end(), [&](const InstalledPackage& each) {
      return each.manager == manager && each.name == name && (architecture.empty() || each.architecture == architecture);
    });
    return package == packages_.end() ? none : static_cast<std::size_t>(package - packages_.begin());
  };
  // dpkg's own files are named after the package: "libc6:amd64.postinst".
  const auto split_name = [](std::string_view path) {
    std::string_view name = name_of_path(path);
    name = name.substr(0, name.rfind('.'));
    const auto colon = name.find(':');
    return std::pair(name.substr(0, colon), colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1));
  };
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].starts_with(dpkg_info)) continue;
    const auto [name, architecture] = split_name(paths[i]);
    owners[i] = find("dpkg", name, architecture);
  }
  const auto claim = [&](std::string_view manager, std::string_view name, std::string_view architecture, std::string_view path) {
    const auto [first, last] = wanted.equal_range(usr_merged_path(path));
    if (first == last) return;
    const std::size_t package = find(manager, name, architecture);
    for (auto it = first; it != last; ++it) owners[it->second] = std::min(owners[it->second], package);
  };
  for_each_database(root_, [&](const KeptFile& kept) {
    const std::string_view path = kept.path;
    const bool is_list = path.starts_with(dpkg_info) && path.ends_with(".list");
    const bool is_sums = path.ends_with(".md5sums") && (path.starts_with(dpkg_info) || path.starts_with(distroless_status));
    if (is_list || is_sums) {
      const auto [name, architecture] = split_name(path);
      for (const std::string_view line : split(kept.text, '\n')) {
        if (is_list && !line.empty()) claim("dpkg", name, architecture, canonical_path(line));
        if (is_sums && line.size() > 34 && line[32] == ' ') claim("dpkg", name, architecture, canonical_path(line.substr(34)));
      }
    } else if (is_apk_database(path)) {
      read_apk(kept.text, nullptr, [&](std::string file, std::string_view package) { claim("apk", package, "", file); });
    }
  });
  return owners;
}

}  // namespace lazaret::audit
