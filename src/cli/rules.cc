// lazaret rules: what can be found, and what each finding means.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "audit/ruleset.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/rule_pages.h"

namespace lazaret::cli {
namespace {

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string in_full(const audit::RuleDocument& rule) {
  return fmt::format("{}\n  {}\n\n  category    {}\n  severity    {}\n  confidence  {}\n  ATT&CK      {}\n\n  {}\n\n  What to do: {}\n\n  What would change the judgement: {}\n", rule.id,
                     rule.title, name_of(rule.category), name_of(rule.severity), name_of(rule.confidence), join(rule.attack), rule.explanation,
                     rule.remediation, rule.doubt);
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
    writer.field("remediation", rule.remediation).field("doubt", rule.doubt).key("attack").strings(rule.attack).end_object();
  }
  writer.end_array().end_object();
  return writer.take() + "\n";
}

}  // namespace

int run_rules(const RulesOptions& options) {
  if (!options.output_folder.empty() && options.format != "markdown") return fail("--output-folder goes with --format markdown");
  const auto made = audit::Ruleset::make(options.rules);
  if (!made) {
    return fail(made.error().message);
  }
  const audit::Ruleset& ruleset = **made;
  if (ruleset.yara() != nullptr && ruleset.yara()->statistics().rules_run_always > 0) {
    fmt::print(stderr, "lazaret: {} of {} YARA rules are in files whose syntax lazaret does not understand; libyara runs them on every file\n",
               ruleset.yara()->statistics().rules_run_always, ruleset.yara()->statistics().rules);
  }
  if (!options.rule.empty()) {
    bool any = false;
    for (const auto& [id, rule] : ruleset.rules()) {
      if (!glob_match(options.rule, id)) continue;
      fmt::print("{}{}", any ? "\n" : "", in_full(rule));
      any = true;
    }
    if (!any) {
      return fail(fmt::format("no rule is called {}; `lazaret rules` lists all", options.rule));
    }
    return 0;
  }
  if (options.format == "json") {
    fmt::print("{}", json(ruleset));
  } else if (options.format == "markdown") {
    const auto pages = rule_pages(ruleset);
    if (options.output_folder.empty()) {
      for (const auto& [name, text] : pages) fmt::print("{}\n", text);
    } else {
      std::error_code error;
      std::filesystem::create_directories(options.output_folder, error);
      for (const auto& [name, text] : pages) {
        if (!write_output(options.output_folder + "/" + name, text)) return exit_error;
      }
    }
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
