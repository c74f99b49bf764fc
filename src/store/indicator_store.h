// The index of indicators: which image has which, how rare each is, which images are linked by them, and the campaigns that follow.
//
// A node is an image, by the digest of its manifest, or a known incident. A node is bad when its audit convicted it. How rare an indicator is tell two
// counts: publishers who have it in anything, and publishers who have it in something that was not convicted. Both are kept as nodes come and go, so that
// nothing is ever counted anew.
//
// Small operations, put together into transactions by intel/campaigns.cc. An operation that the database refuses gives nothing, and then the whole
// transaction fails.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/metadata_store.h"

namespace lazaret::store {

struct Node {
  std::int64_t id = 0;
  std::string name;      // digest of the manifest, or "incident:ID"
  bool incident = false;
  bool bad = false;
  std::string verdict;   // clean, suspicious, malicious, incomplete; "" for incidents
  int score = 0;
  std::string attack;    // technique ids with blanks between
  Time first_seen = 0, judged = 0;
  std::int64_t campaign = 0;  // 0: none
  bool pinned = false;        // put there by hand: it stays, whatever links come and go
};

// That a publisher pushed an image to a repository.
struct NodePlace {
  std::string publisher, repository;
  Time at = 0;
  bool operator==(const NodePlace&) const = default;
};

struct Observation {
  std::string kind, value;
  bool flagged = false;  // part of what convicted the node, or proved by a checksum
  auto operator<=>(const Observation&) const = default;
};

struct IndicatorCounts {
  std::int64_t id = 0;
  std::string kind, value;
  std::uint32_t publishers = 0;         // that have it
  std::uint32_t innocent_publishers = 0;  // that have it in a node that is not bad
};

struct Posting {
  std::int64_t node = 0;
  bool incident = false, bad = false, flagged = false;
};

// Why two nodes are linked: one entry for each indicator that they share. `weight` is that of the kind before it is multiplied with rarity.
struct Evidence {
  std::int64_t indicator = 0;  // of the first node
  int weight = 0;
  std::string note;  // "distance 12" for similar ones
};

struct Link {
  std::int64_t first = 0, second = 0;  // first < second
  int score = 0;                       // from 100 on it holds
  bool by_hand = false;
  std::vector<Evidence> evidence;
};

struct Campaign {
  std::int64_t id = 0;
  std::string name;       // given by hand, or that of the known incident
  std::string incident;   // id of the known incident it grew from; "" for none
  bool confirmed = false;
  Time created = 0;
  std::int64_t merged_into = 0;  // not 0: it is part of that one now
  std::uint64_t members = 0;
};

struct CampaignAct {
  std::int64_t campaign = 0;
  Time at = 0;
  std::string actor, act, detail;  // act: founded, joined, left, confirmed, named, split, merged
};

class IndicatorReader {
 public:
  virtual ~IndicatorReader() = default;

  virtual std::optional<Node> node(std::string_view name) = 0;
  virtual std::optional<Node> node(std::int64_t id) = 0;
  virtual std::vector<NodePlace> places_of(std::int64_t node) = 0;
  virtual std::vector<Node> nodes_of_publisher(std::string_view publisher, std::size_t limit) = 0;
  // Of a publisher's nodes: (bad, all).
  virtual std::pair<std::uint64_t, std::uint64_t> publisher_counts(std::string_view publisher) = 0;
  virtual std::uint64_t node_count() = 0;

  virtual std::optional<IndicatorCounts> indicator(std::string_view kind, std::string_view value) = 0;
  virtual std::optional<IndicatorCounts> indicator(std::int64_t id) = 0;
  // By kind and value, after the given; "" begins.
  virtual std::vector<IndicatorCounts> indicators(std::string_view kind, std::string_view after_kind, std::string_view after_value, std::size_t limit) = 0;
  virtual std::vector<std::pair<IndicatorCounts, bool>> indicators_of(std::int64_t node) = 0;  // with `flagged`
  // Known incidents first, then bad ones, then by age.
  virtual std::vector<Posting> postings(std::int64_t indicator, bool bad_only, std::size_t limit) = 0;
  // Indicators of this kind that have at least one of the keys, see put_keys().
  virtual std::vector<IndicatorCounts> with_keys(std::string_view kind, const std::vector<std::uint32_t>& keys, std::size_t limit) = 0;

  virtual std::vector<Link> links_of(std::int64_t node) = 0;
  virtual std::vector<Link> links_by(std::int64_t indicator, std::size_t limit) = 0;

  virtual std::optional<Campaign> campaign(std::int64_t id) = 0;
  virtual std::optional<Campaign> campaign_of_incident(std::string_view incident) = 0;
  // Those that are not part of another.
  virtual std::vector<Campaign> campaigns() = 0;
  virtual std::vector<Node> members(std::int64_t campaign) = 0;
  virtual std::vector<std::int64_t> kept_apart_from(std::int64_t campaign) = 0;
  virtual std::vector<CampaignAct> acts_of(std::int64_t campaign) = 0;
  // Indicators whose rarity changed since it was looked at.
  virtual std::vector<std::int64_t> changed_indicators(std::size_t limit) = 0;
};

class IndicatorWriter : public IndicatorReader {
 public:
  // Adds the node, or replaces one of this name. Returns its id. Changing `bad` of a node with indicators needs put_observations() after it.
  virtual std::int64_t put_node(const Node& node) = 0;
  virtual void set_campaign(std::int64_t node, std::int64_t campaign, bool pinned) = 0;
  // Adds a place; false when it was known.
  virtual bool add_place(std::int64_t node, const NodePlace& place) = 0;
  // Replaces what the node has. `observations`: each (kind, value) once.
  virtual void put_observations(std::int64_t node, const std::vector<Observation>& observations) = 0;
  virtual void put_keys(std::int64_t indicator, std::string_view kind, const std::vector<std::uint32_t>& keys) = 0;
  // With its observations, places and links.
  virtual void remove_node(std::int64_t node) = 0;
  virtual void clear_changed(std::int64_t indicator) = 0;

  virtual void put_link(const Link& link) = 0;
  virtual void remove_link(std::int64_t first, std::int64_t second) = 0;

  // Returns its id; `campaign.id` is not used.
  virtual std::int64_t add_campaign(const Campaign& campaign) = 0;
  // Name, confirmed and merged_into.
  virtual void update_campaign(const Campaign& campaign) = 0;
  virtual void keep_apart(std::int64_t first, std::int64_t second, bool apart) = 0;
  virtual void add_act(const CampaignAct& act) = 0;
};

// Thread-safe.
class IndicatorStore {
 public:
  virtual ~IndicatorStore() = default;
  virtual Result<void> read(const std::function<void(IndicatorReader&)>& work) = 0;
  // One at a time; nothing happens when it returns an error or the store fails.
  virtual Result<void> write(const std::function<Result<void>(IndicatorWriter&)>& work) = 0;
};

// SQLite in one file, or in memory for "". What it holds can be made again from the images, so that losing the last second with the power is no harm.
Result<std::unique_ptr<IndicatorStore>> open_sqlite_indicator_store(const std::string& path);

}  // namespace lazaret::store
