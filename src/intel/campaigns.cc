#include "intel/campaigns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/text.h"
#include "format/similarity_hash.h"
#include "intel/linking.h"
#include "intel/observations.h"

namespace lazaret::intel {
namespace {

using store::Campaign;
using store::CampaignAct;
using store::IndicatorWriter;
using store::Link;
using store::Node;
using store::Observation;
using store::Time;

constexpr std::size_t reconsidered_at_once = 16, links_reconsidered = 4096;

std::string incident_name(const std::string& id) { return "incident:" + id; }

// What happens in one transaction.
class Linker {
 public:
  Linker(IndicatorWriter& writer, Time now) : writer_(writer), now_(now) {}

  // Finds the links of a node whose observations were just written, and the campaign that follows.
  void link(Node node) {
    const std::vector<std::int64_t> lost = drop_links_without_reason(node);
    const std::int64_t left = node.pinned ? 0 : node.campaign;
    if (left != 0) {
      writer_.set_campaign(node.id, 0, false);
      node.campaign = 0;
    }
    for (const Link& found : find_links(writer_, node)) writer_.put_link(found);
    join(node);
    relink(lost);
    if (left != 0) recompute(left);
  }

  // Who was linked over a node that is no longer what it was may be linked with others.
  void relink(const std::vector<std::int64_t>& nodes) {
    for (const std::int64_t id : nodes) {
      auto node = writer_.node(id);
      if (!node) continue;
      for (const Link& found : find_links(writer_, *node)) writer_.put_link(found);
      join(*node);
    }
  }

  // Returns the nodes at the other ends.
  std::vector<std::int64_t> drop_links_without_reason(const Node& node) {
    std::vector<std::int64_t> lost;
    std::vector<Link> links = writer_.links_of(node.id);
    if (links.empty()) return lost;
    std::set<std::int64_t> own;
    for (const auto& [counts, flagged] : writer_.indicators_of(node.id)) own.insert(counts.id);
    for (Link& link : links) {
      if (link.by_hand) continue;
      const std::int64_t other_id = link.first == node.id ? link.second : link.first;
      const auto other = writer_.node(other_id);
      // Of two that are similar only one has the indicator of the evidence.
      std::erase_if(link.evidence, [&](const store::Evidence& evidence) { return evidence.note.empty() && !own.contains(evidence.indicator); });
      link.score = other && (other->bad || node.bad) ? score_of(writer_, link, node, *other) : 0;
      if (link.score >= link_threshold) {
        writer_.put_link(link);
      } else {
        writer_.remove_link(link.first, link.second);
        lost.push_back(other_id);
      }
    }
    return lost;
  }

  // Puts a node where its links say.
  void join(Node& node) {
    std::vector<Link> links = writer_.links_of(node.id);
    std::sort(links.begin(), links.end(), [](const Link& a, const Link& b) {
      return std::tuple(!a.by_hand, -a.score, a.first, a.second) < std::tuple(!b.by_hand, -b.score, b.first, b.second);
    });
    std::vector<Node> bad, innocent;
    for (const Link& link : links) {
      auto other = writer_.node(link.first == node.id ? link.second : link.first);
      if (other) (other->bad ? bad : innocent).push_back(std::move(*other));
    }
    if (!node.bad) {
      if (bad.empty() || node.pinned) return;
      const std::int64_t campaign = bad.front().campaign != 0 ? bad.front().campaign : found();
      if (bad.front().campaign == 0) place(bad.front(), campaign);
      return place(node, campaign);
    }
    std::int64_t campaign = node.campaign;
    for (const Node& other : bad) {
      if (campaign == 0) campaign = other.campaign;
    }
    if (campaign == 0 && bad.empty() && innocent.empty()) return;
    if (campaign == 0) campaign = found();
    if (node.campaign == 0) place(node, campaign);
    for (Node& other : bad) {
      const auto current = writer_.node(other.id);  // an earlier turn may have moved it
      if (!current || current->campaign == campaign) continue;
      if (current->campaign == 0) {
        place(*current, campaign);
      } else if (may_join(campaign, current->campaign)) {
        campaign = unite(campaign, current->campaign);
      }
    }
    for (const Node& other : innocent) {
      if (other.campaign == 0) place(other, campaign);
    }
  }

