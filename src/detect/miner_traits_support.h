// The words by which a program that speaks with a mining pool is known, whatever it computes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::detect {

// Of the protocols between miner and pool, and of miners' options and messages. In clear; made once.
inline constexpr std::size_t miner_protocol_mark_count = 11, miner_client_mark_count = 16;
const std::vector<std::string>& miner_protocol_marks();
const std::vector<std::string>& miner_client_marks();

struct MinerTraits {
  std::vector<std::string_view> protocol, client;

  // It speaks a pool's protocol as a miner does: not one word that a document could mention.
  bool client_of_pool() const { return protocol.size() >= 2 || (!protocol.empty() && !client.empty()); }
  std::string text() const;  // for the evidence: "protocol: ...; miner's words: ..."
};
// Searches the whole text: for files that are already under suspicion.
MinerTraits miner_traits(std::string_view text);

}  // namespace lazaret::detect
