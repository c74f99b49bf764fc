// Addresses of wallets, as indicators: what ties images of one actor together.
//
// A wallet alone is no guilt: donation pages, documentation and test vectors are full of them. So
// this detector reports indicators, and a finding only where the image's own settings hand a
// miner's kind of wallet to whatever it runs. Wallets as logins of pools: miner_*.cc.
#include "format/wallet.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "detect/detector.h"
#include "detect/incident_data_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.wallet-in-settings",
     .category = Category::miner,
     .severity = Severity::medium,
     .confidence = Confidence::high,
     .title = "Image settings hold a wallet of a coin that is mined with CPUs",
     .explanation = "The environment or the command of the image names a Monero-like wallet. Shops "
                    "that take payments do that too; most such images mine.",
     .remediation = "Find out what the image does with it.",
     .attack = {"T1496.001"}},
};

constexpr std::size_t shortest = 26, longest = 114;  // characters of an address
constexpr std::size_t most = 16;                     // more in one file make a list of addresses

constexpr auto alphanumeric = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  return table;
}();

// What can begin an address: short ones (Bitcoin, Ethereum) have few first letters, and hashes in
// hex are many.
bool may_begin(char first, std::size_t size) {
  constexpr std::size_t shortest_cryptonote = 90;
  return size >= shortest_cryptonote ||
         std::string_view("123mnbBtT0").find(first) != std::string_view::npos;
}

// Runs of letters and digits in which an address fits. Most bytes are never looked at: of any
// `shortest` bytes in a row only the last is, unless it belongs to a run.
template <typename Visit>
void for_each_candidate(Bytes bytes, const Visit& visit) {
  const std::size_t size = bytes.size();
  std::size_t begin = 0;  // nothing before this belongs to an unvisited run
  while (begin + shortest <= size) {
    std::size_t probe = begin + shortest;
    while (probe > begin && alphanumeric[bytes[probe - 1]]) --probe;
    if (probe > begin) {  // bytes[probe - 1] ends every run that began earlier
      begin = probe;
      continue;
    }
    std::size_t end = begin + shortest;
    while (end < size && alphanumeric[bytes[end]]) ++end;
    if (end - begin <= longest && !visit(begin, end)) return;
    begin = end;
  }
}

void inspect(const FileView& file, FileReport& report) {
  if (is_documentation(file.path) && file.origin == Origin::file) return;
  const std::string_view text = file.text();
  std::vector<format::FoundWallet> found;
  std::set<std::string> values;
  bool cut = false;
  for_each_candidate(file.content, [&](std::size_t begin, std::size_t end) {
    if (!may_begin(text[begin], end - begin)) return true;
    auto wallet = format::find_wallet_at_start(text.substr(begin, end - begin));
    if (!wallet || incident_data().wallet_stop_list.contains(wallet->value)) return true;
    if (!values.insert(wallet->value).second) return true;
    if (found.size() == most) {
      cut = true;
      return false;
    }
    found.push_back({begin, std::move(*wallet)});
    return true;
  });
  if (cut) return;  // test vectors or a list of contracts: ties nothing together
  const bool settings = file.origin == Origin::config || file.origin == Origin::environment;
  for (const format::FoundWallet& entry : found) {
    const format::Wallet& wallet = entry.wallet;
    Indicator indicator{wallet.type, wallet.value, true};
    if (settings && (wallet.type == "wallet.monero" || wallet.type == "wallet.cryptonote")) {
      FileFinding finding;
      finding.rule = &rules[0];
      finding.offset = entry.offset;
      finding.evidence = evidence_of(text, entry.offset, entry.offset + wallet.value.size());
      finding.indicators.push_back(std::move(indicator));
      report.add(std::move(finding));
    } else {
      report.add_indicator(std::move(indicator), entry.offset);
    }
  }
}

}  // namespace

extern const Detector wallet_detector;
const Detector wallet_detector = {
    .name = "wallet",
    .summary = "Finds wallets with a right checksum, as indicators.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::text, format::FileKind::script, format::FileKind::json,
              format::FileKind::xml, format::FileKind::elf, format::FileKind::python_bytecode,
              format::FileKind::java_class, format::FileKind::wasm},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
