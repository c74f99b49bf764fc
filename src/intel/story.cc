#include "intel/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"
#include "base/time.h"
#include "intel/observations.h"

namespace lazaret::intel {
namespace {

using store::IndicatorReader;
using store::Node;
using store::Time;

constexpr std::size_t indicators_shown = 200;

void see(Time& first, Time at) {
  if (at != 0 && (first == 0 || at < first)) first = at;
}

class Teller {
 public:
  Teller(const StorySources& sources, Story& story) : sources_(sources), story_(story) {}

  Result<void> run(std::int64_t id) {
    bool found = false;
    if (const auto read = sources_.indicators.read([&](IndicatorReader& reader) { found = read_index(reader, id); }); !read) return read;
    if (!found) return Error{ErrorCode::not_found, fmt::format("there is no campaign {}: `lazaret campaign list` shows all", id)};
    if (sources_.metadata != nullptr) {
      if (const auto read = sources_.metadata->read([&](store::Reader& reader) { read_registry(reader); }); !read) return read;
    }
    if (sources_.ledger != nullptr) {
      if (const auto read = read_pulls(); !read) return read;
    }
    read_incidents();
    finish();
    return {};
  }

 private:
  bool read_index(IndicatorReader& reader, std::int64_t id) {
    const auto campaign = resolve_campaign(reader, id);
    if (!campaign) return false;
    story_.campaign = *campaign;
    story_.title = campaign->name.empty() ? fmt::format("campaign {}", campaign->id) : campaign->name;
    story_.acts = reader.acts_of(campaign->id);
    std::set<std::string> techniques;
    std::map<std::int64_t, std::pair<std::set<std::int64_t>, std::set<std::string>>> shared;  // indicator -> nodes, accounts
    std::map<std::int64_t, store::IndicatorCounts> counts_of;
    std::set<std::int64_t> listed, flagged;
    for (const Node& node : reader.members(campaign->id)) {
      for (const std::string_view technique : split(node.attack, ' ')) {
        if (!technique.empty()) techniques.emplace(technique);
      }
      const std::vector<store::NodePlace> places = reader.places_of(node.id);
      for (const auto& [counts, is_flagged] : reader.indicators_of(node.id)) {
        if (!node.bad) continue;
        counts_of.emplace(counts.id, counts);
        if (node.incident) {
          listed.insert(counts.id);
          continue;
        }
        if (is_flagged) flagged.insert(counts.id);
        auto& [nodes, accounts] = shared[counts.id];
        nodes.insert(node.id);
        for (const store::NodePlace& place : places) accounts.insert(place.publisher);
      }
      if (node.incident) {
        incident_ids_.push_back(node.name.substr(node.name.find(':') + 1));
        continue;
      }
      StoryImage image;
      image.digest = node.name;
      image.places = places;
      image.verdict = node.verdict;
      image.score = node.score;
      image.bad = node.bad;
      image.first_seen = node.first_seen;
      for (const std::string_view technique : split(node.attack, ' ')) {
        if (!technique.empty()) image.attack.emplace_back(technique);
      }
      for (const LinkView& link : view_links(reader, node)) {
        if (link.reasons.empty() && !link.by_hand) continue;
        image.why = link.by_hand ? "linked by hand with " + escape(link.other, 100) : fmt::format("shares {} with {}", intel::describe(link.reasons), escape(link.other, 100));
        break;
      }
      for (const store::NodePlace& place : places) {
        see(image.first_seen, place.at);
        const auto [entry, is_new] = account_index_.emplace(place.publisher, story_.accounts.size());
        if (is_new) story_.accounts.emplace_back().name = place.publisher;
        see(story_.accounts[entry->second].first_seen, place.at);
      }
      see(story_.first_upload, image.first_seen);
      story_.images.push_back(std::move(image));
    }
    story_.attack.assign(techniques.begin(), techniques.end());
    for (const auto& [indicator, counts] : counts_of) add_indicator(counts, shared[indicator], listed.contains(indicator), flagged.contains(indicator));
    return true;
  }