  // What a campaign falls into by the links it has now.
  void recompute(std::int64_t campaign) {
    const std::vector<Node> members = writer_.members(campaign);
    std::map<std::int64_t, std::size_t> index;
    for (std::size_t i = 0; i < members.size(); ++i) index[members[i].id] = i;
    std::vector<std::size_t> parent(members.size());
    std::iota(parent.begin(), parent.end(), std::size_t{0});
    const auto root = [&](std::size_t i) {
      while (parent[i] != i) i = parent[i] = parent[parent[i]];
      return i;
    };
    std::vector<std::pair<int, std::size_t>> best(members.size(), {0, 0});  // of what was not convicted: its strongest link
    for (std::size_t i = 0; i < members.size(); ++i) {
      for (const Link& link : writer_.links_of(members[i].id)) {
        const auto other = index.find(link.first == members[i].id ? link.second : link.first);
        if (other == index.end()) continue;
        const std::size_t j = other->second;
        if (members[i].bad && members[j].bad) parent[root(i)] = root(j);
        if (!members[i].bad && members[j].bad && link.score > best[i].first) best[i] = {link.score, j + 1};
      }
    }
    struct Part {
      std::vector<std::size_t> members;
      bool anchored = false;  // holds what stays by decision
      bool attached = false;  // something that was not convicted hangs on it
    };
    std::map<std::size_t, Part> parts;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!members[i].bad && !members[i].pinned) continue;
      Part& part = parts[members[i].bad ? root(i) : members.size() + i];
      part.members.push_back(i);
      part.anchored |= members[i].pinned;
    }
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!members[i].bad && best[i].second != 0) parts[root(best[i].second - 1)].attached = true;
    }
    bool any_anchor = false;
    const Part* largest = nullptr;
    for (const auto& [number, part] : parts) {
      any_anchor |= part.anchored;
      if (largest == nullptr || part.members.size() > largest->members.size()) largest = &part;
    }
    std::vector<std::int64_t> placed(members.size(), 0);
    for (const auto& [number, part] : parts) {
      // One image that is linked with nothing is no campaign.
      if (part.members.size() == 1 && !part.attached && !part.anchored) continue;
      std::int64_t target = campaign;
      if (!part.anchored && (any_anchor || &part != largest)) {
        target = found();
        act(campaign, "left", fmt::format("{} images are campaign {} now: what linked them is common", part.members.size(), target));
        act(target, "split", fmt::format("was part of campaign {}", campaign));
      }
      for (const std::size_t i : part.members) placed[i] = target;
    }
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!members[i].bad && !members[i].pinned) placed[i] = best[i].second == 0 ? 0 : placed[best[i].second - 1];
      if (placed[i] == campaign) continue;
      writer_.set_campaign(members[i].id, placed[i], members[i].pinned);
      if (placed[i] == 0) act(campaign, "left", members[i].name + ": nothing links it any more");
    }
  }

  void reconsider(std::int64_t indicator) {
    writer_.clear_changed(indicator);
    std::set<std::int64_t> touched;
    for (Link& link : writer_.links_by(indicator, links_reconsidered)) {
      if (link.by_hand) continue;
      const auto first = writer_.node(link.first), second = writer_.node(link.second);
      if (!first || !second) continue;
      const int score = score_of(writer_, link, *first, *second);
      if (score == link.score) continue;
      if (score >= link_threshold) {
        link.score = score;
        writer_.put_link(link);
        continue;
      }
      writer_.remove_link(link.first, link.second);
      if (first->campaign != 0 && first->campaign == second->campaign) touched.insert(first->campaign);
    }
    for (const std::int64_t campaign : touched) recompute(campaign);
  }

  std::int64_t found() {
    const std::int64_t id = writer_.add_campaign({0, "", "", false, now_, 0, 0});
    act(id, "founded", "");
    return id;
  }

  void place(const Node& node, std::int64_t campaign) {
    if (node.campaign == campaign) return;
    writer_.set_campaign(node.id, campaign, node.pinned);
    act(campaign, "joined", node.name);
  }

  // The one that stays: confirmed before others, that of a known incident, the older.
  std::int64_t unite(std::int64_t a, std::int64_t b) {
    const auto first = writer_.campaign(a), second = writer_.campaign(b);
    if (!first || !second) return a;
    const auto rank = [](const Campaign& campaign) { return std::tuple(!campaign.confirmed, campaign.incident.empty(), campaign.name.empty(), campaign.id); };
    const Campaign& into = rank(*first) <= rank(*second) ? *first : *second;
    Campaign from = rank(*first) <= rank(*second) ? *second : *first;
    absorb(into.id, from);
    return into.id;
  }
  void absorb(std::int64_t into, Campaign from) {
    for (const Node& member : writer_.members(from.id)) writer_.set_campaign(member.id, into, member.pinned);
    for (const std::int64_t other : writer_.kept_apart_from(from.id)) {
      if (other != into) writer_.keep_apart(into, other, true);
      writer_.keep_apart(from.id, other, false);
    }
    from.merged_into = into;
    writer_.update_campaign(from);
    act(from.id, "merged", fmt::format("is part of campaign {}", into));
    act(into, "merged", fmt::format("took in campaign {}{}", from.id, from.name.empty() ? "" : " (" + from.name + ")"));
  }

  bool may_join(std::int64_t a, std::int64_t b) {
    const std::vector<std::int64_t> apart = writer_.kept_apart_from(a);
    if (std::find(apart.begin(), apart.end(), b) != apart.end()) return false;
    const auto first = writer_.campaign(a), second = writer_.campaign(b);
    return first && second && (first->incident.empty() || second->incident.empty());
  }

  void act(std::int64_t campaign, std::string_view what, std::string detail, std::string actor = "") {
    writer_.add_act({campaign, now_, std::move(actor), std::string(what), std::move(detail)});
  }

 private:
  IndicatorWriter& writer_;
  const Time now_;
};

