#include "cli/rule_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "audit/host_rules.h"
#include "detect/category_support.h"

namespace lazaret::cli {
namespace {

constexpr std::string_view made_by = "<!-- Made by `make docs` from the code; do not edit. -->\n";

// The text of a rule is ours, but a "|" would end a cell and "<x>" be taken for a tag.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string technique_links(const std::vector<std::string>& techniques) {
  std::string text;
  for (const std::string& technique : techniques) {
    std::string path = technique;
    if (const auto dot = path.find('.'); dot != std::string::npos) path[dot] = '/';
    text += fmt::format("{}[{}](https://attack.mitre.org/techniques/{}/)", text.empty() ? "" : ", ", technique, path);
  }
  return text;
}

// Rules that stand in several detectors name all of them; the audit's own name none.
std::map<std::string_view, std::vector<std::string>> detectors_by_rule(const audit::Ruleset& ruleset) {
  std::map<std::string_view, std::vector<std::string>> names;
  for (const detect::Detector* detector : ruleset.detectors()) {
    for (const detect::Rule& rule : detector->rules) names[rule.id].emplace_back(detector->name);
  }
  return names;
}

bool is_host_rule(std::string_view id) {
  const auto rules = audit::host_rules();
  return std::any_of(rules.begin(), rules.end(), [&](const detect::Rule& rule) { return rule.id == id; });
}

}  // namespace

std::vector<std::pair<std::string, std::string>> rule_pages(const audit::Ruleset& ruleset) {
  const auto detectors = detectors_by_rule(ruleset);
  std::map<detect::Category, std::vector<const audit::RuleDocument*>> by_category;
  for (const auto& [id, rule] : ruleset.rules()) {
    if (!id.starts_with("yara.")) by_category[rule.category].push_back(&rule);
  }

  std::vector<std::pair<std::string, std::string>> pages(1);
  std::string index = fmt::format("{}# What lazaret finds\n\nA page for each category of findings. `lazaret rules` lists all rules, `lazaret rules ID` explains one.\n\n| category | rules | what it is |\n|---|---|---|\n",
                      made_by);
  for (const auto& [category, rules] : by_category) {
    const detect::CategoryDocument& document = detect::document_of(category);
    const std::string name(detect::name_of(category));
    index += fmt::format("| [{}]({}.md) | {} | {} |\n", document.title, name, rules.size(), cell(document.summary));

    std::string page = fmt::format("{}# {}\n\nCategory `{}`. {}\n\nWhat would change the judgement, where a rule does not say it itself: {}\n\n| rule | severity | confidence | what it finds |\n|---|---|---|---|\n",
                                   made_by, document.title, name, cell(document.summary), cell(document.doubt));
    for (const audit::RuleDocument* rule : rules) {
      std::string anchor;
      for (const char c : rule->id) {
        if (c != '.') anchor.push_back(c);
      }
      page += fmt::format("| [`{}`](#{}) | {} | {} | {} |\n", rule->id, anchor, name_of(rule->severity), name_of(rule->confidence), cell(rule->title));
    }
    for (const audit::RuleDocument* rule : rules) {
      page += fmt::format("\n## `{}`\n\n{}\n\n{}\n\n- What to do: {}\n", rule->id, cell(rule->title), cell(rule->explanation), cell(rule->remediation));
      if (rule->doubt != document.doubt) page += fmt::format("- What would change the judgement: {}\n", cell(rule->doubt));
      page += fmt::format("- Severity {}, confidence {}", name_of(rule->severity), name_of(rule->confidence));
      if (!rule->attack.empty()) page += ", ATT&CK " + technique_links(rule->attack);
      if (const auto names = detectors.find(rule->id); names != detectors.end()) {
        page += names->second.size() == 1 ? "; detector" : "; detectors";
        for (const std::string& detector : names->second) page += fmt::format(" `{}`", detector);
      } else if (is_host_rule(rule->id)) {
        page += "; found by `lazaret check`";
      } else {
        page += "; found by the audit itself";
      }
      page += "\n";
    }
    pages.emplace_back(name + ".md", std::move(page));
  }
  index += "\n## Detectors\n\n| detector | what it looks for |\n|---|---|\n";
  for (const detect::Detector* detector : ruleset.detectors()) index += fmt::format("| `{}` | {} |\n", detector->name, cell(detector->summary));
  pages.front() = {"README.md", std::move(index)};
  return pages;
}

}  // namespace lazaret::cli