  void add_indicator(const store::IndicatorCounts& counts, const std::pair<std::set<std::int64_t>, std::set<std::string>>& shared, bool listed, bool flagged) {
    const Kind* kind = find_kind(counts.kind);
    if (kind == nullptr || kind->group == Group::account || kind->group == Group::stem || counts.kind == "image") return;
    StoryIndicator shown;
    shown.kind = counts.kind;
    shown.title = kind->title;
    shown.value = counts.value;
    shown.images = shared.first.size();
    shown.accounts = shared.second.size();
    shown.listed = listed;
    shown.weight = (flagged || listed ? kind->flagged : kind->other) * rarity(*kind, counts) / 100;
    if (counts.kind.starts_with("wallet.") && (flagged || listed)) story_.wallets.push_back(shown);
    // What one image alone has ties nothing, but a server or key that convicts it is still one to block.
    const bool to_block = flagged && (kind->group == Group::network || kind->group == Group::money || kind->group == Group::key);
    if (shown.weight > 0 && (shown.images > 1 || to_block || listed)) story_.indicators.push_back(std::move(shown));
  }

  void read_registry(store::Reader& reader) {
    for (StoryImage& image : story_.images) {
      const auto digest = Digest::parse(image.digest);
      const auto manifest = digest ? reader.manifest(*digest) : std::nullopt;
      if (!manifest) continue;
      image.state = store::name_of(manifest->state);
      if (const auto verdict = reader.verdict(*digest, "")) {
        image.titles = verdict->titles;
        if (image.bad) see(story_.first_verdict, verdict->at);
      }
      for (const store::Event& event : reader.events_of(*digest, 1000)) {
        if (event.kind == "condemned" || event.kind == "held") see(story_.first_verdict, event.at);
        if (event.kind == "reported") see(story_.first_report, event.at);
        if (event.kind == "condemned" || event.kind == "held" || event.kind == "released" || event.kind == "reported" || event.kind == "deleted") {
          moment(event.at, fmt::format("{} {}{}", short_name(image), event.kind, event.actor.empty() ? "" : " by " + event.actor), "registry");
        }
      }
      for (const std::int64_t id : reader.repositories_with(*digest)) {
        const auto repository = reader.repository(id);
        const auto binding = reader.binding(id, *digest);
        if (!repository || !binding) continue;
        const std::int64_t act = binding->takedown != 0 ? binding->takedown : repository->takedown;
        if (act == 0) continue;
        image.taken_down = true;
        if (const auto known = account_index_.find(binding->publisher); known != account_index_.end()) story_.accounts[known->second].taken_down = true;
        if (const auto takedown = reader.takedown(act); takedown && acts_.insert(act).second) {
          see(story_.first_takedown, takedown->at);
          moment(takedown->at, fmt::format("takedown of {} {} by {}: {}", takedown->kind, takedown->subject, takedown->actor, takedown->reason), "registry");
        }
      }
    }
  }

  Result<void> read_pulls() {
    std::map<Digest, std::size_t> images;
    std::vector<Digest> digests;
    for (std::size_t i = 0; i < story_.images.size(); ++i) {
      if (const auto digest = Digest::parse(story_.images[i].digest)) {
        images.emplace(*digest, i);
        digests.push_back(*digest);
      }
    }
    if (digests.empty()) return {};
    std::set<std::string> identities, addresses;
    return sources_.ledger->summarise(digests, 0, 0, [&](const store::PullSummary& pulls) {
      const auto image = images.find(pulls.digest);
      if (image == images.end() || !pulls.manifest) return;
      story_.images[image->second].pulls += pulls.pulls;
      story_.pulls += pulls.pulls;
      for (const store::NodePlace& place : story_.images[image->second].places) {
        // One pull is one account's: that of the repository it came from.
        if (place.repository == pulls.repository) story_.accounts[account_index_[place.publisher]].pulls += pulls.pulls;
      }
      if (!pulls.identity.empty() && identities.insert(pulls.identity).second) ++story_.identities;
      if (!pulls.address.empty() && addresses.insert(pulls.address).second) ++story_.addresses;
      see(story_.first_pull, pulls.first);
      story_.last_pull = std::max(story_.last_pull, pulls.last);
    });
  }

