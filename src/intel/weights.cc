#include "intel/weights.h"

#include <algorithm>
#include <array>

namespace lazaret::intel {
namespace {

// What is of medium weight is what gangs copy from each other, so that it says something while few accounts have it. Content spreads innocently (a base, a tool that many install), so few publishers make it worthless. Wallets, keys and servers belong to somebody: only
// very many publishers, as a donation address has, make them worthless, and it takes several accounts with innocent images, so that nobody washes his
// wallet by naming it in a text.
constexpr std::array kinds = {
    Kind{"image", "image", Group::content, 100, 100, 1000, 4000, 1000, 4000},
    Kind{"layer", "layer", Group::content, 100, 40, 9, 17, 2, 3},
    Kind{"file-sha256", "file", Group::content, 100, 40, 9, 17, 2, 3},
    Kind{"miner-file", "miner program", Group::content, 50, 30, 3, 5, 1, 3},
    Kind{"program-tlsh", "similar program", Group::content, 50, 0, 5, 9, 1, 3},
    Kind{"build-id", "ELF build id", Group::content, 60, 40, 5, 9, 1, 3},
    Kind{"go-build-id", "Go build id", Group::content, 60, 40, 5, 9, 1, 3},
    Kind{"script-tlsh", "similar script", Group::script, 50, 0, 5, 9, 1, 3},
    Kind{"script-shape", "same script but for hosts and numbers", Group::script, 50, 0, 5, 9, 1, 3},
    Kind{"build-path", "build path", Group::build, 50, 20, 5, 9, 1, 3},
    Kind{"build-step", "build step", Group::build, 30, 30, 5, 9, 1, 3},
    Kind{"wallet", "wallet", Group::money, 100, 50, 128, 512, 4, 12},
    Kind{"login", "login at a mining pool", Group::money, 50, 30, 5, 9, 3, 6},
    Kind{"pool", "mining pool", Group::network, 20, 0, 5, 9, 2, 3},
    Kind{"ssh-key", "SSH key", Group::key, 100, 60, 64, 256, 3, 8},
    Kind{"c2", "server and port", Group::network, 100, 60, 64, 256, 3, 8},
    Kind{"url", "URL", Group::network, 100, 50, 64, 256, 2, 5},
    Kind{"host", "server", Group::network, 60, 30, 33, 65, 2, 4},
    Kind{"domain", "domain", Group::network, 60, 30, 33, 65, 2, 4},
    Kind{"port-file", "port and file name", Group::path, 50, 20, 5, 9, 1, 3},
    Kind{"token", "rare word", Group::script, 30, 0, 5, 9, 1, 3},
    Kind{"publisher", "account", Group::account, 100, 100, 1u << 30, 1u << 31, 1u << 30, 1u << 31},
    Kind{"repository", "repository", Group::account, 100, 100, 1u << 30, 1u << 31, 1u << 30, 1u << 31},
    Kind{"account-stem", "account with a similar name", Group::stem, 20, 20, 33, 65, 9, 17},
    Kind{"name-stem", "image with a similar name", Group::stem, 15, 15, 33, 65, 3, 5},
};

}  // namespace

const Kind* find_kind(std::string_view name) {
  if (name.starts_with("wallet.")) name = "wallet";
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& kind) { return kind.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

int rarity(const Kind& kind, const store::IndicatorCounts& counts) {
  if (counts.publishers >= kind.none_at || counts.innocent_publishers >= kind.innocent_none_at) return 0;
  if (counts.publishers >= kind.half_at || counts.innocent_publishers >= kind.innocent_half_at) return 50;
  return 100;
}

int score_of(const std::map<Group, int>& weights) {
  int score = 0, weak = 0;
  for (const auto& [group, weight] : weights) (weight >= 50 ? score : weak) += weight;
  return score + std::min(weak, 15);
}

bool binds_innocent(Group group) { return group == Group::content || group == Group::money || group == Group::network || group == Group::key; }

int similar_up_to(std::string_view kind) { return kind == "script-tlsh" ? 40 : kind == "program-tlsh" ? 30 : 0; }

}  // namespace lazaret::intel
