// The incident report: the story of a campaign in the form somebody asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "intel/story.h"

namespace lazaret::report {

enum class CampaignFormat : std::uint8_t { table, json, markdown, html, stix };
std::optional<CampaignFormat> parse_campaign_format(std::string_view name);

// Ends with a newline. Text of attackers is escaped as the form asks.
std::string write_campaign(const intel::Story& story, CampaignFormat format);

// lazaret.campaign/v1 (docs/campaign.schema.json).
std::string campaign_json(const intel::Story& story);
std::string campaign_markdown(const intel::Story& story);
// One self-contained page, as the report of an image.
std::string campaign_html(const intel::Story& story);
// A STIX 2.1 bundle: campaign, indicators, attack patterns, a report, and how they belong together. Ids follow from the content, so that the same story gives the
// same bundle. `lazaret intel import` reads it.
std::string campaign_stix(const intel::Story& story);
std::string campaign_table(const intel::Story& story);

// Campaigns as a list of lines, and one of them as a JSON object.
std::string campaign_list_table(const std::vector<intel::CampaignSummary>& campaigns);
void write_campaign_summary(JsonWriter& json, const intel::CampaignSummary& campaign);

}  // namespace lazaret::report