  void read_incidents() {
    const detect::IncidentData& data = detect::incident_data();
    for (const std::string& id : incident_ids_) {
      const detect::Incident* incident = find_incident(id);
      if (incident == nullptr) {
        story_.incidents.push_back({id, id, "", "", true, 0, 0});
        continue;
      }
      StoryIncident shown{id, incident->title, incident->first_seen, incident->last_seen, incident->imported, 0, 0};
      for (const detect::KnownImage& image : data.images) shown.images += image.incident == incident;
      for (const detect::KnownIndicator& indicator : data.indicators) {
        if (indicator.incident != incident) continue;
        ++shown.indicators;
        for (StoryIndicator& wallet : story_.wallets) {
          if (wallet.value != indicator.value) continue;
          wallet.earned = indicator.earned;
          wallet.earned_at = indicator.earned_at;
          wallet.source = indicator.source;
        }
      }
      story_.incidents.push_back(std::move(shown));
      for (const detect::Incident::Moment& known : incident->timeline) story_.timeline.push_back({known.when, known.what, known.source});
    }
  }

  void finish() {
    for (const StoryImage& image : story_.images) {
      for (const store::NodePlace& place : image.places) moment(place.at, fmt::format("{} pushed to {}", place.publisher, place.repository), "registry");
      std::set<std::string> counted;
      for (const store::NodePlace& place : image.places) {
        if (!counted.insert(place.publisher).second) continue;
        StoryAccount& account = story_.accounts[account_index_[place.publisher]];
        ++account.images;
        account.bad += image.bad;
      }
    }
    if (story_.first_pull != 0) moment(story_.first_pull, "first pull", "ledger");
    if (story_.last_pull > story_.first_pull) moment(story_.last_pull, fmt::format("last of {} pulls", story_.pulls), "ledger");
    for (const store::CampaignAct& act : story_.acts) {
      if (act.act == "joined" || act.act == "left") continue;
      moment(act.at, fmt::format("campaign {}{}{}", act.act, act.detail.empty() ? "" : ": " + act.detail, act.actor.empty() ? "" : " by " + act.actor), "campaigns");
    }
    std::stable_sort(story_.timeline.begin(), story_.timeline.end(), [](const StoryMoment& a, const StoryMoment& b) { return a.when < b.when; });
    std::stable_sort(story_.images.begin(), story_.images.end(), [](const StoryImage& a, const StoryImage& b) { return std::tie(a.first_seen, a.digest) < std::tie(b.first_seen, b.digest); });
    std::stable_sort(story_.accounts.begin(), story_.accounts.end(), [](const StoryAccount& a, const StoryAccount& b) { return std::tie(a.first_seen, a.name) < std::tie(b.first_seen, b.name); });
    std::stable_sort(story_.indicators.begin(), story_.indicators.end(), [](const StoryIndicator& a, const StoryIndicator& b) {
      return std::tuple(-a.weight, -static_cast<std::int64_t>(a.images), a.kind, a.value) < std::tuple(-b.weight, -static_cast<std::int64_t>(b.images), b.kind, b.value);
    });
    if (story_.indicators.size() > indicators_shown) story_.indicators.resize(indicators_shown);
    advise();
  }

  void advise() {
    std::uint64_t visible = 0, doubtful = 0, accounts = 0;
    for (const StoryImage& image : story_.images) {
      visible += image.state == "released" && !image.taken_down;
      doubtful += !image.bad;
    }
    for (const StoryAccount& account : story_.accounts) accounts += account.bad > 0 && !account.taken_down;
    if (accounts > 0) story_.advice.push_back(fmt::format("Take down the {} account{} whose images were convicted: `lazaret takedown publisher NAME --reason ...`.", accounts, accounts == 1 ? "" : "s"));
    if (visible > 0) story_.advice.push_back(fmt::format("{} image{} of the campaign can still be pulled: hold or condemn what is left.", visible, visible == 1 ? "" : "s"));
    if (doubtful > 0) {
      story_.advice.push_back(fmt::format("Look at the {} image{} that share{} indicators and {} not convicted: confirm the link, or split {} off.", doubtful, doubtful == 1 ? "" : "s",
                                          doubtful == 1 ? "s" : "", doubtful == 1 ? "was" : "were", doubtful == 1 ? "it" : "them"));
    }
    if (story_.pulls > 0) {
      story_.advice.push_back(fmt::format("Tell the {} account{} and {} address{} that pulled: `lazaret exposure {}` lists them.", story_.identities, story_.identities == 1 ? "" : "s", story_.addresses,
                                          story_.addresses == 1 ? "" : "es", story_.campaign.id));
    }
    story_.advice.push_back("On every host that ran one of these images: `lazaret check`; look at crontabs, authorized_keys and what they started. Rebuild the host; removing the image is not enough.");
    story_.advice.push_back("Block the servers and pools below at the border, and look for them in the logs since the first upload.");
  }

