// What did this update bring? Two audited images -> what is different between the containers they make, and how much there is to worry about.
//
// In the attacks of 2026 a known name was moved to an image that still worked: the old one with a wrapper in front of its entrypoint and one
// program that no package owned. No rule knew the payload. Next to the image before it the change is plain, and that is what this shows: files
// (those of packages as one line for each package), packages, configuration, abilities, findings, and the risks in all of it, most severe first.
//
// A pure function of the two audits: same input, same result.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/image_abilities.h"
#include "audit/image_auditor.h"
#include "audit/installed_packages.h"
#include "audit/report.h"

namespace lazaret::audit {

enum class Change : std::uint8_t { added, removed, changed };
std::string_view name_of(Change change);

// A file, link or device that is not the same in both, or a folder whose mode or owner is not.
struct FileChange {
  Change change{};
  std::string path;
  std::string kind;                  // "elf", "script", "text", ... as in reports; "link", "folder", "device"
  std::vector<std::string> aspects;  // of a changed one: "content", "mode 0644 -> 4755", "owner 0:0 -> 33:33", "capabilities", "target a -> b"
  std::uint64_t old_size = 0, new_size = 0;
  std::uint32_t mode = 0;  // of the new one; of the old one when it was removed
  bool is_program = false;  // executable, or machine code whatever its mode
  bool is_started = false;  // by the new image's configuration, cron, init or profile
  std::string package;      // that claims it in the new image (in the old one when it was removed); "" when none does
  bool package_is_same = false;  // and the package has the same version in both images
};

struct PackageChange {
  Change change{};  // `changed` with equal versions: files of it are different although it says it is the same
  std::string manager, name, architecture, old_version, new_version;
  std::uint64_t files_added = 0, files_removed = 0, files_changed = 0;
};

struct ConfigChange {
  std::string field;  // "Entrypoint", "Env.PATH", "Labels.version"
  std::string old_value, new_value;  // lists as JSON; "" when absent
};

struct AbilityChange {
  Change change{};  // never `changed`
  Ability ability;
  std::string package;
};

// A script that the new image starts, with the lines that the old one did not have.
struct ScriptChange {
  Change change{};
  std::string path;
  std::vector<std::string> lines;
  std::size_t more = 0;  // lines beyond those listed
};

struct FindingChange {
  Change change{};  // `changed`: the same rule in the same place, with other evidence
  Finding finding;  // of the new image; of the old one when it is gone
  std::string old_evidence;
};

struct Risk {
  detect::Severity severity{};  // never info
  std::string code;  // stable: "entrypoint-wrapped", "program-added", ...
  std::string text;  // a sentence without the first capital and the full stop; attacker text in it is raw
  std::string path;  // that it is about, or ""
  std::vector<std::string> platforms;
};

struct PlatformDiff {
  std::string old_platform, new_platform;  // "" on the side that does not have it; then nothing else is set
  std::string old_digest, new_digest;      // of the manifests
  std::vector<FileChange> files;           // but for those of changed packages; ordered by path
  std::uint64_t files_added = 0, files_removed = 0, files_changed = 0;  // all, those of packages included
  std::uint64_t bookkeeping = 0;           // data files of package managers, caches and logs among them, which are not listed
  bool cut = false;                        // more are different than can be listed
  std::vector<PackageChange> packages;
  std::vector<ConfigChange> config;
  std::vector<AbilityChange> abilities;
  std::vector<ScriptChange> scripts;
};

struct ImageDiff {
  Report old_report, new_report;
  std::vector<PlatformDiff> platforms;
  std::vector<FindingChange> findings;
  std::vector<Risk> risks;  // most severe first

  // info when there is none.
  detect::Severity risk() const { return risks.empty() ? detect::Severity::info : risks.front().severity; }
};

// "none" for info.
std::string_view name_of_risk(detect::Severity severity);

// An image after its audit. `auditor` has finished.
struct AuditedImage {
  Report report;
  format::ImageDescription description;
  const ImageAuditor* auditor = nullptr;
};

ImageDiff diff_images(AuditedImage old_image, AuditedImage new_image);

}  // namespace lazaret::audit
