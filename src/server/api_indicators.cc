// Indicators of all images, and known incidents that can be imported.
#include "base/time.h"
#include "detect/incident_data_support.h"
#include "intel/weights.h"
#include "server/api_answer.h"
#include "server/api_resources.h"
#include "server/intelligence.h"

namespace lazaret::server {
namespace {

constexpr std::size_t images_shown = 1000;

net::Response indicators(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  const std::string kind = call.query("type").value_or("");
  const auto bar = page.after().find('\n');
  const std::string after_kind = page.after().substr(0, bar), after_value = bar == std::string::npos ? "" : page.after().substr(bar + 1);
  std::vector<store::IndicatorCounts> list;
  const auto read = call.services.intelligence.store().read([&](store::IndicatorReader& reader) { list = reader.indicators(kind, after_kind, after_value, page.limit() + 1); });
  if (!read) return answer(call, read.error());
  const bool more = list.size() > page.limit();
  if (more) list.pop_back();
  for (const store::IndicatorCounts& counts : list) {
    const intel::Kind* known = intel::find_kind(counts.kind);
    page.json().begin_object().field("type", counts.kind).field("value", counts.value).field("publishers", counts.publishers).field("innocent_publishers", counts.innocent_publishers);
    page.json().field("rarity", known == nullptr ? 0 : intel::rarity(*known, counts)).end_object();
  }
  return page.answer(more ? std::optional(list.back().kind + "\n" + list.back().value) : std::nullopt);
}

net::Response images(ApiCall& call) {
  const std::string kind = call.query("type").value_or(""), value = call.query("value").value_or("");
  if (kind.empty() || value.empty()) return answer({400, "A parameter is missing", "type and value name the indicator", "", kind.empty() ? "type" : "value"});
  JsonWriter json(0);
  bool found = false;
  const auto read = call.services.intelligence.store().read([&](store::IndicatorReader& reader) {
    const auto counts = reader.indicator(kind, value);
    if (!counts) return;
    found = true;
    json.begin_object().key("items").begin_array();
    for (const store::Posting& posting : reader.postings(counts->id, false, images_shown)) {
      const auto node = reader.node(posting.node);
      if (!node || node->incident) continue;
      json.begin_object().field("digest", node->name).field("verdict", node->verdict).field("convicted", node->bad).field("campaign", node->campaign).field("flagged", posting.flagged);
      json.key("repositories").begin_array();
      for (const store::NodePlace& place : reader.places_of(node->id)) json.begin_object().field("publisher", place.publisher).field("repository", place.repository).end_object();
      json.end_array().end_object();
    }
    json.end_array().end_object();
  });
  if (!read) return answer(call, read.error());
  return found ? answer_json(200, std::move(json)) : not_found("such indicator");
}

net::Response incidents(ApiCall& call) {
  JsonWriter json(0);
  json.begin_object().key("items").begin_array();
  for (const auto& incident : detect::incident_data().incidents) {
    json.begin_object().field("id", incident->id).field("title", incident->title).field("imported", incident->imported).field("first_seen", incident->first_seen);
    json.field("last_seen", incident->last_seen).end_object();
  }
  json.end_array().end_object();
  (void)call;
  return answer_json(200, std::move(json));
}

net::Response import(ApiCall& call) {
  BodyFields body(call.body);
  const std::string text = body.required_text("text", intel::import_bytes), format = body.text("format", 16), id = body.text("id", 64), title = body.text("title", 200), source = body.text("source", 200);
  intel::ImportOptions options;
  if (format == "toml") options.format = intel::ImportFormat::toml;
  if (format == "stix") options.format = intel::ImportFormat::stix;
  if (format == "misp") options.format = intel::ImportFormat::misp;
  if (format == "list") options.format = intel::ImportFormat::list;
  if (!format.empty() && options.format == intel::ImportFormat::detect) body.refuse("format", "is toml, stix, misp or list");
  if (auto mistake = body.mistake()) return std::move(*mistake);
  options.id = id;
  options.title = title;
  options.source = source.empty() ? call.caller.name : source;
  options.now = milliseconds_now();
  const auto taken = call.services.intelligence.take(text, options, call.services.gate);
  if (!taken) return answer(call, taken.error());
  JsonWriter json(0);
  json.begin_object().field("id", taken->import.id).field("title", taken->import.title).field("taken", taken->import.entries.size()).field("refused_count", taken->import.refused_count);
  json.key("refused").begin_array();
  for (const intel::RefusedEntry& refused : taken->import.refused) json.begin_object().field("entry", refused.entry).field("why", refused.why).end_object();
  json.end_array().key("matched").strings(taken->matched).field("held", taken->held).end_object();
  return answer_json(200, std::move(json));
}

net::Response withdraw(ApiCall& call) {
  const auto removed = call.services.intelligence.withdraw(call.parameter("id"));
  if (!removed) return answer(call, removed.error());
  if (!*removed) return not_found("such imported incident");
  net::Response response;
  response.status = 204;
  return response;
}

constexpr ApiRoute routes[] = {
    {"GET", "/indicators", ApiAccess::administrator, indicators, {200, 400}, {"type"}, true},
    {"GET", "/indicators/images", ApiAccess::administrator, images, {200, 400, 404}, {"type", "value"}},
    {"GET", "/incidents", ApiAccess::administrator, incidents, {200}},
    {"POST", "/incidents", ApiAccess::administrator, import, {200, 400}, {}, false, 16u << 20},
    {"DELETE", "/incidents/{id}", ApiAccess::administrator, withdraw, {204, 404}},
};

}  // namespace

std::span<const ApiRoute> indicator_routes() { return routes; }

}  // namespace lazaret::server