  void moment(Time at, std::string what, std::string source) {
    if (at != 0) story_.timeline.push_back({to_rfc3339(at), std::move(what), std::move(source)});
  }
  static std::string short_name(const StoryImage& image) { return image.places.empty() ? image.digest.substr(0, 19) : image.places.front().repository; }

  const StorySources& sources_;
  Story& story_;
  std::vector<std::string> incident_ids_;
  std::map<std::string, std::size_t> account_index_;
  std::set<std::int64_t> acts_;
};

}  // namespace

Result<Story> tell(const StorySources& sources, std::int64_t campaign) {
  Story story;
  if (const auto told = Teller(sources, story).run(campaign); !told) return told.error();
  return story;
}

Result<std::vector<CampaignSummary>> list_campaigns(const StorySources& sources, bool all) {
  std::vector<CampaignSummary> list;
  std::map<Digest, std::size_t> owner;
  const auto read = sources.indicators.read([&](IndicatorReader& reader) {
    for (const store::Campaign& campaign : reader.campaigns()) {
      CampaignSummary summary;
      summary.campaign = campaign;
      std::set<std::string> accounts;
      std::vector<Digest> digests;
      for (const Node& node : reader.members(campaign.id)) {
        if (node.incident) continue;
        ++summary.images;
        summary.bad += node.bad;
        see(summary.first_seen, node.first_seen);
        summary.last_seen = std::max(summary.last_seen, node.first_seen);
        for (const store::NodePlace& place : reader.places_of(node.id)) accounts.insert(place.publisher);
        if (const auto digest = Digest::parse(node.name)) digests.push_back(*digest);
      }
      summary.accounts = accounts.size();
      if (summary.images == 0 && (!all || campaign.members == 0)) continue;
      for (const Digest& digest : digests) owner.emplace(digest, list.size());
      list.push_back(std::move(summary));
    }
  });
  if (!read) return read.error();
  if (sources.ledger != nullptr && !owner.empty()) {
    std::vector<Digest> digests;
    for (const auto& [digest, index] : owner) digests.push_back(digest);
    const auto counted = sources.ledger->summarise(digests, 0, 0, [&](const store::PullSummary& pulls) {
      if (const auto known = owner.find(pulls.digest); known != owner.end() && pulls.manifest) list[known->second].pulls += pulls.pulls;
    });
    if (!counted) return counted.error();
  }
  std::stable_sort(list.begin(), list.end(), [](const CampaignSummary& a, const CampaignSummary& b) { return a.images > b.images; });
  return list;
}

const detect::Incident* find_incident(std::string_view id) {
  for (const auto& incident : detect::incident_data().incidents) {
    if (incident->id == id) return incident.get();
  }
  return nullptr;
}

Time first_moment(std::string_view date) {
  std::string day(date);
  if (day.size() == 4) day += "-01";
  if (day.size() == 7) day += "-01";
  return parse_rfc3339(day).value_or(0);
}

std::vector<Campaigns::Incident> known_incidents(const detect::IncidentData& data) {
  std::vector<Campaigns::Incident> list;
  for (const auto& incident : data.incidents) {
    Campaigns::Incident made;
    made.id = incident->id;
    made.title = incident->title;
    for (const std::string& technique : incident->attack) made.attack += (made.attack.empty() ? "" : " ") + technique;
    made.first_seen = first_moment(incident->first_seen);
    made.observations = observe(data, *incident);
    list.push_back(std::move(made));
  }
  return list;
}

}  // namespace lazaret::intel
