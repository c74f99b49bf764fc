// Who is linked with a node, and how strongly.
#pragma once

#include <vector>

#include "store/indicator_store.h"

namespace lazaret::intel {

// At most so many links are kept of one new node, and so many nodes looked at for one indicator: where hundreds share something, a few links hold them
// together as well as all.
constexpr std::size_t links_of_node = 8, postings_looked_at = 256;

// Links that hold (score from 100 on), strongest first: the strongest few, and the strongest to each campaign.
std::vector<store::Link> find_links(store::IndicatorReader& reader, const store::Node& node);

// The score of a link by the counts of now.
int score_of(store::IndicatorReader& reader, const store::Link& link, bool both_bad);

}  // namespace lazaret::intel
