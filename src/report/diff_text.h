// Phrases that the forms of a difference share. Everything they give has been escaped.
#pragma once

#include <string>
#include <vector>

#include "audit/image_diff.h"

namespace lazaret::report {

// "+", "-", "~".
char sign_of(audit::Change change);

// "openssl 3.0.1 -> 3.0.2: 12 files changed"
std::string describe(const audit::PackageChange& package);
// "script, mode 0755, 1.2 KiB, started by the image, no package"
std::string describe(const audit::FileChange& file);
// "[\"/a\"] -> [\"/b\",\"/a\"]"
std::string describe(const audit::ConfigChange& config);
// "setuid /usr/bin/x (root), no package: runs as its owner, whoever starts it"
std::string describe(const audit::AbilityChange& ability);
// "3 files added, 1 removed, 12 changed"
std::string describe_files(const audit::PlatformDiff& platform);

// Files to show first: started ones, programs, then the rest; the files of one folder that are too many to list become one line.
struct FileLines {
  std::vector<const audit::FileChange*> files;
  std::vector<std::string> folders;  // "/app/node_modules: 4900 files added"
};
FileLines choose_files(const audit::PlatformDiff& platform, std::size_t limit);

// "linux/amd64", "linux/amd64 -> linux/arm64".
std::string platform_name(const audit::PlatformDiff& platform);

}  // namespace lazaret::report