std::vector<Observation> with_places(const std::vector<Observation>& observations, const std::vector<store::NodePlace>& places) {
  std::vector<Observation> all = observations;
  for (const store::NodePlace& place : places) observe_place(place, all);
  tidy(all);
  return all;
}

std::vector<Observation> observations_of(store::IndicatorReader& reader, std::int64_t node) {
  std::vector<Observation> observations;
  for (const auto& [counts, flagged] : reader.indicators_of(node)) observations.push_back({counts.kind, counts.value, flagged});
  tidy(observations);
  return observations;
}

void put_observations(IndicatorWriter& writer, std::int64_t node, const std::vector<Observation>& observations) {
  writer.put_observations(node, observations);
  for (const Observation& observation : observations) {
    if (similar_up_to(observation.kind) == 0) continue;
    if (const auto counts = writer.indicator(observation.kind, observation.value)) writer.put_keys(counts->id, observation.kind, format::similarity_keys(observation.value));
  }
}

Error no_campaign(std::int64_t id) { return Error{ErrorCode::not_found, fmt::format("there is no campaign {}: `lazaret campaign list` shows all", id)}; }

std::string shown(const Reason& reason) {
  const Kind* kind = find_kind(reason.kind);
  return fmt::format("{} {}", kind != nullptr ? kind->title : reason.kind, escape(reason.value, 80));
}

}  // namespace

