#include "host/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "host/engine_check.h"
#include "host/files_check.h"
#include "host/process_check.h"
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

// What a malicious image names, and a file, process or container of the host names too: the image was run here. Only what is rare enough to tie them counts.
void relate_indicators(const CheckMachine& machine, CheckReport& report) {
  std::map<std::pair<std::string, std::string>, std::string> of_images;  // to the image's name
  for (const Subject& subject : report.subjects) {
    if (subject.kind != SubjectKind::image) continue;
    audit::Report judged = subject.report;
    audit::judge(machine.policy, judged);
    if (judged.verdict != audit::Verdict::malicious) continue;
    for (const audit::Finding& finding : judged.findings) {
      if (finding.weight < machine.policy.suspicious_from) continue;
      for (const std::size_t index : finding.indicators) {
        const detect::Indicator& indicator = judged.indicators[index];
        if (indicator.type == "c2" || indicator.type == "ssh-key" || indicator.type == "url" || indicator.type == "login" || indicator.type.starts_with("wallet.")) of_images.emplace(std::pair(indicator.type, indicator.value), subject.name);
      }
    }
  }
  if (of_images.empty()) return;
  for (Subject& subject : report.subjects) {
    if (subject.kind == SubjectKind::image || subject.kind == SubjectKind::container) continue;
    const std::vector<detect::Indicator> indicators = subject.report.indicators;
    for (const detect::Indicator& indicator : indicators) {
      const auto image = of_images.find({indicator.type, indicator.value});
      if (image != of_images.end()) FindingWriter(*machine.ruleset, subject).add("known-bad.shared-indicator", "", fmt::format("{} {} stands in {} too", indicator.type, indicator.value, image->second), {{}, {indicator}, {}, {}});
    }
  }
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
  if (const auto done = check_files(*root, machine, report); !done) return done.error();
  if (machine.progress) machine.progress("processes");
  ProcessList processes = read_processes(*root);
  const auto sockets = read_sockets(*root, processes);
  check_engines(*root, machine, processes, sockets, report);
  ProcessCheck(*root, machine, report).look(processes, sockets);
  relate_indicators(machine, report);

  judge_all(machine, report);
  return report;
}

}  // namespace lazaret::host
