// What the tests of detectors share: runs one detector over a sample as the audit would (kind by
// content, patterns, trigger, inspect) and collects what it says.
//
//   const auto outcome = test::inspect(reverse_shell_bash_detector, {.path = "/run.sh", .content =
//   "..."}); EXPECT_TRUE(outcome.has("reverse-shell.bash-dev-tcp"));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "detect/detector.h"
#include "engine/pattern_database.h"
#include "format/elf.h"
#include "format/file_kind.h"

namespace lazaret::detect::test {

// A file, or a string of the image config when `origin` says so.
struct Sample {
  std::string path = "/sample";
  std::string content;
  std::uint32_t mode = 0644;
  Origin origin = Origin::file;
  unsigned nesting = 0;
  std::optional<format::FileType> type = std::nullopt;  // classified from the content when absent
  std::uint64_t content_offset = 0;                     // of a later window of a large file
  std::uint64_t file_size = 0;                          // 0: the size of `content`
};

struct Derived {
  std::string content, step;
  std::uint64_t offset = 0;
};

struct Outcome {
  bool looked_at = false;  // inspect() was called
  std::vector<FileFinding> findings;
  std::vector<std::pair<Indicator, std::uint64_t>> indicators;  // of add_indicator() only
  std::vector<Derived> derived;
  std::vector<std::pair<std::uint64_t, std::string>> unaudited;

  const FileFinding* find(std::string_view rule) const {
    for (const FileFinding& finding : findings) {
      if (finding.rule->id == rule) return &finding;
    }
    return nullptr;
  }
  bool has(std::string_view rule) const { return find(rule) != nullptr; }
  std::vector<std::string> rules() const {
    std::vector<std::string> ids;
    for (const FileFinding& finding : findings) ids.emplace_back(finding.rule->id);
    return ids;
  }
  // Among the indicators of findings and of add_indicator().
  bool has_indicator(std::string_view type, std::string_view value) const {
    const auto same = [&](const Indicator& indicator) {
      return indicator.type == type && indicator.value == value;
    };
    for (const auto& [indicator, offset] : indicators) {
      if (same(indicator)) return true;
    }
    return std::any_of(findings.begin(), findings.end(), [&](const FileFinding& finding) {
      return std::any_of(finding.indicators.begin(), finding.indicators.end(), same);
    });
  }
};

inline Severity severity_of(const FileFinding& finding) {
  return finding.severity.value_or(finding.rule->severity);
}

// The detector's patterns, compiled once for the process; null when it has none.
inline const engine::PatternDatabase* database_of(const Detector& detector) {
  static std::mutex mutex;
  static std::map<const Detector*, std::unique_ptr<engine::PatternDatabase>> databases;
  if (patterns_of(detector).empty()) return nullptr;
  const std::lock_guard lock(mutex);
  auto& database = databases[&detector];
  if (!database) {
    auto compiled = engine::PatternDatabase::compile(patterns_of(detector));
    if (!compiled) {
      ADD_FAILURE() << detector.name << ": " << compiled.error().message;
      return nullptr;
    }
    database = std::move(*compiled);
  }
  return database.get();
}

inline Outcome inspect(const Detector& detector, const Sample& sample) {
  class Collector : public FileReport {
   public:
    Collector(const Detector& detector, std::size_t size, Outcome& outcome)
        : detector_(detector), size_(size), outcome_(outcome) {}
    void add(FileFinding finding) override {
      const bool own = std::any_of(detector_.rules.begin(), detector_.rules.end(),
                                   [&](const Rule& rule) { return &rule == finding.rule; });
      EXPECT_TRUE(own) << "a finding needs a rule of the detector's own list";
      EXPECT_LE(finding.offset, size_);
      EXPECT_LE(finding.evidence.size(), 800u);
      if (own) outcome_.findings.push_back(std::move(finding));
    }
    void add_indicator(Indicator indicator, std::uint64_t offset) override {
      outcome_.indicators.emplace_back(std::move(indicator), offset);
    }
    void add_derived(std::string content, std::string step, std::uint64_t offset) override {
      outcome_.derived.push_back({std::move(content), std::move(step), offset});
    }
    void add_unaudited(std::uint64_t bytes, std::string reason) override { outcome_.unaudited.emplace_back(bytes, std::move(reason)); }

   private:
    const Detector& detector_;
    std::size_t size_;
    Outcome& outcome_;
  };

  Outcome outcome;
  if (detector.inspect == nullptr) return outcome;
  FileView view;
  view.path = sample.path;
  view.content = as_bytes(sample.content);
  view.content_offset = sample.content_offset;
  view.file_size = sample.file_size != 0 ? sample.file_size : sample.content.size();
  view.origin = sample.origin;
  view.mode = sample.mode;
  view.nesting = sample.nesting;
  if (sample.type) {
    view.type = *sample.type;
  } else if (sample.origin == Origin::config || sample.origin == Origin::history) {
    view.type = {format::FileKind::script, format::Language::shell};
  } else {
    view.type = format::classify(view.content, view.file_size, sample.path);
  }
  if (!detector.kinds.contains(view.type.kind)) return outcome;
  if (view.whole()) view.sha256 = sha256(view.content);
  format::ElfFile elf;
  if (view.type.kind == format::FileKind::elf) {
    elf = format::parse_elf(view.content, view.file_size);
    view.elf = &elf;
  }

  std::vector<engine::PatternHit> hits;
  if (const engine::PatternDatabase* database = database_of(detector)) {
    std::vector<engine::Hit> raw;
    EXPECT_EQ(database->scan(view.content, 1'000'000, raw), engine::ScanStatus::complete);
    for (const engine::Hit& hit : raw) hits.push_back({hit.pattern, hit.end});
  }
  view.hits = hits;
  if (detector.trigger == Trigger::on_hit && hits.empty()) return outcome;
  Collector collector(detector, sample.content.size(), outcome);
  outcome.looked_at = true;
  detector.inspect(view, collector);
  return outcome;
}

// An image in memory for inspect_image(). Paths are absolute; parents need not be added.
class FakeImage : public ImageView {
 public:
  std::string name;
  format::ManifestDescription description;
  Digest index;  // digest()

