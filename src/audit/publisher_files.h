// The programs and scripts that whoever made an image brought along: what ties images to each other when one of them turns out to be bad.
//
// What a known base has, and files of packages as the package of a known base brought them, are everybody's and tie nothing together. A package database that
// only the image vouches for excuses nothing: whoever made the image wrote it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "audit/entry_table.h"
#include "audit/package_index.h"
#include "audit/root_file_system.h"

namespace lazaret::audit {

struct PublisherFile {
  std::size_t layer = 0;
  std::string path;
  ContentDigest content{};
  bool claimed = false;  // as a package of the image says it is; nothing else vouches for it
};

// Smaller ones say too little: two people who never met write the same ten bytes.
constexpr std::uint64_t publisher_file_bytes = 64;

// In every layer above the first `base_layers`, files that a later layer hides included.
std::vector<PublisherFile> publisher_files(const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers);

}  // namespace lazaret::audit
