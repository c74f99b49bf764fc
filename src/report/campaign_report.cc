#include "report/campaign_report.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"

namespace lazaret::report {
namespace {

using intel::Story;

std::string when(store::Time at) { return at == 0 ? "" : to_rfc3339(at); }

void write_indicators(JsonWriter& json, std::string_view name, const std::vector<intel::StoryIndicator>& indicators) {
  json.key(name).begin_array();
  for (const intel::StoryIndicator& indicator : indicators) {
    json.begin_object().field("type", indicator.kind).field("value", indicator.value).field("images", indicator.images).field("accounts", indicator.accounts);
    json.field("listed", indicator.listed).field("weight", indicator.weight);
    if (!indicator.earned.empty()) json.field("earned", indicator.earned).field("earned_at", indicator.earned_at).field("source", indicator.source);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::optional<CampaignFormat> parse_campaign_format(std::string_view name) {
  if (name == "table") return CampaignFormat::table;
  if (name == "json") return CampaignFormat::json;
  if (name == "markdown") return CampaignFormat::markdown;
  if (name == "html") return CampaignFormat::html;
  if (name == "stix") return CampaignFormat::stix;
  return std::nullopt;
}

std::string write_campaign(const Story& story, CampaignFormat format) {
  switch (format) {
    case CampaignFormat::table: return campaign_table(story);
    case CampaignFormat::json: return campaign_json(story);
    case CampaignFormat::markdown: return campaign_markdown(story);
    case CampaignFormat::html: return campaign_html(story);
    case CampaignFormat::stix: return campaign_stix(story);
  }
  return "";
}

std::string campaign_json(const Story& story) {
  JsonWriter json;
  json.begin_object().field("schema", "lazaret.campaign/v1").field("id", story.campaign.id).field("title", story.title).field("confirmed", story.campaign.confirmed);
  json.field("first_upload", when(story.first_upload)).field("first_verdict", when(story.first_verdict)).field("first_report", when(story.first_report));
  json.field("first_takedown", when(story.first_takedown)).field("first_pull", when(story.first_pull)).field("last_pull", when(story.last_pull));
  json.field("pulls", story.pulls).field("identities", story.identities).field("addresses", story.addresses);
  json.key("attack").strings(story.attack);
  json.key("incidents").begin_array();
  for (const intel::StoryIncident& incident : story.incidents) {
    json.begin_object().field("id", incident.id).field("title", incident.title).field("first_seen", incident.first_seen).field("last_seen", incident.last_seen);
    json.field("imported", incident.imported).field("images", incident.images).field("indicators", incident.indicators).end_object();
  }
  json.end_array().key("images").begin_array();
  for (const intel::StoryImage& image : story.images) {
    json.begin_object().field("digest", image.digest).field("verdict", image.verdict).field("score", image.score).field("state", image.state).field("convicted", image.bad);
    json.field("taken_down", image.taken_down).field("first_seen", when(image.first_seen)).field("pulls", image.pulls);
    json.key("repositories").begin_array();
    for (const store::NodePlace& place : image.places) json.begin_object().field("publisher", place.publisher).field("repository", place.repository).field("at", when(place.at)).end_object();
    json.end_array().key("findings").strings(image.titles).key("attack").strings(image.attack).field("why", image.why).end_object();
  }
  json.end_array().key("accounts").begin_array();
  for (const intel::StoryAccount& account : story.accounts) {
    json.begin_object().field("name", account.name).field("images", account.images).field("convicted", account.bad).field("pulls", account.pulls);
    json.field("first_seen", when(account.first_seen)).field("taken_down", account.taken_down).end_object();
  }
  json.end_array();
  write_indicators(json, "indicators", story.indicators);
  write_indicators(json, "wallets", story.wallets);
  json.key("timeline").begin_array();
  for (const intel::StoryMoment& moment : story.timeline) json.begin_object().field("when", moment.when).field("what", moment.what).field("source", moment.source).end_object();
  json.end_array().key("advice").strings(story.advice).end_object();
  return json.take() + "\n";
}

std::string campaign_table(const Story& story) {
  std::string text = fmt::format("{}{}\n", escape(story.title, 200), story.campaign.confirmed ? " (confirmed)" : "");
  text += fmt::format("  {} images of {} accounts, {} pulls by {} accounts and {} addresses\n", story.images.size(), story.accounts.size(), story.pulls, story.identities, story.addresses);
  for (const auto& [name, at] : {std::pair("first upload", story.first_upload), std::pair("first verdict", story.first_verdict), std::pair("first report", story.first_report),
                                 std::pair("takedown", story.first_takedown)}) {
    if (at != 0) text += fmt::format("  {:<14} {}\n", name, to_rfc3339(at));
  }
  if (!story.attack.empty()) text += fmt::format("  techniques     {}\n", fmt::join(story.attack, " "));
  for (const intel::StoryIncident& incident : story.incidents) text += fmt::format("  known incident {}: {}\n", escape(incident.id), escape(incident.title, 200));
  if (!story.images.empty()) text += fmt::format("\n{:<34} {:<10} {:<10} {:>8}  {}\n", "IMAGE", "VERDICT", "STATE", "PULLS", "WHY");
  for (const intel::StoryImage& image : story.images) {
    text += fmt::format("{:<34} {:<10} {:<10} {:>8}  {}\n", escape(image.places.empty() ? "" : image.places.front().repository, 34), image.verdict, image.taken_down ? "taken down" : image.state,
                        image.pulls, image.why);
    text += fmt::format("  {}\n", escape(image.digest));
  }
  if (!story.indicators.empty()) text += fmt::format("\n{:<24} {:>6} {:>8}  {}\n", "INDICATOR", "IMAGES", "ACCOUNTS", "VALUE");
  for (const intel::StoryIndicator& indicator : story.indicators) {
    text += fmt::format("{:<24} {:>6} {:>8}  {}\n", indicator.title.substr(0, 24), indicator.images, indicator.accounts, escape(indicator.value, 120));
  }
  return text;
}

std::string campaign_list_table(const std::vector<intel::CampaignSummary>& campaigns) {
  if (campaigns.empty()) return "no campaigns\n";
  std::string text = fmt::format("{:>6} {:>7} {:>9} {:>9} {:>9}  {:<20} {}\n", "ID", "IMAGES", "CONVICTED", "ACCOUNTS", "PULLS", "FIRST UPLOAD", "NAME");
  for (const intel::CampaignSummary& summary : campaigns) {
    text += fmt::format("{:>6} {:>7} {:>9} {:>9} {:>9}  {:<20} {}{}\n", summary.campaign.id, summary.images, summary.bad, summary.accounts, summary.pulls, when(summary.first_seen),
                        escape(summary.campaign.name, 100), summary.campaign.confirmed ? " (confirmed)" : "");
  }
  return text;
}

void write_campaign_summary(JsonWriter& json, const intel::CampaignSummary& summary) {
  json.begin_object().field("id", summary.campaign.id).field("name", summary.campaign.name).field("incident", summary.campaign.incident).field("confirmed", summary.campaign.confirmed);
  json.field("images", summary.images).field("convicted", summary.bad).field("accounts", summary.accounts).field("pulls", summary.pulls);
  json.field("first_upload", when(summary.first_seen)).field("last_upload", when(summary.last_seen)).end_object();
}

}  // namespace lazaret::report
