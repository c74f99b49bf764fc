#include "detect/miner_traits_support.h"

#include <fmt/format.h>

#include <array>

#include "detect/masked_text.h"

namespace lazaret::detect {
namespace {

constexpr std::array<MaskedText, miner_protocol_mark_count> protocol_marks = {
    "stratum+tcp://", "stratum+ssl://", "mining.subscribe",     "mining.authorize",
    "mining.notify",  "mining.submit",  "\"method\":\"login\"", "\"method\": \"login\"",
    "keepalived",     "getjob",         "daemon+http"};
constexpr std::array<MaskedText, miner_client_mark_count> client_marks = {
    "donate-level",      "rig-id",         "cpu-max-threads-hint", "nicehash",
    "randomx-1gb-pages", "huge-pages-jit", "max-cpu-usage",        "self-select",
    "cryptonight",       "rx/0",           "ghostrider",           "kawpow",
    "astrobwt",          "hashrate",       "donate.v2.xmrig.com",  "pool_address"};
// Common in other programs too, or of other coins: they count only beside an algorithm.
constexpr std::array<MaskedText, 8> more_protocol = {
    "eth_submitLogin",       "eth_submitHashrate", "stratum2+tcp://", "mining.set_difficulty",
    "mining.set_extranonce", "mining.set_target",  "stratum1+tcp://", "EthereumStratum/"};

template <std::size_t N>
std::vector<std::string> clear(const std::array<MaskedText, N>& marks) {
  std::vector<std::string> result;
  for (const MaskedText& mark : marks) result.push_back(mark.text());
  return result;
}

}  // namespace

const std::vector<std::string>& miner_protocol_marks() {
  static const std::vector<std::string> list = clear(protocol_marks);
  return list;
}
const std::vector<std::string>& miner_client_marks() {
  static const std::vector<std::string> list = clear(client_marks);
  return list;
}

MinerTraits miner_traits(std::string_view text) {
  static const std::vector<std::string> more = clear(more_protocol);
  MinerTraits traits;
  const auto search = [&](const std::vector<std::string>& marks, std::vector<std::string_view>& found) {
    for (const std::string& mark : marks) {
      if (text.find(mark) != std::string_view::npos) found.push_back(mark);
    }
  };
  search(miner_protocol_marks(), traits.protocol);
  search(more, traits.protocol);
  search(miner_client_marks(), traits.client);
  return traits;
}

std::string MinerTraits::text() const {
  std::string result;
  if (!protocol.empty()) result += fmt::format("protocol: {}", fmt::join(protocol, ", "));
  if (!client.empty())
    result += fmt::format("{}miner's words: {}", result.empty() ? "" : "; ", fmt::join(client, ", "));
  return result;
}

}  // namespace lazaret::detect
