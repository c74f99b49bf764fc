// What the audit of one blob found: the value that is cached by (diff_id, ruleset) and merged into an image's report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/entry_table.h"
#include "audit/file_digests.h"
#include "audit/traits.h"
#include "base/digest.h"
#include "detect/finding.h"

namespace lazaret::audit {

// A finding inside one blob; layer and manifest are added by the merge.
struct LayerFinding {
  static constexpr std::uint64_t no_entry = ~0ull;

  std::string rule;
  detect::Severity severity{};
  detect::Confidence confidence{};
  std::uint64_t entry = no_entry;  // number in LayerAudit::entries; no_entry for findings about the blob itself
  std::string path;                // canonical path of that entry; "" for the blob itself
  std::vector<std::string> nested;
  std::uint64_t offset = 0, line = 0;
  std::string evidence;
  std::vector<std::string> chain;
  std::vector<detect::Indicator> indicators;
  std::string md5, sha1;  // raw digests of the entry's whole file, to be compared with a package database; "" when not known
};

// The text of a small file that the merge needs: scripts, crontabs, units, package databases.
struct KeptFile {
  std::uint64_t entry = 0;
  std::string path;
  std::string text;
};

struct LayerIncomplete {
  std::string path;  // with nested names joined by " -> "
  std::uint64_t bytes = 0;
  std::string reason;
};

struct LayerAudit {
  Digest blob_digest;  // of the encoded bytes, computed
  Digest diff_id;      // of the decoded bytes, computed
  std::uint64_t blob_size = 0, decoded_size = 0;
  std::string encoding;  // "gzip", "zstd", "plain", ...: what the bytes are
  bool is_tar = false;   // false: audited as one file
  std::uint64_t bytes = 0, files = 0;
  EntryTable entries;
  std::vector<LayerFinding> findings;
  std::vector<std::pair<detect::Indicator, std::string>> indicators;  // with the path each was found in
  std::vector<LayerIncomplete> incomplete;
  std::vector<KeptFile> kept;
  std::vector<FileDigest> digests;  // of programs, libraries and scripts, by entry
  std::vector<Trait> traits;
  bool ended_early = false;  // the source could not deliver all of it: never cached

  std::string save() const;
  static std::optional<LayerAudit> load(Bytes bytes);
};

}  // namespace lazaret::audit
