#include "cli/ignore_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <tuple>
#include <toml++/toml.h>

#include "base/text.h"

namespace lazaret::cli {
namespace {

bool is_over(const toml::date& until) {
  const std::time_t now = std::time(nullptr);
  std::tm today{};
  gmtime_r(&now, &today);
  return std::tuple(today.tm_year + 1900, today.tm_mon + 1, today.tm_mday) >= std::tuple<int, int, int>(until.year, until.month, until.day);
}

}  // namespace

Result<IgnoreFile> IgnoreFile::parse(std::string_view text, std::string_view file_name) {
  toml::table root;
  try {
    root = toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description())};
  }
  IgnoreFile file;
  const auto problem = [&](const toml::node& node, std::string_view what) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {}", file_name, node.source().begin.line, what)};
  };
  for (const auto& [key, node] : root) {
    if (key.str() != "ignore" || !node.is_array_of_tables()) return problem(node, "only [[ignore]] entries may stand here");
    for (const toml::node& item : *node.as_array()) {
      const toml::table& table = *item.as_table();
      Entry entry;
      for (const auto& [name, value] : table) {
        if (name.str() == "until") {
          if (!value.is_date()) return problem(value, "until must be a date such as 2027-01-31");
          if (is_over(value.as_date()->get())) return problem(value, "this entry has run out: look at the finding again, then remove the entry or move the date");
          continue;
        }
        std::string* field = name.str() == "rule"     ? &entry.rule
                             : name.str() == "path"   ? &entry.path
                             : name.str() == "layer"  ? &entry.layer
                             : name.str() == "id"     ? &entry.id
                             : name.str() == "reason" ? &entry.reason
                                                      : nullptr;
        if (field == nullptr || !value.is_string()) {
          return problem(value, "an entry has the texts rule, path, layer, id and reason, and the date until");
        }
        *field = value.as_string()->get();
      }
      if (entry.reason.empty()) return problem(item, "an entry needs a reason");
      if (entry.rule.empty() && entry.id.empty()) return problem(item, "an entry needs a rule or a finding id");
      // With a path it still says what it is about.
      if (entry.rule.find_first_not_of("*?") == std::string::npos && entry.id.empty() && entry.path.find_first_not_of("*?/") == std::string::npos) {
        return problem(item, "an entry that fits everything would ignore every finding: name a rule, a path or a finding id");
      }
      file.entries_.push_back(std::move(entry));
    }
  }
  return file;
}

void IgnoreFile::apply(const audit::Policy& policy, audit::Report& report) const {
  if (entries_.empty()) return;
  std::vector<std::size_t> used(entries_.size());
  std::erase_if(report.findings, [&](const audit::Finding& finding) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      if ((entry.rule.empty() || glob_match(entry.rule, finding.rule)) && (entry.path.empty() || glob_match(entry.path, finding.location.path)) &&
          (entry.layer.empty() || entry.layer == finding.location.layer) && (entry.id.empty() || entry.id == finding.id)) {
        ++used[i];
        return true;
      }
    }
    return false;
  });
  audit::judge(policy, report);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::string name = entries_[i].rule.empty() ? entries_[i].id : entries_[i].rule;
    report.reasons.push_back(used[i] == 0 ? fmt::format("the ignore entry for {} fits nothing: remove it", name)
                                          : fmt::format("{} finding{} ignored ({}): {}", used[i], used[i] == 1 ? "" : "s", name, entries_[i].reason));
  }
}

}  // namespace lazaret::cli
