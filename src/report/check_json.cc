#include "base/json_writer.h"
#include "report/check_writer.h"
#include "report/report_parts.h"

namespace lazaret::report {
namespace {

void write_subject(JsonWriter& json, const host::Subject& subject) {
  const audit::Report& report = subject.report;
  json.begin_object();
  json.field("kind", host::name_of(subject.kind)).field("name", subject.name).field("id", subject.id).field("store", subject.store).field("place", subject.place);
  json.field("state", subject.state).field("target", subject.target).field("digest", report.image_digest);
  json.field("verdict", audit::name_of(report.verdict)).field("score", report.score);
  json.key("reasons").strings(report.reasons);
  json.key("findings").begin_array();
  for (const audit::Finding& finding : report.findings) write_finding(json, finding);
  json.end_array().field("findings_left_out", subject.left_out);
  json.key("indicators").begin_array();
  for (const detect::Indicator& indicator : report.indicators) write_indicator(json, indicator);
  json.end_array();
  json.key("coverage").begin_object().field("bytes", report.bytes).field("files", report.files);
  json.key("incomplete").begin_array();
  for (const audit::Incomplete& part : report.incomplete) write_incomplete(json, part);
  json.end_array().end_object();
  json.end_object();
}

}  // namespace

std::string to_json(const host::CheckReport& report) {
  JsonWriter json;
  json.begin_object();
  json.field("schema", "lazaret.check/v1").field("root", report.root).field("verdict", audit::name_of(report.verdict)).field("score", report.score);
  json.key("reasons").strings(report.reasons);
  json.key("subjects").begin_array();
  for (const host::Subject& subject : report.subjects) write_subject(json, subject);
  json.end_array();
  json.key("looked_at").begin_array();
  for (const auto& looked : report.looked_at) json.begin_object().field("what", looked.what).field("place", looked.place).field("count", looked.count).end_object();
  json.end_array();
  json.key("not_looked_at").begin_array();
  for (const auto& [what, why] : report.not_looked_at) json.begin_object().field("what", what).field("why", why).end_object();
  json.end_array();
  json.key("engine").begin_object().field("version", report.engine_version).field("ruleset", report.ruleset).end_object();
  json.end_object();
  return json.take() + "\n";
}

}  // namespace lazaret::report
