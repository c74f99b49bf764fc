// Everything that decides what an audit finds, but for the limits: detectors, users' YARA rules, and the one digest over both.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audit/lineage.h"
#include "base/result.h"
#include "detect/detector.h"
#include "engine/pattern_database.h"
#include "engine/yara.h"

namespace lazaret::audit {

// The version of lazaret and so of everything compiled in.
std::string_view engine_version();

// The documentation of a rule in owned strings, whether it stands in a detector, in YARA metadata or is one of the audit's own.
struct RuleDocument {
  std::string id;
  detect::Category category{};
  detect::Severity severity{};
  detect::Confidence confidence{};
  std::string title, explanation, remediation;
  std::vector<std::string> attack;
  std::string doubt;  // what would change the judgement
};

// Immutable after make(); shared by all threads.
class Ruleset {
 public:
  // `yara_paths`: files and folders of users' YARA rules, may be empty. An error names what does not compile.
  // `cache_folder`: where compiled patterns are kept for the next start; "" for nowhere.
  // `bases`: the images that are trusted as bases.
  static Result<std::shared_ptr<const Ruleset>> make(const std::vector<std::string>& yara_paths, const std::string& cache_folder = "", BaseTable bases = {});

  // A pattern of the multi-pattern pass, by its index there.
  struct PatternOwner {
    const detect::Detector* detector = nullptr;  // null: a mark of encoded text (see encoded_text.h)
    std::uint32_t detector_index = 0;            // in detectors()
    std::uint32_t pattern = 0;                   // index in the owner's list
  };
  // The patterns are compiled twice: all of them for text, and those of detectors that look at binaries for the rest, so that the
  // bulk of an image (libraries) runs through a smaller automaton.
  struct PatternSet {
    std::unique_ptr<engine::PatternDatabase> database;
    std::vector<PatternOwner> owners;
  };
  const PatternSet& patterns_for(format::FileKind kind) const;

  const std::vector<const detect::Detector*>& detectors() const { return detect::all_detectors(); }
  const engine::YaraRules* yara() const { return yara_.get(); }  // null without --rules

  // By rule id; null when there is no such rule.
  const RuleDocument* find(std::string_view rule) const;
  const std::map<std::string, RuleDocument, std::less<>>& rules() const { return rules_; }

  const BaseTable& bases() const { return bases_; }

  // "sha256:..." over version, detectors' rules, patterns and data, YARA sources, and the table of bases.
  const std::string& digest() const { return digest_; }
  // The same without the table of bases, which says nothing about single layers: what audits in the cache depend on.
  const std::string& layer_digest() const { return layer_digest_; }

 private:
  Result<PatternSet> compile(bool text) const;

  std::string cache_folder_;
  // Made when first asked for: an audit that comes from the cache needs only the first.
  mutable std::once_flag text_once_, binary_once_;
  mutable PatternSet text_, binary_;
  std::unique_ptr<engine::YaraRules> yara_;
  std::map<std::string, RuleDocument, std::less<>> rules_;
  BaseTable bases_;
  std::string digest_, layer_digest_;
};

// The rule id of a YARA rule: "yara.<namespace>.<name>".
std::string yara_rule_id(const engine::YaraRule& rule);

}  // namespace lazaret::audit