std::vector<LinkView> view_links(store::IndicatorReader& reader, const Node& node) {
  std::vector<LinkView> views;
  for (const Link& link : reader.links_of(node.id)) {
    const auto other = reader.node(link.first == node.id ? link.second : link.first);
    if (!other) continue;
    LinkView view{other->name, other->incident, other->bad, other->campaign, link.score, link.by_hand, {}};
    for (const store::Evidence& evidence : link.evidence) {
      const auto counts = reader.indicator(evidence.indicator);
      const Kind* kind = counts ? find_kind(counts->kind) : nullptr;
      if (kind == nullptr) continue;
      const int weight = weight_of(*kind, *counts, evidence.weight, node.incident || other->incident);
      if (weight > 0) view.reasons.push_back({counts->kind, counts->value, weight, evidence.note});
    }
    std::stable_sort(view.reasons.begin(), view.reasons.end(), [](const Reason& a, const Reason& b) { return a.weight > b.weight; });
    views.push_back(std::move(view));
  }
  std::stable_sort(views.begin(), views.end(), [](const LinkView& a, const LinkView& b) { return a.score > b.score; });
  return views;
}

std::optional<Campaign> resolve_campaign(store::IndicatorReader& reader, std::int64_t id) {
  auto campaign = reader.campaign(id);
  // Merging never makes a circle: what was merged is not merged into again.
  for (unsigned step = 0; campaign && campaign->merged_into != 0 && step < 1000; ++step) campaign = reader.campaign(campaign->merged_into);
  return campaign;
}

std::string describe(const std::vector<Reason>& reasons) {
  std::string text;
  for (const Reason& reason : reasons) text += fmt::format("{}{} ({}){}", text.empty() ? "" : ", ", shown(reason), reason.weight, reason.note.empty() ? "" : ", " + escape(reason.note, 120));
  return text;
}

std::string describe(const Placement& placement) {
  for (const LinkView& link : placement.links) {
    if (!link.bad || link.reasons.empty()) continue;
    const std::string campaign = link.campaign != 0 ? fmt::format(" (campaign {})", link.campaign) : "";
    return fmt::format("it shares the {} with {}{}", shown(link.reasons.front()), escape(link.other, 100), campaign);
  }
  return "";
}

Result<Placement> Campaigns::learn(const ImageFacts& image) {
  Placement placement;
  const auto done = store_.write([&](IndicatorWriter& writer) -> Result<void> {
    const std::string name = image.digest.str();
    const auto known = writer.node(name);
    std::vector<store::NodePlace> places = image.places;
    if (known) {
      const auto before = writer.places_of(known->id);
      places.insert(places.end(), before.begin(), before.end());
    }
    const std::vector<Observation> observations = with_places(image.observations, places);
    Node node;
    if (known) node = *known;
    node.name = name;
    node.bad = image.bad;
    node.verdict = image.verdict;
    node.score = image.score;
    node.attack = image.attack;
    if (!known) node.first_seen = image.first_seen;
    node.judged = clock_();
    // An audit under new rules that says the same changes nothing.
    const bool same = known && known->bad == image.bad && observations_of(writer, known->id) == observations;
    node.id = writer.put_node(node);
    Linker linker(writer, clock_());
    if (!same) {
      for (const store::NodePlace& place : image.places) writer.add_place(node.id, place);
      put_observations(writer, node.id, observations);
      linker.link(node);
    }
    for (const std::int64_t indicator : writer.changed_indicators(reconsidered_at_once)) linker.reconsider(indicator);
    if (const auto now = writer.node(node.id)) placement = {now->campaign, now->bad, view_links(writer, *now)};
    return {};
  });
  if (!done) return done.error();
  return placement;
}

Result<Placement> Campaigns::placement(const Digest& digest) {
  Placement placement;
  const auto done = store_.read([&](store::IndicatorReader& reader) {
    if (const auto node = reader.node(digest.str())) placement = {node->campaign, node->bad, view_links(reader, *node)};
  });
  if (!done) return done.error();
  return placement;
}

