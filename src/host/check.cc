#include "host/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "host/store_check.h"

namespace lazaret::host {
namespace {

int rank(audit::Verdict verdict) {
  switch (verdict) {
    case audit::Verdict::clean: return 0;
    case audit::Verdict::incomplete: return 1;
    case audit::Verdict::suspicious: return 2;
    case audit::Verdict::malicious: return 3;
  }
  return 0;
}

// Each subject by itself: what is wrong with one container says nothing of another, so that weak findings of many do not add up.
void judge_all(const CheckMachine& machine, CheckReport& report) {
  for (Subject& subject : report.subjects) {
    audit::judge(machine.policy, subject.report);
    if (machine.ignore) machine.ignore(subject.report);
  }
  std::stable_sort(report.subjects.begin(), report.subjects.end(), [](const Subject& a, const Subject& b) {
    if (rank(a.report.verdict) != rank(b.report.verdict)) return rank(a.report.verdict) > rank(b.report.verdict);
    return a.report.score > b.report.score;
  });
  for (const Subject& subject : report.subjects) {
    if (rank(subject.report.verdict) > rank(report.verdict)) report.verdict = subject.report.verdict;
    report.score = std::max(report.score, subject.report.score);
    if (rank(subject.report.verdict) >= rank(audit::Verdict::suspicious) && report.reasons.size() < 5 && !subject.report.reasons.empty())
      report.reasons.push_back(fmt::format("{} {}: {}", name_of(subject.kind), subject.name, subject.report.reasons.front()));
  }
  if (!report.not_looked_at.empty() && report.verdict == audit::Verdict::clean) report.verdict = audit::Verdict::incomplete;
  if (report.verdict == audit::Verdict::incomplete && report.reasons.empty()) report.reasons.push_back("not everything could be looked at");
}

}  // namespace

Result<CheckReport> check_host(const CheckOptions& options, const CheckMachine& machine) {
  auto root = HostRoot::open(options.root);
  if (!root) return root.error();
  CheckReport report;
  report.root = options.root;
  report.engine_version = audit::engine_version();
  report.ruleset = machine.ruleset->digest();

  auto places = find_stores(*root, options.stores);
  if (!places) return places.error();
  for (auto& unread : places->unread) report.not_looked_at.push_back(std::move(unread));
  StoreCheck stores(options, machine, report);
  for (StorePlace& place : places->stores) {
    if (const auto done = stores.look_at(std::move(place)); !done) return done.error();
  }
  stores.relate();

  judge_all(machine, report);
  return report;
}

}  // namespace lazaret::host
