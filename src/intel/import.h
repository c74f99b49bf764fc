// Indicators of others: lazaret's own form (rules/incidents, docs/incidents.md), STIX 2.1 bundles, MISP events and plain lists become one incident file.
//
// Every entry is either taken or named with the reason why not. What would match innocent images everywhere is refused: private addresses, hosts that
// everybody uses, known pools, donation wallets, the digest of an empty file. The text is hostile input; nothing in it is fetched or resolved.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "detect/incident_data_support.h"
#include "store/metadata_store.h"

namespace lazaret::intel {

constexpr std::size_t import_bytes = 64u << 20, import_entries = 200'000, shown_refusals = 1000;

enum class ImportFormat : std::uint8_t { detect, toml, stix, misp, list };

struct ImportedEntry {
  // A type of rules/README.md, or "publisher", "repository", "image" (digest).
  std::string type, value;
  std::string confidence = "medium", source{}, note{};
  std::string earned{}, earned_at{};  // of wallets
  std::string repository{}, date{};   // of images
  std::vector<std::string> tags{};
};

struct RefusedEntry {
  std::string entry, why;
};

struct Import {
  std::string id, title, first_seen, last_seen;
  std::vector<std::string> attack;
  std::vector<detect::Incident::Moment> timeline;
  std::vector<ImportedEntry> entries;  // in order of type and value, each once
  std::vector<RefusedEntry> refused;   // the first shown_refusals
  std::uint64_t refused_count = 0;
};

struct ImportOptions {
  ImportFormat format = ImportFormat::detect;
  std::string id;      // "": made of the file's name or what the text says
  std::string title;   // "": what the text says
  std::string source;  // of entries that name none: the file's name
  std::int64_t now = 0;  // milliseconds since 1970: what has expired is refused
};

// An error when the text is not of the form, or nothing of it can be taken; the message says why.
Result<Import> read_import(std::string_view text, const ImportOptions& options);

// The incident file that holds it, which detect::parse_incident_data() reads.
std::string to_toml(const Import& import);

// Lower-case letters, digits, '-' and '.', beginning with a letter or digit, at most 64: names of files are made of it.
bool is_incident_id(std::string_view id);

// For people: what was taken, by type, and what was not. Escaped.
std::string describe(const Import& import);

}  // namespace lazaret::intel
