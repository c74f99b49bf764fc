#include "base/json_writer.h"
#include "report/report_parts.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

void write_base(JsonWriter& json, const audit::Report::Base& base, const audit::Report::Added& added) {
  json.key("base").begin_object();
  json.field("reference", base.reference).field("digest", base.digest).field("chain_id", base.chain_id).field("layers", base.layers).field("known", base.known());
  json.end_object();
  json.key("added").begin_object().field("layers", added.layers).field("files", added.files).end_object();
}

void write_image(JsonWriter& json, const audit::Report& report) {
  json.key("image").begin_object();
  json.field("digest", report.image_digest).field("media_type", report.image_media_type);
  json.key("manifests").begin_array();
  for (const auto& manifest : report.manifests) {
    json.begin_object();
    json.field("digest", manifest.digest).field("platform", manifest.platform).field("config", manifest.config);
    json.key("layers").begin_array();
    for (const auto& layer : manifest.layers) {
      json.begin_object();
      json.field("digest", layer.digest).field("diff_id", layer.diff_id).field("size", layer.size);
      json.field("media_type", layer.media_type).field("created_by", layer.created_by);
      json.end_object();
    }
    json.end_array();
    write_base(json, manifest.base, manifest.added);
    json.key("packages").begin_array();
    for (const auto& packages : manifest.packages) {
      json.begin_object().field("manager", packages.manager).field("known_base", packages.known_base).field("self_declared", packages.self_declared);
      json.field("not_believed", packages.not_believed).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

void write_report(JsonWriter& json, const audit::Report& report) {
  json.begin_object();
  json.field("schema", "lazaret.report/v1").field("target", report.target);
  json.field("verdict", audit::name_of(report.verdict)).field("score", report.score);
  json.key("reasons").strings(report.reasons);
  write_image(json, report);
  // Of the image as a whole: what is true of all its platforms.
  const auto lineage = audit::lineage_of(report);
  write_base(json, lineage.first, lineage.second);
  json.key("findings").begin_array();
  for (const audit::Finding& finding : report.findings) write_finding(json, finding);
  json.end_array();
  json.key("indicators").begin_array();
  for (const detect::Indicator& indicator : report.indicators) write_indicator(json, indicator);
  json.end_array();
  json.key("coverage").begin_object();
  json.field("bytes", report.bytes).field("files", report.files);
  json.key("incomplete").begin_array();
  for (const audit::Incomplete& part : report.incomplete) write_incomplete(json, part);
  json.end_array().end_object();
  json.key("engine").begin_object().field("version", report.engine_version).field("ruleset", report.ruleset).end_object();
  json.end_object();
}

}  // namespace

void write_finding(JsonWriter& json, const audit::Finding& finding) {
  json.begin_object();
  json.field("id", finding.id).field("rule", finding.rule).field("category", detect::name_of(finding.category));
  json.field("severity", detect::name_of(finding.severity)).field("confidence", detect::name_of(finding.confidence));
  json.field("title", finding.title).field("explanation", finding.explanation);
  json.key("attack").strings(finding.attack);
  json.field("remediation", finding.remediation).field("doubt", finding.doubt);

  const audit::Location& location = finding.location;
  json.key("location").begin_object();
  json.field("manifest", location.manifest).field("layer", location.layer).field("path", location.path);
  json.field("offset", location.offset).field("line", location.line).field("in_final_rootfs", location.in_final_rootfs);
  json.key("nested").strings(location.nested);
  json.end_object();

  json.field("evidence", finding.evidence);
  json.key("chain").strings(finding.chain);
  json.key("indicators").begin_array();
  for (const std::size_t index : finding.indicators) json.value(index);
  json.end_array();

  json.key("context").begin_object();
  json.field("reached", finding.context.reached).field("package", finding.context.package).field("package_trust", finding.context.package_trust);
  json.field("package_file", finding.context.package_file).field("documentation", finding.context.documentation);
  json.field("build_time", finding.context.build_time);
  json.end_object();
  json.field("weight", finding.weight).field("reason", finding.reason);
  json.end_object();
}

void write_indicator(JsonWriter& json, const detect::Indicator& indicator) {
  json.begin_object().field("type", indicator.type).field("value", indicator.value).field("validated", indicator.validated).end_object();
}

void write_incomplete(JsonWriter& json, const audit::Incomplete& part) {
  json.begin_object().field("layer", part.layer).field("path", part.path).field("bytes", part.bytes).field("reason", part.reason);
  json.end_object();
}

std::string to_json(const std::vector<audit::Report>& reports, bool as_array) {
  JsonWriter json;
  if (as_array) json.begin_array();
  for (const audit::Report& report : reports) write_report(json, report);
  if (as_array) json.end_array();
  return json.take() + "\n";
}

}  // namespace lazaret::report
