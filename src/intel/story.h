// Everything there is to say of a campaign, put together from the index of indicators, the registry's records and the ledger: what the incident report
// (report/campaign_report.h) writes down.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "detect/incident_data_support.h"
#include "intel/campaigns.h"
#include "store/indicator_store.h"
#include "store/ledger.h"
#include "store/metadata_store.h"

namespace lazaret::intel {

struct StoryImage {
  std::string digest;
  std::vector<store::NodePlace> places;
  std::vector<std::string> titles;  // of what was found
  std::string verdict, state;       // state: of the gate; "" when the registry has it no more
  int score = 0;
  bool bad = false;
  bool taken_down = false;
  store::Time first_seen = 0;
  std::uint64_t pulls = 0;
  std::vector<std::string> attack;
  std::string why;  // its strongest link, for people; "" when it has none
};

struct StoryAccount {
  std::string name;
  std::uint64_t images = 0, bad = 0, pulls = 0;
  store::Time first_seen = 0;
  bool taken_down = false;
};

struct StoryIndicator {
  std::string kind, title, value;
  std::uint64_t images = 0, accounts = 0;
  bool listed = false;  // by a known incident of the campaign
  int weight = 0;       // of its kind
  std::string earned, earned_at, source;  // of wallets that somebody published a sum of
};

struct StoryMoment {
  std::string when;  // RFC 3339, or as much of a date as is known
  std::string what, source;
};

struct StoryIncident {
  std::string id, title, first_seen, last_seen;
  bool imported = false;
  std::uint64_t images = 0, indicators = 0;  // that it lists
};

struct Story {
  store::Campaign campaign;
  std::string title;  // its name, or "campaign 7"
  std::vector<StoryImage> images;        // by first upload
  std::vector<StoryAccount> accounts;    // by first upload
  std::vector<StoryIndicator> indicators;  // that tie it together: heaviest first
  std::vector<StoryIndicator> wallets;     // all of them
  std::vector<StoryMoment> timeline;       // in order of time
  std::vector<StoryIncident> incidents;    // known ones that it grew from
  std::vector<std::string> attack;         // technique ids
  std::vector<std::string> advice;         // what to do, in order
  std::uint64_t pulls = 0, identities = 0, addresses = 0;
  store::Time first_upload = 0, first_verdict = 0, first_report = 0, first_takedown = 0, first_pull = 0, last_pull = 0;  // 0: none
  std::vector<store::CampaignAct> acts;
};

struct StorySources {
  store::IndicatorStore& indicators;
  store::MetadataStore* metadata = nullptr;  // null: without states and takedowns
  store::LedgerStore* ledger = nullptr;      // null: without pulls
};

// Not found when there is no such campaign.
Result<Story> tell(const StorySources& sources, std::int64_t campaign);

struct CampaignSummary {
  store::Campaign campaign;
  std::uint64_t images = 0, bad = 0, accounts = 0, pulls = 0;
  store::Time first_seen = 0, last_seen = 0;
};
// Those with at least one image, or, with `all`, known incidents that nothing here belongs to as well. Most images first.
Result<std::vector<CampaignSummary>> list_campaigns(const StorySources& sources, bool all);

// A known incident by its id, built in or imported; null when there is none.
const detect::Incident* find_incident(std::string_view id);
// "2018-05" and the like: its first moment; 0 when it is no date.
store::Time first_moment(std::string_view date);
// What Campaigns::learn_incident() takes, of every known incident.
std::vector<Campaigns::Incident> known_incidents(const detect::IncidentData& data);

}  // namespace lazaret::intel
