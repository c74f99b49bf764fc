// Findings -> weights -> score -> verdict, with reasons.
//
// What a finding weighs depends on what it is (severity and confidence of its rule), and on where it stands. The same line is proof in a script
// that the entrypoint runs, means nothing in an unmodified file of a distribution package, and next to nothing under /usr/share/doc.
// docs/policy.md describes the file form; rules/policy.toml is the default and is compiled in.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/report.h"
#include "base/result.h"

namespace lazaret::audit {

struct Policy {
  // Weight (0..100) by severity and confidence, before context.
  std::array<std::array<int, 3>, 5> weights{};
  // Factors, in percent.
  int package_file = 0;      // in an unmodified file of a package, not started by the image itself
  int documentation = 0;     // under a documentation path, not started by the image itself
  int build_time = 0;        // in the history only
  int reached = 100;         // started by the entrypoint, cron, ...
  int other = 100;           // anything else
  // The most a finding of a category can weigh: matters of policy and oddities are never malicious by themselves.
  std::map<std::string, int, std::less<>> category_limit;
  // The same for single rules.
  std::map<std::string, int, std::less<>> rule_limit;
  // What each further kind of finding adds to the score, in percent of its weight, and how many of them count.
  int further_percent = 0, further_count = 0;
  int suspicious_from = 0, malicious_from = 0;

  static const Policy& standard();
  // An error names the line and what may stand there.
  static Result<Policy> parse(std::string_view toml, std::string_view file_name);
};

// Sets weight and reason of every finding, orders them, and sets verdict, score and reasons of the report.
void judge(const Policy& policy, Report& report);

}  // namespace lazaret::audit
