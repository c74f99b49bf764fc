// The packages of distributions that an image says it has: names and versions, and which of them claims a path.
//
// What is read here was written by whoever made the image. It says what the image claims, and is good for telling an update of packages from
// other changes; whether a file is as its package brought it is another question (package_index.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/root_file_system.h"

namespace lazaret::audit {

struct InstalledPackage {
  std::string manager;  // "dpkg", "apk", "rpm"
  std::string name, version, architecture;

  auto operator<=>(const InstalledPackage&) const = default;
};

class InstalledPackages {
 public:
  static constexpr std::size_t none = ~std::size_t{0};

  // Reads the databases that are visible in `root`, which must outlive it.
  explicit InstalledPackages(const RootFileSystem& root);

  // Ordered by manager, name, version.
  const std::vector<InstalledPackage>& list() const { return packages_; }

  // For each of `paths` (canonical) the index in list() of the package that says it owns it, or none.
  std::vector<std::size_t> owners_of(const std::vector<std::string>& paths) const;

 private:
  const RootFileSystem& root_;
  std::vector<InstalledPackage> packages_;
};

}  // namespace lazaret::audit
