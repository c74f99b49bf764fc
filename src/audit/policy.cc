#include "audit/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <set>
#include <toml++/toml.h>
#include <tuple>

#include "base/embedded.h"
#include "base/text.h"

namespace lazaret {
std::span<const EmbeddedFile> embedded_policy();
}

namespace lazaret::audit {
namespace {

struct Reader {
  std::string file;
  std::string error;

  void fail(const toml::node& node, const std::string& what) {
    if (error.empty()) error = fmt::format("{}:{}: {}", file, node.source().begin.line, what);
  }

  void number(const toml::node& node, std::string_view key, int most, int& value) {
    const auto read = node.value<std::int64_t>();
    if (!read || !node.is_integer() || *read < 0 || *read > most) {
      fail(node, fmt::format("{} must be a whole number from 0 to {}", key, most));
      return;
    }
    value = static_cast<int>(*read);
  }

  // Reads a table whose keys are all known; an unknown one is an error, so that a misspelt setting cannot be ignored.
  void table(const toml::table& root, std::string_view name, const std::map<std::string, std::pair<int*, int>, std::less<>>& keys) {
    const toml::node* node = root.get(name);
    if (node == nullptr) return;
    const toml::table* table = node->as_table();
    if (table == nullptr) return fail(*node, fmt::format("{} must be a table", name));
    for (const auto& [key, value] : *table) {
      const auto known = keys.find(key.str());
      if (known == keys.end()) return fail(value, fmt::format("unknown key {}.{}", name, key.str()));
      number(value, key.str(), known->second.second, *known->second.first);
    }
  }
};

Result<Policy> parse_over(Policy policy, std::string_view text, std::string_view file_name) {
  Reader reader{std::string(file_name), ""};
  toml::table root;
  try {
    root = toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description())};
  }
  for (const auto& [key, value] : root) {
    static const std::set<std::string_view> known = {"verdict", "weights", "context", "category-limit", "rule-limit", "further"};
    if (!known.contains(key.str())) reader.fail(value, fmt::format("unknown table [{}]", key.str()));
  }
  reader.table(root, "verdict", {{"suspicious-from", {&policy.suspicious_from, 100}}, {"malicious-from", {&policy.malicious_from, 100}}});
  reader.table(root, "context",
               {{"reached", {&policy.reached, 200}}, {"package-file", {&policy.package_file, 200}},
                {"documentation", {&policy.documentation, 200}}, {"build-time", {&policy.build_time, 200}},
                {"other", {&policy.other, 200}}});
  reader.table(root, "further", {{"percent", {&policy.further_percent, 100}}, {"count", {&policy.further_count, 1000}}});

  if (const toml::node* node = root.get("weights"); node != nullptr && node->is_table()) {
    for (const auto& [key, value] : *node->as_table()) {
      const auto severity = detect::parse_severity(key.str());
      const toml::array* list = value.as_array();
      if (!severity || list == nullptr || list->size() != 3) {
        reader.fail(value, "weights are given as <severity> = [low, medium, high confidence]");
        continue;
      }
      for (std::size_t i = 0; i < 3; ++i) {
        reader.number(*list->get(i), key.str(), 100, policy.weights[static_cast<std::size_t>(*severity)][i]);
      }
    }
  }
  const auto limits = [&](std::string_view name, auto& map, bool categories) {
    const toml::node* node = root.get(name);
    if (node == nullptr) return;
    if (!node->is_table()) return reader.fail(*node, fmt::format("{} must be a table", name));
    for (const auto& [key, value] : *node->as_table()) {
      if (categories && !detect::parse_category(key.str())) {
        reader.fail(value, fmt::format("unknown category \"{}\"", key.str()));
        continue;
      }
      int limit = 0;
      reader.number(value, key.str(), 100, limit);
      map[std::string(key.str())] = limit;
    }
  };
  limits("category-limit", policy.category_limit, true);
  limits("rule-limit", policy.rule_limit, false);
  if (reader.error.empty() && policy.suspicious_from > policy.malicious_from) {
    reader.error = fmt::format("{}: verdict.suspicious-from must not be above verdict.malicious-from", file_name);
  }
  if (!reader.error.empty()) return Error{ErrorCode::invalid, reader.error};
  return policy;
}

