#include "intel/linking.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "format/similarity_hash.h"
#include "intel/weights.h"

namespace lazaret::intel {
namespace {

using store::Evidence;
using store::IndicatorCounts;
using store::IndicatorReader;
using store::Link;
using store::Node;
using store::Posting;

constexpr std::size_t similar_looked_at = 64, candidates_looked_at = 512, matches_of_incident = 100'000;

bool is_listable(const Kind& kind) { return kind.flagged >= 100 && binds_innocent(kind.group); }

struct Candidate {
  bool bad = false;
  std::map<Group, int> weights;  // the heaviest of each group, after rarity
  std::vector<Evidence> evidence;
  int score = 0;
};

class Search {
 public:
  Search(IndicatorReader& reader, const Node& node) : reader_(reader), node_(node) {}

  std::vector<Link> run() {
    for (const auto& [counts, flagged] : reader_.indicators_of(node_.id)) {
      const Kind* kind = find_kind(counts.kind);
      if (kind == nullptr) continue;
      look(*kind, counts, counts, flagged, "");
      const int distance_limit = similar_up_to(counts.kind);
      if (distance_limit == 0) continue;
      for (const IndicatorCounts& other : reader_.with_keys(counts.kind, format::similarity_keys(counts.value), similar_looked_at)) {
        if (other.id == counts.id) continue;
        const int distance = format::similarity_distance(counts.value, other.value);
        if (distance >= 0 && distance <= distance_limit) look(*kind, counts, other, flagged, fmt::format("distance {} to {}", distance, other.value));
      }
    }
    return choose();
  }

 private:
  // `own` is the node's, `other` what others have: the same, or similar.
  void look(const Kind& kind, const IndicatorCounts& own, const IndicatorCounts& other, bool flagged, const std::string& note) {
    const int rare = std::min(rarity(kind, own), rarity(kind, other));
    const bool listable = is_listable(kind);
    if (rare == 0 && !listable) return;
    // What was not convicted is looked for only by what convicts.
    const bool bad_only = !node_.bad || !flagged || !binds_innocent(kind.group);
    // Where it is common, only incidents count, which come first.
    const std::size_t limit = node_.incident ? matches_of_incident : rare == 0 ? 4 : postings_looked_at;
    for (const Posting& posting : reader_.postings(other.id, bad_only, limit)) {
      if (posting.node == node_.id) continue;
      const bool listed = listable && (node_.incident || posting.incident);
      if (rare == 0 && !listed) continue;
      int weight = flagged || posting.flagged ? kind.flagged : kind.other;
      // An account that publishes all sorts of things, as a mirror does, says little of two of them.
      if (kind.name == "publisher") weight = node_.incident ? 50 : share_of(own.value);
      const int counted = listed ? weight : weight * rare / 100;
      if (counted == 0) continue;
      Candidate& candidate = candidates_[posting.node];
      candidate.bad = posting.bad;
      int& heaviest = candidate.weights[kind.group];
      heaviest = std::max(heaviest, counted);
      candidate.evidence.push_back({own.id, weight, note});
    }
  }

  int share_of(const std::string& publisher) {
    const auto [known, is_new] = shares_.emplace(publisher, 0);
    if (is_new) {
      const auto [bad, all] = reader_.publisher_counts(publisher);
      known->second = all == 0 ? 50 : static_cast<int>(100 * bad / all);
    }
    return known->second;
  }

  std::vector<Link> choose() {
    std::vector<std::pair<int, std::int64_t>> ranked;
    for (auto& [id, candidate] : candidates_) {
      if (!node_.bad && !candidate.bad) continue;
      if (!(node_.bad && candidate.bad)) std::erase_if(candidate.weights, [](const auto& weight) { return !binds_innocent(weight.first); });
      candidate.score = score_of(candidate.weights);
      if (candidate.score >= link_threshold) ranked.emplace_back(candidate.score, id);
    }
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    if (ranked.size() > candidates_looked_at && !node_.incident) ranked.resize(candidates_looked_at);
    std::vector<Link> links;
    std::set<std::int64_t> campaigns;
    std::size_t innocent = 0;
    for (const auto& [score, id] : ranked) {
      Candidate& candidate = candidates_[id];
      const auto other = reader_.node(id);
      if (!other) continue;
      const bool new_campaign = candidate.bad && campaigns.insert(other->campaign).second;
      // All that were not convicted: each of them may have to be held.
      const bool attached = node_.incident || (!candidate.bad && innocent++ < postings_looked_at);
      if (links.size() >= links_of_node && !new_campaign && !attached) continue;
      std::sort(candidate.evidence.begin(), candidate.evidence.end(), [](const Evidence& a, const Evidence& b) { return a.weight > b.weight; });
      if (candidate.evidence.size() > 16) candidate.evidence.resize(16);
      links.push_back({std::min(node_.id, id), std::max(node_.id, id), score, false, std::move(candidate.evidence)});
    }
    return links;
  }

  IndicatorReader& reader_;
  const Node& node_;
  std::unordered_map<std::int64_t, Candidate> candidates_;
  std::map<std::string, int> shares_;
};

}  // namespace

std::vector<Link> find_links(IndicatorReader& reader, const Node& node) { return Search(reader, node).run(); }

int weight_of(const Kind& kind, const IndicatorCounts& counts, int weight, bool incident) {
  return incident && is_listable(kind) ? weight : weight * rarity(kind, counts) / 100;
}

int score_of(IndicatorReader& reader, const Link& link, const Node& first, const Node& second) {
  std::map<Group, int> weights;
  for (const Evidence& evidence : link.evidence) {
    const auto counts = reader.indicator(evidence.indicator);
    const Kind* kind = counts ? find_kind(counts->kind) : nullptr;
    if (kind == nullptr || (!(first.bad && second.bad) && !binds_innocent(kind->group))) continue;
    int& heaviest = weights[kind->group];
    heaviest = std::max(heaviest, weight_of(*kind, *counts, evidence.weight, first.incident || second.incident));
  }
  return score_of(weights);
}

}  // namespace lazaret::intel
