// Which files of an image belong to a distribution package, and are they as the package brought them?
//
// The answer comes from the image's own package database (dpkg's md5sums, apk's installed), which an attacker may have written. It is
// used to silence findings in files that nothing of the image's own making starts, and never for what the entrypoint reaches.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/root_file_system.h"

namespace lazaret::audit {

class PackageIndex {
 public:
  // Reads the databases that are visible in the end, but only what they say of `paths` (canonical).
  PackageIndex(const RootFileSystem& root, const std::vector<std::string>& paths);

  // The package that owns `path`, when the file's digest (raw md5 or sha1) is the one in the database.
  std::optional<std::string> unmodified_package(std::string_view path, std::string_view md5, std::string_view sha1) const;

 private:
  struct Record {
    std::string package, checksum;
  };
  std::multimap<std::string, Record, std::less<>> records_;
};

}  // namespace lazaret::audit
