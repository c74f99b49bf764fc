// Campaigns: which images belong together, and why.
//
// Images that share rare indicators are linked (weights.h); images that are linked, directly or over others, are one campaign. Only what an audit
// convicted can tie a campaign together: an image that was not convicted may be attached to one, when it shares something that nobody has by chance, and
// nothing further follows from it. Links are kept with their reasons, and a campaign is computed anew, by itself, when a link of it goes: when an
// indicator turns out to be common, or an audit changes its mind.
//
// What people decide (confirm, split, merge, name) stays: pinned images stay where they are, and campaigns that were told apart are not joined by any
// image that comes later. Two known incidents are never joined but by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "intel/weights.h"
#include "store/indicator_store.h"

namespace lazaret::intel {

struct ImageFacts {
  Digest digest;
  std::vector<store::NodePlace> places;
  std::string verdict;
  int score = 0;
  bool bad = false;
  std::string attack;  // technique ids with blanks between
  store::Time first_seen = 0;
  std::vector<store::Observation> observations;  // tidy(), without those of the places
};

struct Reason {
  std::string kind, value;
  int weight = 0;  // after rarity
  std::string note;
};

struct LinkView {
  std::string other;  // name of the node at the other end
  bool incident = false, bad = false;
  std::int64_t campaign = 0;  // of the other end
  int score = 0;
  bool by_hand = false;
  std::vector<Reason> reasons;
};

struct Placement {
  std::int64_t campaign = 0;  // 0: none
  bool bad = false;
  std::vector<LinkView> links;  // strongest first
};
// "it shares the wallet 4Abc... with sha256:... (campaign 7)". "" without links. Escaped.
std::string describe(const Placement& placement);
// "wallet 4Abc... (100), port and file name 8220/logo.jpg (50)". Escaped.
std::string describe(const std::vector<Reason>& reasons);

// Thread-safe, as the store is, which must outlive it. Each call is one transaction.
class Campaigns {
 public:
  using Clock = std::function<store::Time()>;
  Campaigns(store::IndicatorStore& store, Clock clock) : store_(store), clock_(std::move(clock)) {}

  // Indexes an image, or indexes it anew after another audit, and links it. Touches what it is linked with and nothing else.
  Result<Placement> learn(const ImageFacts& image);
  Result<Placement> placement(const Digest& digest);
  // Somebody pushed an image that may be indexed already.
  Result<void> add_place(const Digest& digest, const store::NodePlace& place);
  // By a person's decision, or a new verdict without an audit. Nothing when the image is not indexed.
  Result<void> set_bad(const Digest& digest, bool bad);
  Result<void> forget(const Digest& digest);

  // A known incident, which founds a campaign of its name or grows it. Returns the images that it is linked with now: digests.
  struct Incident {
    std::string id, title, attack;
    store::Time first_seen = 0;
    std::vector<store::Observation> observations;
  };
  Result<std::vector<std::string>> learn_incident(const Incident& incident);

  // Looks again at links whose indicators became more or less common; at most `limit` indicators. Returns how many it looked at.
  Result<std::size_t> reconsider(std::size_t limit);

  // --- by hand; `actor` is for the record. Errors name what does not exist.
  Result<void> confirm(std::int64_t campaign, const std::string& actor);
  Result<void> name(std::int64_t campaign, const std::string& name, const std::string& actor);
  // Makes a campaign of its own of some images (names of nodes). Returns its id.
  Result<std::int64_t> split(std::int64_t campaign, const std::vector<std::string>& nodes, const std::string& actor);
  // `from` becomes part of `into`.
  Result<void> merge(std::int64_t into, std::int64_t from, const std::string& actor);

  store::IndicatorStore& store() { return store_; }

 private:
  store::IndicatorStore& store_;
  const Clock clock_;
};

// The links of a node as people want to see them.
std::vector<LinkView> view_links(store::IndicatorReader& reader, const store::Node& node);

// The campaign with this id, or what it was merged into; nothing when there never was one.
std::optional<store::Campaign> resolve_campaign(store::IndicatorReader& reader, std::int64_t id);

}  // namespace lazaret::intel
