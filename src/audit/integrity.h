// Whether the image is what its packages and its base say it is: programs that were replaced, programs that nobody brought, databases that lie.
//
// docs/packages.md says which innocent images look like each of these, and why each weighs what it weighs.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/package_index.h"
#include "audit/root_file_system.h"
#include "detect/finding.h"

namespace lazaret::audit {

std::span<const detect::Rule> integrity_rules();

struct IntegrityFinding {
  std::string_view rule;
  std::string path;  // "" when no one file is meant
  std::size_t layer = 0;
  std::string evidence;
  std::optional<detect::Severity> severity;  // when other than the rule's
};

// A file that could not be compared, and why.
struct IntegrityGap {
  std::string path;
  std::size_t layer = 0;
  std::uint64_t bytes = 0;
  std::string reason;
};

struct IntegrityJudgement {
  std::vector<IntegrityFinding> findings;
  std::vector<IntegrityGap> gaps;
};

// `base_layers`: how many of the lowest layers are a known base; 0 when none is.
IntegrityJudgement judge_integrity(const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers);

// A program, library or module that decides who gets in, or what an administrator sees: what it pays to replace.
bool is_security_relevant(std::string_view path);

}  // namespace lazaret::audit
