// Findings as people read them: those of one rule together, what is the same for all told once.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "audit/report.h"

namespace lazaret::report {

// Findings of one rule, heaviest first. All have a weight, or none has.
struct FindingGroup {
  std::vector<const audit::Finding*> findings;

  const audit::Finding& first() const { return *findings.front(); }
  detect::Severity severity() const;  // the highest
};

// In the order of each group's first finding in the report; groups without weight last.
std::vector<FindingGroup> group_findings(const audit::Report& report);

// Evidence as it is shown (escaped, at most about 400 bytes), and the parts of it [from, to) that tell most: addresses, wallets and other
// indicators that the finding names.
struct ShownEvidence {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> marks;
  bool is_decoded = false;  // the text does not stand in the file like this
};
ShownEvidence evidence_of(const audit::Report& report, const audit::Finding& finding);

// "high confidence. It would be harmless if ..."
std::string certainty_of(const audit::Finding& finding);

}  // namespace lazaret::report
