// What a shared indicator is worth when two images are compared (docs/campaigns.md has the table and the reasons).
//
// A link needs 100: one strong indicator, or two of medium weight that are not two sides of one fact. Kinds are therefore put into groups, and of each
// group only the heaviest counts. What many publishers have weighs nothing, whatever its kind.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "store/indicator_store.h"

namespace lazaret::intel {

constexpr int link_threshold = 100;

enum class Group : std::uint8_t {
  content,  // the same or similar bytes
  money,    // where the gain goes: wallets, logins
  network,  // servers
  path,     // port and file name that stay when the server changes
  key,      // SSH keys
  script,   // similar scripts
  build,    // where and how it was built
  account,  // who published it, under which name
  stem,     // names that are alike
};

struct Kind {
  std::string_view name;
  std::string_view title;  // for people: "wallet"
  Group group = Group::content;
  int flagged = 0;   // weight when it is part of what convicted an image
  int other = 0;     // weight otherwise
  // Publishers that may have it before it counts half, and nothing: all of them, and those with images that were not convicted.
  std::uint32_t half_at = 0, none_at = 0;
  std::uint32_t innocent_half_at = 0, innocent_none_at = 0;
};

// Null for a kind that is not known. Wallets of all currencies are one kind here: "wallet.monero" finds "wallet".
const Kind* find_kind(std::string_view name);

// 0, 50 or 100 percent.
int rarity(const Kind& kind, const store::IndicatorCounts& counts);

// The score of what two nodes share, from the heaviest weight of each group after rarity. Weak ones (below 50) never make a link by adding up: together they
// count 15 at most.
int score_of(const std::map<Group, int>& weights);

// Whether the kind may tie an image that was not convicted to one that was.
bool binds_innocent(Group group);

// Largest TLSH distance at which two values of this kind count as the same; 0 for kinds that must be equal.
int similar_up_to(std::string_view kind);

}  // namespace lazaret::intel
