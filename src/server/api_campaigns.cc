// Campaigns: which images belong together, why, and the incident report.
#include <fmt/format.h>

#include <charconv>

#include "intel/story.h"
#include "report/campaign_report.h"
#include "server/api_answer.h"
#include "server/api_resources.h"
#include "server/intelligence.h"

namespace lazaret::server {
namespace {

intel::StorySources sources(ApiCall& call) { return {call.services.intelligence.store(), &call.services.metadata, &call.services.pulls}; }

// 0 is the number of no campaign.
std::int64_t number_of(const ApiCall& call) {
  const std::string& text = call.parameter("id");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 ? number : 0;
}

std::string actor(const ApiCall& call) { return call.caller.name; }

net::Response list(ApiCall& call) {
  const auto campaigns = intel::list_campaigns(sources(call), call.query("all").value_or("") == "true");
  if (!campaigns) return answer(call, campaigns.error());
  JsonWriter json(0);
  json.begin_object().key("items").begin_array();
  for (const intel::CampaignSummary& campaign : *campaigns) report::write_campaign_summary(json, campaign);
  json.end_array().end_object();
  return answer_json(200, std::move(json));
}

net::Response story_of(ApiCall& call) {
  const auto story = intel::tell(sources(call), number_of(call));
  if (!story) return answer(call, story.error());
  net::Response response;
  response.add("Content-Type", "application/json");
  response.add("Cache-Control", "no-store");
  response.body = report::campaign_json(*story);
  return response;
}

// As text in an object: a page that attackers named things of is nothing to be opened at this address.
net::Response report_of(ApiCall& call) {
  const std::string name = call.query("format").value_or("markdown");
  const auto format = report::parse_campaign_format(name);
  if (!format) return answer({400, "A parameter is wrong", "format is json, markdown, html, stix or table", "", "format"});
  const auto story = intel::tell(sources(call), number_of(call));
  if (!story) return answer(call, story.error());
  JsonWriter json(0);
  json.begin_object().field("format", name).field("text", report::write_campaign(*story, *format)).end_object();
  return answer_json(200, std::move(json));
}

net::Response summary(ApiCall& call, std::int64_t id) {
  const auto campaigns = intel::list_campaigns(sources(call), true);
  if (!campaigns) return answer(call, campaigns.error());
  std::int64_t resolved = id;
  const auto read = call.services.intelligence.store().read([&](store::IndicatorReader& reader) {
    if (const auto campaign = intel::resolve_campaign(reader, id)) resolved = campaign->id;
  });
  if (!read) return answer(call, read.error());
  for (const intel::CampaignSummary& campaign : *campaigns) {
    if (campaign.campaign.id != resolved) continue;
    JsonWriter json(0);
    report::write_campaign_summary(json, campaign);
    return answer_json(200, std::move(json));
  }
  return not_found("such campaign");
}

net::Response confirm(ApiCall& call) {
  const auto done = call.services.intelligence.campaigns().confirm(number_of(call), actor(call));
  return done ? summary(call, number_of(call)) : answer(call, done.error());
}

net::Response set_name(ApiCall& call) {
  BodyFields body(call.body);
  const std::string name = body.required_text("name", 200);
  if (auto mistake = body.mistake()) return std::move(*mistake);
  const auto done = call.services.intelligence.campaigns().name(number_of(call), name, actor(call));
  return done ? summary(call, number_of(call)) : answer(call, done.error());
}

net::Response split(ApiCall& call) {
  BodyFields body(call.body);
  const std::vector<std::string> images = body.texts("images", 10'000, 200);
  if (auto mistake = body.mistake()) return std::move(*mistake);
  const auto made = call.services.intelligence.campaigns().split(number_of(call), images, actor(call));
  return made ? summary(call, *made) : answer(call, made.error());
}

net::Response merge(ApiCall& call) {
  BodyFields body(call.body);
  const std::int64_t other = body.number("campaign", 1, INT64_MAX, 0);
  if (auto mistake = body.mistake()) return std::move(*mistake);
  const auto done = call.services.intelligence.campaigns().merge(number_of(call), other, actor(call));
  return done ? summary(call, number_of(call)) : answer(call, done.error());
}

constexpr ApiRoute routes[] = {
    {"GET", "/campaigns", ApiAccess::administrator, list, {200}, {"all"}},
    {"GET", "/campaigns/{id}", ApiAccess::administrator, story_of, {200, 404}},
    {"GET", "/campaigns/{id}/report", ApiAccess::administrator, report_of, {200, 400, 404}, {"format"}},
    {"POST", "/campaigns/{id}/confirm", ApiAccess::administrator, confirm, {200, 404}},
    {"PUT", "/campaigns/{id}/name", ApiAccess::administrator, set_name, {200, 400, 404}, {}, false, 4096},
    {"POST", "/campaigns/{id}/split", ApiAccess::administrator, split, {200, 400, 404}, {}, false, 1u << 20},
    {"POST", "/campaigns/{id}/merge", ApiAccess::administrator, merge, {200, 400, 404}, {}, false, 4096},
};

}  // namespace

std::span<const ApiRoute> campaign_routes() { return routes; }

}  // namespace lazaret::server
