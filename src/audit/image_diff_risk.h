// The risks in a difference between two images: see image_diff.h.
#pragma once

#include "audit/image_diff.h"
#include "audit/reach.h"

namespace lazaret::audit {

// One platform of both images.
struct ComparedPlatform {
  const format::ManifestDescription& old_manifest;
  const format::ManifestDescription& new_manifest;
  const RootFileSystem& old_root;
  const RootFileSystem& new_root;
  const InstalledPackages& new_packages;
  const PlatformDiff& diff;
  const std::vector<FindingChange>& findings;
};

// Unordered, without platforms.
std::vector<Risk> risks_of(const ComparedPlatform& platform);
std::vector<Risk> risks_of(const std::vector<FindingChange>& findings);

// Which of two risks of one severity says more: the lower.
unsigned rank_of_risk(std::string_view code);

}  // namespace lazaret::audit
