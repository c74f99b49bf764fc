#include "report/finding_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"

namespace lazaret::report {
namespace {

constexpr std::size_t evidence_bytes = 400;

// Steps that turn what stands in a file into other text.
bool is_decoding(std::string_view step) {
  for (const std::string_view each : {"base64", "base32", "hex", "gzip", "xz", "bzip2", "zlib", "rot13", "xor", "reversed", "url-encoded"}) {
    if (step == each) return true;
  }
  return false;
}

}  // namespace

detect::Severity FindingGroup::severity() const {
  return (*std::max_element(findings.begin(), findings.end(), [](const auto* a, const auto* b) { return a->severity < b->severity; }))->severity;
}

std::vector<FindingGroup> group_findings(const audit::Report& report) {
  std::vector<FindingGroup> groups;
  for (const bool weighty : {true, false}) {
    std::map<std::string_view, std::size_t> by_rule;
    for (const audit::Finding& finding : report.findings) {
      if ((finding.weight > 0) != weighty) continue;
      const auto [known, is_new] = by_rule.emplace(finding.rule, groups.size());
      if (is_new) groups.emplace_back();
      groups[known->second].findings.push_back(&finding);
    }
  }
  return groups;
}

ShownEvidence evidence_of(const audit::Report& report, const audit::Finding& finding) {
  ShownEvidence shown;
  shown.text = escape(finding.evidence, evidence_bytes);
  // Some evidence already shows both, as it stands and what it means.
  const bool shows_both = finding.evidence.find("  =>  ") != std::string::npos;
  for (const std::string& step : finding.chain) shown.is_decoded |= !shows_both && is_decoding(step);
  for (const std::size_t index : finding.indicators) {
    std::string value = escape(report.indicators[index].value);
    auto at = shown.text.find(value);
    if (at == std::string::npos) {
      // The text may join host and port otherwise: /dev/tcp/203.0.113.7/4444.
      value = value.substr(0, value.rfind(':'));
      if (value.size() >= 4) at = shown.text.find(value);
    }
    if (at != std::string::npos && !value.empty()) shown.marks.emplace_back(at, at + value.size());
  }
  std::sort(shown.marks.begin(), shown.marks.end());
  std::vector<std::pair<std::size_t, std::size_t>> merged;
  for (const auto& mark : shown.marks) {
    if (!merged.empty() && mark.first <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, mark.second);
    } else {
      merged.push_back(mark);
    }
  }
  shown.marks = std::move(merged);
  return shown;
}

std::string certainty_of(const audit::Finding& finding) { return fmt::format("{} confidence. {}", detect::name_of(finding.confidence), finding.doubt); }

}  // namespace lazaret::report