  void add_file(std::string path, std::string content, std::uint32_t mode = 0755,
                std::size_t layer = 0) {
    Entry entry;
    entry.type = format::classify(as_bytes(content), content.size(), path);
    entry.mode = mode;
    entry.layer = layer;
    entry.content = std::move(content);
    entries_[std::move(path)] = std::move(entry);
  }
  void add_symlink(std::string path, std::string target, std::size_t layer = 0) {
    Entry entry;
    entry.is_symlink = true;
    entry.mode = 0777;
    entry.layer = layer;
    entry.content = std::move(target);
    entries_[std::move(path)] = std::move(entry);
  }

  void set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
    entries_.at(path).uid = uid;
    entries_.at(path).gid = gid;
  }
  void set_capabilities(const std::string& path, std::string value) { entries_.at(path).capabilities = std::move(value); }

  const std::string& reference() const override { return name; }
  const format::ManifestDescription& manifest() const override { return description; }
  Digest digest() const override { return index; }
  // Follows symlinks of the last component only.
  std::optional<RootEntry> find(std::string_view path) const override {
    std::string at(path);
    for (int step = 0; step < 8; ++step) {
      const auto found = entries_.find(at);
      if (found == entries_.end()) return std::nullopt;
      if (!found->second.is_symlink) return root_entry(found->first, found->second);
      const std::string& target = found->second.content;
      at = target.starts_with('/') ? target : at.substr(0, at.rfind('/') + 1) + target;
    }
    return std::nullopt;
  }
  void for_each(const std::function<void(const RootEntry&)>& visit) const override {
    for (const auto& [path, entry] : entries_) visit(root_entry(path, entry));
  }
  std::optional<std::string_view> script_text(std::string_view path) const override {
    const auto entry = find(path);
    if (!entry || !format::is_text(entry->type.kind)) return std::nullopt;
    return entries_.find(std::string(entry->path))->second.content;
  }

 private:
  struct Entry {
    std::string content;  // the target of symlinks
    format::FileType type;
    std::uint32_t mode = 0, uid = 0, gid = 0;
    std::string capabilities;
    std::size_t layer = 0;
    bool is_symlink = false;
  };
  static RootEntry root_entry(const std::string& path, const Entry& entry) {
    RootEntry result;
    result.path = path;
    result.layer = entry.layer;
    result.mode = entry.mode;
    result.uid = entry.uid;
    result.gid = entry.gid;
    result.capabilities = entry.capabilities;
    result.is_symlink = entry.is_symlink;
    if (entry.is_symlink) {
      result.link_target = entry.content;
    } else {
      result.size = entry.content.size();
      result.type = entry.type;
    }
    return result;
  }

  std::map<std::string, Entry> entries_;
};

inline std::vector<ImageFinding> inspect_image(const Detector& detector, const ImageView& image) {
  std::vector<ImageFinding> findings;
  if (detector.inspect_image != nullptr) detector.inspect_image(image, findings);
  return findings;
}

}  // namespace lazaret::detect::test