// The context factor in percent, and its name for the reason.
std::pair<int, std::string_view> factor_of(const Policy& policy, const Finding& finding) {
  // A known-bad thing is known bad wherever it stands: a distribution may carry it (xz 5.6), a package may be forged.
  if (finding.category == detect::Category::known_bad && !finding.context.documentation) return {100, "known bad"};
  if (finding.context.reached) return {policy.reached, "started by the image"};
  if (finding.context.package_file) return {policy.package_file, "in an unmodified file of a distribution package"};
  if (finding.context.documentation) return {policy.documentation, "in documentation"};
  // A secret is read, not run: one in the history is as open as one in a file.
  if (finding.context.build_time && finding.category == detect::Category::exposed_secret) return {100, "readable in the build history"};
  if (finding.context.build_time) return {policy.build_time, "ran at build time only"};
  return {policy.other, ""};
}

int weigh(const Policy& policy, Finding& finding) {
  const int base = policy.weights[static_cast<std::size_t>(finding.severity)][static_cast<std::size_t>(finding.confidence)];
  const auto [percent, place] = factor_of(policy, finding);
  int weight = std::min(100, base * percent / 100);
  finding.reason = fmt::format("{}, {} confidence", name_of(finding.severity), name_of(finding.confidence));
  if (!place.empty()) finding.reason += fmt::format(", {}", place);
  if (finding.context.package_file) {
    finding.reason += finding.context.package_trust.empty() ? fmt::format(" ({})", finding.context.package)
                                                          : fmt::format(" ({}, {})", finding.context.package, finding.context.package_trust);
  }
  const auto limit = [&](const auto& limits, std::string_view key) {
    const auto found = limits.find(key);
    if (found != limits.end() && weight > found->second) {
      weight = found->second;
      finding.reason += fmt::format(", {} at the most by policy", found->second);
    }
  };
  limit(policy.category_limit, name_of(finding.category));
  limit(policy.rule_limit, finding.rule);
  return weight;
}

}  // namespace

const Policy& Policy::standard() {
  static const Policy policy = [] {
    Result<Policy> parsed = parse_over({}, embedded_policy().front().content(), "rules/policy.toml");
    assert(parsed.ok());
    return *parsed;
  }();
  return policy;
}

Result<Policy> Policy::parse(std::string_view toml, std::string_view file_name) {
  return parse_over(standard(), toml, file_name);
}

void judge(const Policy& policy, Report& report) {
  for (Finding& finding : report.findings) finding.weight = weigh(policy, finding);
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    if (a.severity != b.severity) return a.severity > b.severity;
    const auto place = [](const Finding& finding) {
      return std::tie(finding.location.layer, finding.location.path, finding.location.nested, finding.location.offset, finding.rule,
                      finding.id);
    };
    return place(a) < place(b);
  });

  int score = 0, further = 0;
  std::set<std::string_view> kinds;
  report.reasons.clear();
  for (const Finding& finding : report.findings) {
    if (finding.weight == 0 || !kinds.insert(finding.rule).second) continue;
    if (kinds.size() == 1) {
      score = finding.weight;
    } else if (further < policy.further_count) {
      score += finding.weight * policy.further_percent / 100;
      ++further;
    }
    if (report.reasons.size() < 5) report.reasons.push_back(fmt::format("{} ({})", finding.title, finding.reason));
  }
  // Many weak findings, or matters of policy, must not add up to proof: the score only passes the border of `malicious` together with a finding that comes near it alone and is not of a
  // category that the policy limits.
  int strongest = 0;
  for (const Finding& finding : report.findings) {
    if (!policy.category_limit.contains(name_of(finding.category))) strongest = std::max(strongest, finding.weight);
  }
  const int heaviest = report.findings.empty() ? 0 : report.findings.front().weight;
  if (heaviest < policy.malicious_from && strongest < policy.malicious_from * 3 / 4) score = std::min(score, policy.malicious_from - 1);
  report.score = std::min(score, 100);

  if (report.score >= policy.malicious_from) {
    report.verdict = Verdict::malicious;
  } else if (report.score >= policy.suspicious_from) {
    report.verdict = Verdict::suspicious;
  } else if (!report.incomplete.empty()) {
    report.verdict = Verdict::incomplete;
    report.reasons.push_back(fmt::format("{} part{} of the image could not be audited", report.incomplete.size(),
                                         report.incomplete.size() == 1 ? "" : "s"));
  } else {
    report.verdict = Verdict::clean;
  }
}

}  // namespace lazaret::audit
