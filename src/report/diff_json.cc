#include "base/json_writer.h"
#include "report/diff_writer.h"

namespace lazaret::report {
namespace {

void write_side(JsonWriter& json, const char* name, const audit::Report& report) {
  json.key(name).begin_object();
  json.field("target", report.target).field("digest", report.image_digest);
  json.field("verdict", audit::name_of(report.verdict)).field("score", report.score);
  json.field("complete", report.incomplete.empty());
  json.end_object();
}

void write_file(JsonWriter& json, const audit::FileChange& file) {
  json.begin_object().field("change", audit::name_of(file.change)).field("path", file.path).field("kind", file.kind);
  json.key("aspects").strings(file.aspects);
  json.field("old_size", file.old_size).field("new_size", file.new_size).field("mode", file.mode);
  json.field("program", file.is_program).field("started", file.is_started);
  json.field("package", file.package).field("package_is_same", file.package_is_same).end_object();
}

void write_platform(JsonWriter& json, const audit::PlatformDiff& platform) {
  json.begin_object();
  json.field("old_platform", platform.old_platform).field("new_platform", platform.new_platform);
  json.field("old_digest", platform.old_digest).field("new_digest", platform.new_digest);
  json.key("files").begin_object();
  json.field("added", platform.files_added).field("removed", platform.files_removed).field("changed", platform.files_changed);
  json.field("bookkeeping", platform.bookkeeping).field("cut", platform.cut);
  json.key("list").begin_array();
  for (const audit::FileChange& file : platform.files) write_file(json, file);
  json.end_array().end_object();
  json.key("packages").begin_array();
  for (const audit::PackageChange& package : platform.packages) {
    json.begin_object().field("change", audit::name_of(package.change)).field("manager", package.manager).field("name", package.name);
    json.field("architecture", package.architecture).field("old_version", package.old_version).field("new_version", package.new_version);
    json.field("files_added", package.files_added).field("files_removed", package.files_removed).field("files_changed", package.files_changed).end_object();
  }
  json.end_array().key("config").begin_array();
  for (const audit::ConfigChange& change : platform.config) {
    json.begin_object().field("field", change.field).field("old", change.old_value).field("new", change.new_value).end_object();
  }
  json.end_array().key("abilities").begin_array();
  for (const audit::AbilityChange& change : platform.abilities) {
    json.begin_object().field("change", audit::name_of(change.change)).field("kind", change.ability.kind).field("what", change.ability.what);
    json.field("path", change.ability.path).field("detail", change.ability.detail).field("package", change.package).end_object();
  }
  json.end_array().key("scripts").begin_array();
  for (const audit::ScriptChange& script : platform.scripts) {
    json.begin_object().field("change", audit::name_of(script.change)).field("path", script.path);
    json.key("lines").strings(script.lines).field("more", script.more).end_object();
  }
  json.end_array().end_object();
}

void write_finding(JsonWriter& json, const audit::FindingChange& change, const audit::Report& report) {
  const audit::Finding& finding = change.finding;
  json.begin_object().field("change", audit::name_of(change.change)).field("id", finding.id).field("rule", finding.rule);
  json.field("category", detect::name_of(finding.category)).field("severity", detect::name_of(finding.severity));
  json.field("confidence", detect::name_of(finding.confidence)).field("title", finding.title).field("explanation", finding.explanation);
  json.field("remediation", finding.remediation).field("doubt", finding.doubt).key("attack").strings(finding.attack);
  json.field("layer", finding.location.layer).field("path", finding.location.path).field("line", finding.location.line);
  json.key("nested").strings(finding.location.nested);
  json.field("evidence", finding.evidence).field("old_evidence", change.old_evidence).key("chain").strings(finding.chain);
  json.key("indicators").begin_array();
  for (const std::size_t index : finding.indicators) {
    json.begin_object().field("type", report.indicators[index].type).field("value", report.indicators[index].value).end_object();
  }
  json.end_array().field("weight", finding.weight).field("reason", finding.reason).end_object();
}

}  // namespace

std::string to_json(const audit::ImageDiff& diff) {
  JsonWriter json;
  json.begin_object().field("schema", "lazaret.diff/v1");
  json.field("risk", audit::name_of_risk(diff.risk())).field("risk_line", risk_line_of(diff));
  write_side(json, "old", diff.old_report);
  write_side(json, "new", diff.new_report);
  json.key("risks").begin_array();
  for (const audit::Risk& risk : diff.risks) {
    json.begin_object().field("severity", audit::name_of_risk(risk.severity)).field("code", risk.code).field("text", risk.text).field("path", risk.path);
    json.key("platforms").strings(risk.platforms).end_object();
  }
  json.end_array().key("platforms").begin_array();
  for (const audit::PlatformDiff& platform : diff.platforms) write_platform(json, platform);
  json.end_array().key("findings").begin_array();
  for (const audit::FindingChange& change : diff.findings) {
    write_finding(json, change, change.change == audit::Change::removed ? diff.old_report : diff.new_report);
  }
  json.end_array();
  json.key("engine").begin_object().field("version", diff.new_report.engine_version).field("ruleset", diff.new_report.ruleset).end_object();
  json.end_object();
  return json.take() + "\n";
}

}  // namespace lazaret::report
