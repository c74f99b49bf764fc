#include "audit/ruleset.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "audit/audit_rules.h"
#include "audit/encoded_text.h"
#include "audit/host_rules.h"
#include "audit/integrity.h"
#include "base/digest.h"
#include "base/text.h"
#include "detect/category_support.h"
#include "detect/incident_data_support.h"
#include "engine/saved_patterns.h"

#include "rule_data_digest.h"

#ifndef LAZARET_VERSION
#error "LAZARET_VERSION is set by the build"
#endif

namespace lazaret::audit {
namespace {

RuleDocument document_of(const detect::Rule& rule) {
  RuleDocument document{std::string(rule.id),    rule.category,
                        rule.severity,           rule.confidence,
                        std::string(rule.title), std::string(rule.explanation),
                        std::string(rule.remediation), {}, std::string(detect::doubt_of(rule))};
  for (const std::string_view technique : rule.attack) {
    if (!technique.empty()) document.attack.emplace_back(technique);
  }
  return document;
}

// What a YARA rule's author says of it becomes the documentation of its findings. DRL 1.1 asks that messages based on a match keep
// the author, so `author` always stands in the explanation.
RuleDocument document_of(const engine::YaraRule& rule) {
  RuleDocument document;
  document.id = yara_rule_id(rule);
  document.category = detect::Category::known_bad;
  document.severity = detect::Severity::high;
  document.confidence = detect::Confidence::medium;
  document.title = "YARA rule " + rule.name;
  std::string description, author, reference, licence;
  for (const auto& [key, value] : rule.metadata) {
    const std::string name = to_lower(key);
    if (name == "description" || name == "desc") description = value;
    if (name == "author") author = value;
    if (name == "reference" && reference.empty()) reference = value;
    if (name == "license" || name == "licence") licence = value;
    if (name == "severity") {
      if (const auto severity = detect::parse_severity(to_lower(value))) document.severity = *severity;
    }
    if (name == "category") {
      if (const auto category = detect::parse_category(to_lower(value))) document.category = *category;
    }
    if (name == "score") {  // signature-base: 0..100
      const int score = std::atoi(value.c_str());
      document.severity = score >= 90   ? detect::Severity::critical
                          : score >= 70 ? detect::Severity::high
                          : score >= 40 ? detect::Severity::medium
                                        : detect::Severity::low;
    }
  }
  document.explanation = description.empty() ? "A rule given with --rules matched this file." : description;
  if (!author.empty()) document.explanation += " (rule author: " + author + ")";
  if (!reference.empty()) document.explanation += " Reference: " + reference;
  if (!licence.empty()) document.explanation += " Licence: " + licence;
  document.remediation = "Look at what the rule's author describes and at the matched bytes.";
  document.doubt = "It would be less if the matched bytes stand in something that only quotes them, or if the rule's author lists files like this one as false alarms.";
  return document;
}

bool is_binary_kind(format::FileKind kind) { return !format::is_text(kind); }

bool wants_binaries(const detect::Detector& detector) {
  for (unsigned kind = 0; kind < format::file_kind_count; ++kind) {
    if (is_binary_kind(static_cast<format::FileKind>(kind)) &&
        detector.kinds.contains(static_cast<format::FileKind>(kind))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view engine_version() { return LAZARET_VERSION; }

std::string yara_rule_id(const engine::YaraRule& rule) {
  return "yara." + rule.namespace_name + "." + rule.name;
}

Result<Ruleset::PatternSet> Ruleset::compile(bool text) const {
  PatternSet set;
  std::vector<engine::Pattern> patterns;
  for (std::uint32_t d = 0; d < detectors().size(); ++d) {
    const detect::Detector& detector = *detectors()[d];
    if (!text && !wants_binaries(detector)) continue;
    const auto own = detect::patterns_of(detector);
    for (std::uint32_t p = 0; p < own.size(); ++p) {
      patterns.push_back(own[p]);
      set.owners.push_back({&detector, d, p});
    }
  }
  if (!text) {
    for (std::uint32_t p = 0; p < encoded_marks().size(); ++p) {
      patterns.push_back(engine::literal(encoded_marks()[p]));
      set.owners.push_back({nullptr, 0, p});
    }
  }
  const std::string file = cache_folder_.empty() ? "" : cache_folder_ + "/patterns-" + layer_digest_.substr(7, 32) + (text ? "-text" : "-binary");
  auto database = engine::saved_or_compiled(file, patterns);
  if (!database) return database.error();
  set.database = std::move(*database);
  return set;
}

Result<std::shared_ptr<const Ruleset>> Ruleset::make(const std::vector<std::string>& yara_paths, const std::string& cache_folder, BaseTable bases) {
  auto ruleset = std::make_shared<Ruleset>();
  ruleset->cache_folder_ = cache_folder;
  Hasher hasher;
  const auto add = [&hasher](std::string_view text) {
    hasher.update(as_bytes(text));
    hasher.update(as_bytes(std::string_view("\0", 1)));
  };
  add(engine_version());
  add(LAZARET_RULE_DATA_DIGEST);
  add(detect::incident_data().digest.str());  // what users imported is no part of the program

  const auto add_rule = [&](const detect::Rule& rule) {
    ruleset->rules_.emplace(rule.id, document_of(rule));
    add(rule.id);
    add(name_of(rule.severity));
    add(name_of(rule.confidence));
  };
  for (const detect::Rule& rule : audit_rules()) add_rule(rule);
  for (const detect::Rule& rule : integrity_rules()) add_rule(rule);
  for (const detect::Rule& rule : host_rules()) add_rule(rule);
  for (const detect::Detector* detector : ruleset->detectors()) {
    add(detector->name);
    for (const detect::Rule& rule : detector->rules) add_rule(rule);
    for (const engine::Pattern& pattern : detect::patterns_of(*detector)) add(pattern.text);
  }
  if (!yara_paths.empty()) {
    auto yara = engine::YaraRules::load(yara_paths, {cache_folder, true});
    if (!yara) return yara.error();
    ruleset->yara_ = std::move(*yara);
    for (const engine::YaraRule& rule : ruleset->yara_->rules()) {
      RuleDocument document = document_of(rule);
      ruleset->rules_.emplace(document.id, document);
    }
    add(ruleset->yara_->digest());
  }
  ruleset->digest_ = ruleset->layer_digest_ = hasher.finish().str();
  ruleset->bases_ = std::move(bases);
  if (const std::string of_bases = ruleset->bases_.digest(); !of_bases.empty()) {
    ruleset->digest_ = sha256(as_bytes(ruleset->layer_digest_ + "\n" + of_bases)).str();
  }

  // The library is tried at once, so that one that cannot be trusted is refused before anything is read.
  if (const auto usable = engine::PatternDatabase::compile({}); !usable) return usable.error();
  return std::shared_ptr<const Ruleset>(std::move(ruleset));
}

const Ruleset::PatternSet& Ruleset::patterns_for(format::FileKind kind) const {
  const bool text = !is_binary_kind(kind);
  PatternSet& set = text ? text_ : binary_;
  std::call_once(text ? text_once_ : binary_once_, [&] {
    auto compiled = compile(text);
    // The patterns are our own and each is compiled by its detector's test.
    if (!compiled) {
      std::fprintf(stderr, "lazaret: %s\n", compiled.error().message.c_str());
      std::abort();
    }
    set = std::move(*compiled);
  });
  return set;
}

const RuleDocument* Ruleset::find(std::string_view rule) const {
  const auto found = rules_.find(rule);
  return found == rules_.end() ? nullptr : &found->second;
}

}  // namespace lazaret::audit
