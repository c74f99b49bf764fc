#include "host/subject.h"

#include <algorithm>
#include <cassert>

#include "detect/secret_support.h"
#include "format/shell.h"

namespace lazaret::host {
namespace {

// Command lines may be as long as their author likes.
constexpr std::size_t command_bytes = 256 << 10;

}  // namespace

std::string_view name_of(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::image: return "image";
    case SubjectKind::container: return "container";
    case SubjectKind::files: return "files";
    case SubjectKind::process: return "process";
    case SubjectKind::engine: return "engine";
  }
  return "";
}

std::size_t FindingWriter::index_of(const detect::Indicator& indicator) {
  auto& indicators = subject_.report.indicators;
  for (std::size_t i = 0; i < indicators.size(); ++i) {
    if (indicators[i].type == indicator.type && indicators[i].value == indicator.value) {
      indicators[i].validated |= indicator.validated;
      return i;
    }
  }
  indicators.push_back(indicator);
  return indicators.size() - 1;
}

void FindingWriter::put(audit::Finding finding) {
  const audit::RuleDocument* document = ruleset_.find(finding.rule);
  assert(document != nullptr);
  finding.category = document->category;
  finding.title = document->title;
  finding.explanation = document->explanation;
  finding.remediation = document->remediation;
  finding.doubt = document->doubt;
  finding.attack = document->attack;
  finding.context.reached = true;
  const std::string identity = std::string(name_of(subject_.kind)) + '\n' + subject_.store + '\n' + subject_.place + '\n' + subject_.id + '\n' + finding.rule + '\n' + finding.location.path + '\n' + finding.evidence;
  finding.id = sha256(as_bytes(identity)).hex().substr(0, 16);
  const auto& findings = subject_.report.findings;
  if (std::any_of(findings.begin(), findings.end(), [&](const audit::Finding& other) { return other.id == finding.id; })) return;
  finding.evidence = detect::redact_secrets(finding.evidence);
  subject_.report.findings.push_back(std::move(finding));
}

void FindingWriter::add(std::string_view rule, std::string path, std::string evidence, More more) {
  const audit::RuleDocument* document = ruleset_.find(rule);
  assert(document != nullptr);
  audit::Finding finding;
  finding.rule = rule;
  finding.severity = more.severity.value_or(document->severity);
  finding.confidence = more.confidence.value_or(document->confidence);
  finding.location.path = std::move(path);
  finding.evidence = std::move(evidence);
  finding.chain = std::move(more.chain);
  for (const detect::Indicator& indicator : more.indicators) finding.indicators.push_back(index_of(indicator));
  put(std::move(finding));
}

void FindingWriter::add(const audit::FileOutcome& outcome) {
  for (const audit::LayerFinding& from : outcome.findings) {
    if (ruleset_.find(from.rule) == nullptr) continue;
    audit::Finding finding;
    finding.rule = from.rule;
    finding.severity = from.severity;
    finding.confidence = from.confidence;
    finding.location.path = from.path;
    finding.location.offset = from.offset;
    finding.location.line = from.line;
    finding.location.nested = from.nested;
    finding.evidence = from.evidence;
    finding.chain = from.chain;
    for (const detect::Indicator& indicator : from.indicators) finding.indicators.push_back(index_of(indicator));
    put(std::move(finding));
  }
  for (const audit::LayerIncomplete& part : outcome.incomplete) subject_.report.incomplete.push_back({"", part.path, part.bytes, part.reason});
  for (const auto& [indicator, path] : outcome.indicators) index_of(indicator);
  subject_.report.bytes += outcome.bytes;
  subject_.report.files += outcome.files;
}

void audit_command(const audit::Ruleset& ruleset, const Limits& limits, const std::string& path, const std::vector<std::string>& arguments, Subject& subject) {
  std::string text = format::quote_arguments(arguments);
  if (text.empty()) return;
  if (text.size() > command_bytes) {
    subject.report.incomplete.push_back({"", path, text.size() - command_bytes, "the command is longer than what is looked at"});
    text.resize(command_bytes);
  }
  const format::ShellScript script = format::parse_shell(text);
  audit::FileInput input;
  input.path = path;
  input.content = as_bytes(text);
  input.file_size = text.size();
  input.type = {format::FileKind::script, format::Language::shell};
  input.origin = detect::Origin::config;
  input.script = &script;
  audit::FileOutcome outcome;
  audit::FileAuditor(ruleset, limits, outcome).audit(input);
  FindingWriter(ruleset, subject).add(outcome);
}

}  // namespace lazaret::host
