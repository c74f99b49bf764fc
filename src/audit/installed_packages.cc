#include "audit/installed_packages.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "audit/paths.h"
#include "base/text.h"
#include "format/package_database.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view dpkg_status = "/var/lib/dpkg/status";
constexpr std::string_view dpkg_info = "/var/lib/dpkg/info/";
constexpr std::string_view distroless_status = "/var/lib/dpkg/status.d/";

bool is_apk_database(std::string_view path) { return path == "/lib/apk/db/installed" || path == "/usr/lib/apk/db/installed"; }

std::string_view manager_of(std::string_view path) { return is_apk_database(path) ? "apk" : is_rpm_database(path) ? "rpm" : "dpkg"; }

void for_each_database(const RootFileSystem& root, const std::function<void(const KeptFile&)>& visit) {
  for (std::size_t layer = 0; layer < root.layers().size(); ++layer) {
    for (const KeptFile& kept : root.layers()[layer]->kept) {
      const bool wanted = kept.path.starts_with("/var/lib/dpkg/") || is_apk_database(kept.path) || is_rpm_database(kept.path);
      if (wanted && root.is_visible(layer, kept.entry)) visit(kept);
    }
  }
}

}  // namespace

InstalledPackages::InstalledPackages(const RootFileSystem& root) : root_(root) {
  for_each_database(root, [&](const KeptFile& kept) {
    const std::string_view path = kept.path, manager = manager_of(path);
    if (manager != "dpkg") {
      format::read_apk_installed(kept.text, [&](const format::ApkPackage& package) {
        packages_.push_back({std::string(manager), package.name, package.version, package.architecture});
      });
    } else if (path == dpkg_status || (path.starts_with(distroless_status) && !path.ends_with(".md5sums"))) {
      for (const format::DpkgPackage& package : format::parse_dpkg_status(kept.text)) {
        if (package.installed) packages_.push_back({"dpkg", package.name, package.version, package.architecture});
      }
    }
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
    const std::string_view path = kept.path, manager = manager_of(path);
    if (manager != "dpkg") {
      format::read_apk_installed(kept.text, [&](const format::ApkPackage& package) {
        format::read_apk_files(package.paragraph, [&](const format::PackagedFile& file) { claim(manager, package.name, package.architecture, canonical_path(file.path)); });
      });
      return;
    }
    const auto [name, architecture] = split_name(path);
    const auto claim_file = [&, of = name, on = architecture](const format::PackagedFile& file) { claim("dpkg", of, on, canonical_path(file.path)); };
    if (path.starts_with(dpkg_info) && path.ends_with(".list")) format::read_dpkg_list(kept.text, claim_file);
    if (path.ends_with(".md5sums") && (path.starts_with(dpkg_info) || path.starts_with(distroless_status))) format::read_dpkg_md5sums(kept.text, claim_file);
  });
  return owners;
}

}  // namespace lazaret::audit
