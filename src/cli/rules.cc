// lazaret rules: what can be found, and what each finding means.
#include <fmt/format.h>

#include <cstdio>

#include "audit/ruleset.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/commands.h"

namespace lazaret::cli {
namespace {

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string in_full(const audit::RuleDocument& rule) {
  return fmt::format("{}\n  {}\n\n  category    {}\n  severity    {}\n  confidence  {}\n  ATT&CK      {}\n\n  {}\n\n  What to do: {}\n", rule.id,
                     rule.title, name_of(rule.category), name_of(rule.severity), name_of(rule.confidence), join(rule.attack), rule.explanation,
                     rule.remediation);
}

// docs/detectors is made with this.
std::string markdown(const audit::Ruleset& ruleset) {
  std::string text = "# Detectors and rules\n\nMade by `lazaret rules --format markdown`; do not edit.\n";
  for (const detect::Detector* detector : ruleset.detectors()) {
    text += fmt::format("\n## {}\n\n{}\n", detector->name, detector->summary);
    for (const detect::Rule& rule : detector->rules) {
      const audit::RuleDocument& document = *ruleset.find(rule.id);
      text += fmt::format("\n### `{}`\n\n{}. Severity {}, confidence {}{}{}.\n\n{}\n\nWhat to do: {}\n", rule.id, rule.title, name_of(rule.severity),
                          name_of(rule.confidence), document.attack.empty() ? "" : ", ATT&CK ", join(document.attack), rule.explanation,
                          rule.remediation);
    }
  }
  text += "\n## The audit itself\n\nRules about containers, encodings and digests.\n";
  for (const auto& [id, rule] : ruleset.rules()) {
    bool in_detector = false;
    for (const detect::Detector* detector : ruleset.detectors()) {
      for (const detect::Rule& other : detector->rules) in_detector |= other.id == id;
    }
    if (in_detector || id.starts_with("yara.")) continue;
    text += fmt::format("\n### `{}`\n\n{}. Severity {}, confidence {}.\n\n{}\n\nWhat to do: {}\n", id, rule.title, name_of(rule.severity),
                        name_of(rule.confidence), rule.explanation, rule.remediation);
  }
  return text;
}

std::string json(const audit::Ruleset& ruleset) {
  JsonWriter writer;
  writer.begin_object().field("engine", audit::engine_version()).field("ruleset", ruleset.digest());
  writer.key("detectors").begin_array();
  for (const detect::Detector* detector : ruleset.detectors()) {
    writer.begin_object().field("name", detector->name).field("summary", detector->summary);
    std::vector<std::string> rules;
    for (const detect::Rule& rule : detector->rules) rules.emplace_back(rule.id);
    writer.key("rules").strings(rules).end_object();
  }
  writer.end_array().key("rules").begin_array();
  for (const auto& [id, rule] : ruleset.rules()) {
    writer.begin_object().field("id", id).field("category", name_of(rule.category)).field("severity", name_of(rule.severity));
    writer.field("confidence", name_of(rule.confidence)).field("title", rule.title).field("explanation", rule.explanation);
    writer.field("remediation", rule.remediation).key("attack").strings(rule.attack).end_object();
  }
  writer.end_array().end_object();
  return writer.take() + "\n";
}

}  // namespace

int run_rules(const RulesOptions& options) {
  const auto made = audit::Ruleset::make(options.rules);
  if (!made) {
    fmt::print(stderr, "lazaret: {}\n", escape(made.error().message));
    return exit_error;
  }
  const audit::Ruleset& ruleset = **made;
  if (!options.rule.empty()) {
    bool any = false;
    for (const auto& [id, rule] : ruleset.rules()) {
      if (!glob_match(options.rule, id)) continue;
      fmt::print("{}{}", any ? "\n" : "", in_full(rule));
      any = true;
    }
    if (!any) {
      fmt::print(stderr, "lazaret: no rule is called {}; `lazaret rules` lists all\n", escape(options.rule));
      return exit_error;
    }
    return 0;
  }
  if (options.format == "json") {
    fmt::print("{}", json(ruleset));
  } else if (options.format == "markdown") {
    fmt::print("{}", markdown(ruleset));
  } else {
    for (const auto& [id, rule] : ruleset.rules()) {
      fmt::print("{:<44} {:<9} {:<7} {}\n", id, name_of(rule.severity), name_of(rule.confidence), rule.title);
    }
    fmt::print("\n{} rules, {} detectors, ruleset {}\n`lazaret rules ID` explains one.\n", ruleset.rules().size(), ruleset.detectors().size(),
               ruleset.digest());
  }
  return 0;
}

}  // namespace lazaret::cli