Result<void> Campaigns::add_place(const Digest& digest, const store::NodePlace& place) {
  return store_.write([&](IndicatorWriter& writer) -> Result<void> {
    const auto node = writer.node(digest.str());
    if (!node || !writer.add_place(node->id, place)) return {};
    std::vector<Observation> observations = observations_of(writer, node->id);
    observe_place(place, observations);
    tidy(observations);
    put_observations(writer, node->id, observations);
    Linker(writer, clock_()).link(*node);
    return {};
  });
}

Result<void> Campaigns::set_bad(const Digest& digest, bool bad) {
  return store_.write([&](IndicatorWriter& writer) -> Result<void> {
    auto node = writer.node(digest.str());
    if (!node || node->bad == bad) return {};
    const std::vector<Observation> observations = observations_of(writer, node->id);
    node->bad = bad;
    writer.put_node(*node);
    writer.put_observations(node->id, observations);
    Linker(writer, clock_()).link(*node);
    return {};
  });
}

Result<void> Campaigns::forget(const Digest& digest) {
  return store_.write([&](IndicatorWriter& writer) -> Result<void> {
    const auto node = writer.node(digest.str());
    if (!node) return {};
    std::vector<std::int64_t> lost;
    for (const Link& link : writer.links_of(node->id)) lost.push_back(link.first == node->id ? link.second : link.first);
    writer.remove_node(node->id);
    Linker linker(writer, clock_());
    linker.relink(lost);
    if (node->campaign != 0) linker.recompute(node->campaign);
    return {};
  });
}

Result<std::vector<std::string>> Campaigns::learn_incident(const Incident& incident) {
  std::vector<std::string> linked;
  const auto done = store_.write([&](IndicatorWriter& writer) -> Result<void> {
    const std::string name = incident_name(incident.id);
    const auto known = writer.node(name);
    Node node;
    if (known) node = *known;
    node.name = name;
    node.incident = node.bad = true;
    node.attack = incident.attack;
    node.first_seen = incident.first_seen;
    node.judged = clock_();
    const bool same = known && observations_of(writer, known->id) == incident.observations;
    if (!same) {
      const auto campaign = writer.campaign_of_incident(incident.id);
      std::int64_t id = 0;
      if (campaign) {
        const auto resolved = resolve_campaign(writer, campaign->id);
        id = resolved ? resolved->id : 0;
      } else {
        id = writer.add_campaign({0, incident.title, incident.id, true, clock_(), 0, 0});
        writer.add_act({id, clock_(), "", "founded", "known incident " + incident.id});
      }
      node.id = writer.put_node(node);
      if (!known) writer.set_campaign(node.id, id, true);
      node.campaign = id;
      node.pinned = true;
      put_observations(writer, node.id, incident.observations);
      Linker(writer, clock_()).link(node);
    }
    for (const Link& link : writer.links_of(node.id == 0 ? known->id : node.id)) {
      const auto other = writer.node(link.first == node.id ? link.second : link.first);
      if (other && !other->incident) linked.push_back(other->name);
    }
    return {};
  });
  if (!done) return done.error();
  return linked;
}

Result<std::size_t> Campaigns::reconsider(std::size_t limit) {
  std::size_t looked_at = 0;
  const auto done = store_.write([&](IndicatorWriter& writer) -> Result<void> {
    Linker linker(writer, clock_());
    for (const std::int64_t indicator : writer.changed_indicators(limit)) {
      linker.reconsider(indicator);
      ++looked_at;
    }
    return {};
  });
  if (!done) return done.error();
  return looked_at;
}

