// SARIF 2.1.0 (OASIS), for code-scanning pages and CI.
//
// An image has no source tree, so a result's artifact location is the path inside the image as a relative URI under the base "ROOTFS", and the
// layer is a logical location. Attacker text goes through the JSON writer and, in messages, through escape().
#include <fmt/format.h>

#include <map>

#include "base/json_writer.h"
#include "base/text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

std::string_view level_of(detect::Severity severity) {
  switch (severity) {
    case detect::Severity::critical:
    case detect::Severity::high: return "error";
    case detect::Severity::medium: return "warning";
    default: return "note";
  }
}

// RFC 3986: everything but unreserved characters and '/' is percent-encoded.
std::string relative_uri(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  std::string uri;
  for (const char c : path) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~/").find(c) != std::string_view::npos) {
      uri.push_back(c);
    } else {
      uri += fmt::format("%{:02X}", static_cast<std::uint8_t>(c));
    }
  }
  return uri.empty() ? "image" : uri;
}

void write_rule(JsonWriter& json, const audit::RuleDocument& rule) {
  json.begin_object().field("id", rule.id).field("name", rule.id);
  json.key("shortDescription").begin_object().field("text", escape(rule.title)).end_object();
  json.key("fullDescription").begin_object().field("text", escape(rule.explanation)).end_object();
  json.key("help").begin_object();
  json.field("text", fmt::format("What to do: {} What would change the judgement: {}", escape(rule.remediation), escape(rule.doubt)));
  json.end_object();
  json.key("defaultConfiguration").begin_object().field("level", level_of(rule.severity)).end_object();
  json.key("properties").begin_object();
  std::vector<std::string> tags = {"security", std::string(detect::name_of(rule.category))};
  for (const std::string& technique : rule.attack) tags.push_back("attack." + technique);
  json.key("tags").strings(tags);
  static constexpr const char* scores[] = {"0.0", "3.0", "5.5", "8.0", "9.8"};
  json.field("security-severity", scores[static_cast<std::size_t>(rule.severity)]);
  json.field("precision", rule.confidence == detect::Confidence::high ? "high" : rule.confidence == detect::Confidence::medium ? "medium" : "low");
  json.end_object().end_object();
}

void write_result(JsonWriter& json, const audit::Report& report, const audit::Finding& finding, std::size_t rule_index) {
  json.begin_object().field("ruleId", finding.rule).field("ruleIndex", rule_index);
  // A finding that the policy gives no weight is no problem to solve.
  json.field("kind", finding.weight == 0 ? "informational" : "fail");
  json.field("level", finding.weight == 0 ? std::string_view("none") : level_of(finding.severity));
  json.key("message").begin_object();
  json.field("text", fmt::format("{}: {}. {}", escape(finding.title), place_of(finding), escape(finding.evidence, 300))).end_object();
  json.key("locations").begin_array().begin_object();
  json.key("physicalLocation").begin_object();
  json.key("artifactLocation").begin_object().field("uri", relative_uri(finding.location.path)).field("uriBaseId", "ROOTFS").end_object();
  if (finding.location.line > 0 && finding.location.nested.empty()) {
    json.key("region").begin_object().field("startLine", finding.location.line);
    json.key("snippet").begin_object().field("text", escape(finding.evidence, 400)).end_object().end_object();
  }
  json.end_object();
  json.key("logicalLocations").begin_array().begin_object();
  json.field("fullyQualifiedName", fmt::format("{}{}{}", escape(report.target), finding.location.layer.empty() ? "" : "/", finding.location.layer));
  json.field("kind", finding.location.layer.empty() ? "image" : "layer").end_object().end_array();
  json.end_object().end_array();
  json.key("partialFingerprints").begin_object().field("lazaretFindingId/v1", finding.id).end_object();
  json.key("properties").begin_object();
  json.field("confidence", detect::name_of(finding.confidence)).field("weight", finding.weight).field("reason", escape(finding.reason));
  json.key("nested").strings(finding.location.nested).key("chain").strings(finding.chain);
  json.end_object().end_object();
}

}  // namespace

std::string to_sarif(const std::vector<audit::Report>& reports, const audit::Ruleset& ruleset) {
  std::map<std::string, std::size_t> rules;  // only those that are used, in the order of their ids
  for (const audit::Report& report : reports) {
    for (const audit::Finding& finding : report.findings) rules.emplace(finding.rule, 0);
  }
  std::size_t number = 0;
  for (auto& [id, index] : rules) index = number++;

  JsonWriter json;
  json.begin_object().field("$schema", "https://json.schemastore.org/sarif-2.1.0.json").field("version", "2.1.0");
  json.key("runs").begin_array().begin_object();
  json.key("tool").begin_object().key("driver").begin_object();
  json.field("name", "lazaret").field("version", audit::engine_version()).field("semanticVersion", audit::engine_version());
  json.key("rules").begin_array();
  for (const auto& [id, index] : rules) {
    if (const audit::RuleDocument* rule = ruleset.find(id)) write_rule(json, *rule);
  }
  json.end_array().end_object().end_object();

  bool complete = true;
  for (const audit::Report& report : reports) complete &= report.incomplete.empty();
  json.key("invocations").begin_array().begin_object().field("executionSuccessful", true);
  json.key("toolExecutionNotifications").begin_array();
  for (const audit::Report& report : reports) {
    for (const audit::Incomplete& part : report.incomplete) {
      json.begin_object().field("level", "warning").key("message").begin_object();
      json.field("text", fmt::format("not audited in {}: {}: {}", escape(report.target), part.path.empty() ? "the image" : escape(part.path), escape(part.reason)));
      json.end_object().end_object();
    }
  }
  json.end_array().end_object().end_array();
  json.key("originalUriBaseIds").begin_object().key("ROOTFS").begin_object();
  json.key("description").begin_object().field("text", "The root of the image's file system").end_object().end_object().end_object();
  json.key("results").begin_array();
  for (const audit::Report& report : reports) {
    for (const audit::Finding& finding : report.findings) write_result(json, report, finding, rules.at(finding.rule));
  }
  json.end_array();
  json.key("properties").begin_object().field("complete", complete).field("ruleset", ruleset.digest());
  json.key("images").begin_array();
  for (const audit::Report& report : reports) {
    json.begin_object().field("target", report.target).field("digest", report.image_digest).field("verdict", audit::name_of(report.verdict));
    const auto [base, added] = audit::lineage_of(report);
    json.field("base", audit::describe_lineage(base, added));
    json.field("score", report.score).end_object();
  }
  json.end_array().end_object();
  json.end_object().end_array().end_object();
  return json.take() + "\n";
}

}  // namespace lazaret::report
