// Who is linked with a node, and how strongly.
#pragma once

#include <vector>

#include "intel/weights.h"
#include "store/indicator_store.h"

namespace lazaret::intel {

// At most so many links are kept of one new node, and so many nodes looked at for one indicator: where hundreds share something, a few links hold them
// together as well as all.
constexpr std::size_t links_of_node = 8, postings_looked_at = 256;

// Links that hold (score from 100 on), strongest first: the strongest few, and the strongest to each campaign.
std::vector<store::Link> find_links(store::IndicatorReader& reader, const store::Node& node);

// The score of a link between these two by the counts of now.
int score_of(store::IndicatorReader& reader, const store::Link& link, const store::Node& first, const store::Node& second);

// What an entry of the evidence is worth now. What a known incident lists by itself (content, wallet, server, key) is worth it however many have it: somebody
// vouches for it.
int weight_of(const Kind& kind, const store::IndicatorCounts& counts, int weight, bool incident);

}  // namespace lazaret::intel