Result<void> Campaigns::confirm(std::int64_t id, const std::string& actor) {
  return store_.write([&](IndicatorWriter& writer) -> Result<void> {
    auto campaign = resolve_campaign(writer, id);
    if (!campaign) return no_campaign(id);
    campaign->confirmed = true;
    writer.update_campaign(*campaign);
    for (const Node& member : writer.members(campaign->id)) writer.set_campaign(member.id, campaign->id, member.bad || member.pinned);
    Linker(writer, clock_()).act(campaign->id, "confirmed", "", actor);
    return {};
  });
}

Result<void> Campaigns::name(std::int64_t id, const std::string& name, const std::string& actor) {
  if (name.empty() || name.size() > 200 || !is_utf8(name)) return Error{ErrorCode::invalid, "a name has 1 to 200 bytes of text"};
  return store_.write([&](IndicatorWriter& writer) -> Result<void> {
    auto campaign = resolve_campaign(writer, id);
    if (!campaign) return no_campaign(id);
    campaign->name = name;
    writer.update_campaign(*campaign);
    Linker(writer, clock_()).act(campaign->id, "named", name, actor);
    return {};
  });
}

Result<std::int64_t> Campaigns::split(std::int64_t id, const std::vector<std::string>& nodes, const std::string& actor) {
  std::int64_t made = 0;
  const auto done = store_.write([&](IndicatorWriter& writer) -> Result<void> {
    const auto campaign = resolve_campaign(writer, id);
    if (!campaign) return no_campaign(id);
    std::set<std::int64_t> moved;
    for (const std::string& name : nodes) {
      const auto node = writer.node(name);
      if (!node || node->campaign != campaign->id) return Error{ErrorCode::not_found, fmt::format("{} is no image of campaign {}: `lazaret campaign show {}` lists them", name, id, id)};
      if (node->incident) return Error{ErrorCode::invalid, "a known incident stays with its campaign"};
      moved.insert(node->id);
    }
    if (moved.empty() || moved.size() == campaign->members) return Error{ErrorCode::invalid, "name some images of the campaign, and not all of them"};
    made = writer.add_campaign({0, "", "", false, clock_(), 0, 0});
    for (const std::int64_t node : moved) {
      writer.set_campaign(node, made, true);
      for (const Link& link : writer.links_of(node)) {
        if (link.by_hand && !(moved.contains(link.first) && moved.contains(link.second))) writer.remove_link(link.first, link.second);
      }
    }
    writer.keep_apart(campaign->id, made, true);
    Linker linker(writer, clock_());
    linker.act(made, "split", fmt::format("from campaign {}: {} images", campaign->id, moved.size()), actor);
    linker.act(campaign->id, "split", fmt::format("{} images are campaign {} now", moved.size(), made), actor);
    linker.recompute(campaign->id);
    return {};
  });
  if (!done) return done.error();
  return made;
}

Result<void> Campaigns::merge(std::int64_t into, std::int64_t from, const std::string& actor) {
  return store_.write([&](IndicatorWriter& writer) -> Result<void> {
    const auto first = resolve_campaign(writer, into), second = resolve_campaign(writer, from);
    if (!first) return no_campaign(into);
    if (!second) return no_campaign(from);
    if (first->id == second->id) return Error{ErrorCode::invalid, fmt::format("{} and {} are one campaign", into, from)};
    const auto bad_member = [&](std::int64_t campaign) {
      const std::vector<Node> members = writer.members(campaign);
      const auto found = std::find_if(members.begin(), members.end(), [](const Node& node) { return node.bad; });
      return found == members.end() ? std::int64_t{0} : found->id;
    };
    const std::int64_t a = bad_member(first->id), b = bad_member(second->id);
    Linker linker(writer, clock_());
    writer.keep_apart(first->id, second->id, false);
    // What holds them together when they are computed anew.
    if (a != 0 && b != 0) writer.put_link({std::min(a, b), std::max(a, b), link_threshold, true, {}});
    linker.act(first->id, "merged", fmt::format("campaign {} by hand", second->id), actor);
    linker.absorb(first->id, *second);
    return {};
  });
}

}  // namespace lazaret::intel
