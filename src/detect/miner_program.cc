// Miners by what they compute, however they are named, stripped or rebuilt.
//
// RandomX (tevador/RandomX, doc/specs.md, 3.2 to 3.4) seeds its AES generators and hash with 18
// fixed 128-bit values (Blake2b of "RandomX AesGenerator1R keys" and so on) and its SuperscalarHash
// with fixed 64-bit ones. No program that computes the same hash can do without them, and rx/2
// keeps them. How they stand in a file:
//   - as 16 bytes in the order of the specification (constants of SSE, NEON and Go code);
//   - as four 32-bit words in the other order (a table written as the source's macros are);
//   - as 32- or 64-bit immediates, instructions in between;
//   - the same in big-endian words.
// One word is searched and the other three must stand near it, in any order: the pass looks for 4
// bytes, which chance alone gives once in four gigabytes for each, and the check removes chance.
//
// A full node and a wallet verify RandomX too (monerod): the algorithm alone is a capability. With
// the client side of a pool's protocol it is a miner, and one that calls itself something else, or
// carries a wallet, is malware.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "detect/detector.h"
#include "detect/incident_data_support.h"
#include "detect/miner_support.h"
#include "detect/miner_traits_support.h"
#include "detect/text_context_support.h"
#include "format/wallet.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.program",
     .category = Category::miner,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Cryptocurrency miner",
     .explanation =
         "The program computes a mining algorithm and speaks a pool's protocol: it turns "
         "the host's electricity into somebody's coins. High when the file calls itself "
         "a miner; critical under another name or with a wallet inside.",
     .remediation = miner_remediation,
     .attack = {"T1496.001", "T1036.005"}},
    {.id = "miner.algorithm",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Program computes RandomX",
     .explanation = "The constants of RandomX are in the program. A full node (monerod) verifies "
                    "with it too; a web server has no use for it.",
     .remediation = "Find out what the program is for.",
     .attack = {"T1496.001"}},
    {.id = "miner.pool-protocol",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Program speaks a mining pool's protocol",
     .explanation = "Requests of a pool's protocol and options of miners stand in the program. "
                    "Pool servers, proxies and monitoring have them as well.",
     .remediation = "Find out what the program is for.",
     .attack = {"T1496.001"}},
};

// The tables are stored masked: stored as they are, every search for RandomX would find this
// program.
constexpr std::uint32_t mask = 0x5a5a5a5a;
using Block = std::array<std::uint32_t, 4>;  // lowest word first
constexpr auto masked_blocks = [] {
  std::array<Block, 18> blocks = {{
      {0x6daca553, 0x62716609, 0xdbb5552b, 0xb4f44917},  // AesGenerator1R keys
      {0x6d7caf07, 0x846a710d, 0x1725d378, 0x0da1dc4e},
      {0x3f1262f1, 0x9f947ec6, 0xf4c0794f, 0x3e20e345},
      {0x6aef8135, 0xb1ba317c, 0x16314c88, 0x49169154},
      {0x6421aadd, 0xd1833ddb, 0x2f546d2b, 0x99e5d23f},  // AesGenerator4R keys 0-3
      {0xb20e3450, 0xb6913f55, 0x06f79d53, 0xa5dfcde5},
      {0x5c3ed904, 0x515e7baf, 0x0aa4679f, 0x171c02bf},
      {0x85623763, 0xe78f5d08, 0xcd673785, 0xd8ded291},
      {0xb5826f73, 0xe3d6a7a6, 0x3d518b6d, 0x229effb4},  // AesGenerator4R keys 4-7
      {0xc7566bf3, 0x9c10b3d9, 0xe9024d4e, 0xb272b7d2},
      {0xf273c9e7, 0xf765a38b, 0x2ba9660a, 0xf63befa7},
      {0x7a7cd609, 0x915839de, 0x0c06d1fd, 0xc0b0762d},
      {0x92b52c0d, 0x9fa856de, 0xcc82db47, 0xd7983aad},  // AesHash1R state
      {0x338d996e, 0x15c7b798, 0xf59e125a, 0xace78057},
      {0x6a770017, 0xae62c7d0, 0x5079506b, 0xe8a07ce4},
      {0x630a240c, 0x07ad828d, 0x79a10005, 0x7e994948},
      {0xf6fa8389, 0x8b24949f, 0x90dc56bf, 0x06890201},  // AesHash1R extra keys
      {0x61b263d1, 0x51f4e03c, 0xee1043c6, 0xed18f99b},
  }};
  for (Block& block : blocks) {
    for (std::uint32_t& word : block) word ^= mask;
  }
  return blocks;
}();
// SuperscalarHash's additions that never changed (src/asm/program_sshash_constants.inc).
constexpr auto masked_additions = [] {
  std::array<std::uint64_t, 5> values = {12065312585734608966u, 5281919268842080866u,
                                         10536153434571861004u, 3398623926847679864u,
                                         9549104520008361294u};
  for (std::uint64_t& value : values) value ^= static_cast<std::uint64_t>(mask) << 32 | mask;
  return values;
}();

// Pattern numbers.
constexpr std::uint32_t words_at = 0;  // first words, little-endian, then big-endian
constexpr std::uint32_t additions_at = words_at + 2 * masked_blocks.size();
constexpr std::uint32_t salt_at = additions_at + masked_additions.size();
constexpr std::uint32_t protocol_at = salt_at + 1;
constexpr std::uint32_t client_at = protocol_at + miner_protocol_mark_count;
constexpr std::uint32_t library_at = client_at + miner_client_mark_count;

std::uint32_t word_of(std::size_t block, std::size_t index) {
  return masked_blocks[block][index] ^ mask;
}

std::array<std::uint8_t, 4> bytes_of(std::uint32_t word, bool big_endian) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i)
    bytes[big_endian ? 3 - i : i] = static_cast<std::uint8_t>(word >> (8 * i));
  return bytes;
}

// The marks in clear, protocol first.
const std::vector<std::string>& marks() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> result = miner_protocol_marks();
    result.insert(result.end(), miner_client_marks().begin(), miner_client_marks().end());
    return result;
  }();
  return list;
}

std::span<const engine::Pattern> patterns() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> result;
    const auto add = [&](Bytes bytes) {
      std::string text;
      for (const std::uint8_t byte : bytes) text += fmt::format("\\x{:02x}", byte);
      result.push_back(std::move(text));
    };
    for (const bool big_endian : {false, true}) {
      for (std::size_t i = 0; i < masked_blocks.size(); ++i)
        add(bytes_of(word_of(i, 0), big_endian));
    }
    for (const std::uint64_t masked : masked_additions) {
      const std::uint64_t value = masked ^ (static_cast<std::uint64_t>(mask) << 32 | mask);
      std::array<std::uint8_t, 8> bytes{};
      for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
      add(bytes);
    }
    result.push_back("RandomX\\x03");  // Argon2 salt of the cache
    return result;
  }();
  static const std::vector<engine::Pattern> list = [] {
    std::vector<engine::Pattern> result;
    for (const std::string& text : texts) result.push_back(engine::regex(text));
    for (const std::string& mark : marks()) result.push_back(engine::literal(mark));
    result.push_back(engine::literal("randomx_calculate_hash"));
    return result;
  }();
  return list;
}

// The other three words stand near the first, in any order.
bool is_block(Bytes content, std::uint64_t begin, std::size_t block, bool big_endian) {
  constexpr std::uint64_t reach = 96;
  const std::uint64_t from = begin > reach ? begin - reach : 0;
  const std::string_view around = as_text(clamp(content, from, begin - from + 4 + reach));
  for (std::size_t i = 1; i < 4; ++i) {
    const auto bytes = bytes_of(word_of(block, i), big_endian);
    if (around.find(as_text(bytes)) == std::string_view::npos) return false;
  }
  return true;
}

struct Evidence {
  std::set<std::size_t> blocks, additions;
  bool salt = false, library = false;  // imports librandomx's functions
  std::set<std::string_view> protocol, client;
  std::uint64_t first = 0;

  bool randomx() const { return !blocks.empty() || additions.size() >= 3 || library; }
};

Evidence collect(const FileView& file) {
  Evidence evidence;
  const auto remember = [&](std::uint64_t begin) {
    if (!evidence.randomx()) evidence.first = begin;
  };
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > file.content.size()) continue;
    if (hit.pattern < additions_at) {
      if (hit.end < 4) continue;
      const std::size_t block = hit.pattern % masked_blocks.size();
      if (evidence.blocks.contains(block)) continue;
      if (!is_block(file.content, hit.end - 4, block, hit.pattern >= masked_blocks.size()))
        continue;
      remember(hit.end - 4);
      evidence.blocks.insert(block);
    } else if (hit.pattern < salt_at) {
      remember(hit.end < 8 ? 0 : hit.end - 8);
      evidence.additions.insert(hit.pattern - additions_at);
    } else if (hit.pattern == salt_at) {
      evidence.salt = true;
    } else if (hit.pattern < client_at) {
      evidence.protocol.insert(marks()[hit.pattern - protocol_at]);
    } else if (hit.pattern < library_at) {
      evidence.client.insert(marks()[hit.pattern - protocol_at]);
    } else if (file.elf != nullptr && !evidence.library) {
      evidence.library =
          std::any_of(file.elf->dynamic_symbols.begin(), file.elf->dynamic_symbols.end(),
                      [](const format::ElfSymbol& symbol) {
                        return !symbol.defined && symbol.name.starts_with("randomx_calculate_hash");
                      });
    }
  }
  return evidence;
}

void inspect(const FileView& file, FileReport& report) {
  const Evidence evidence = collect(file);
  const bool client =
      evidence.protocol.size() >= 2 || (!evidence.protocol.empty() && !evidence.client.empty());
  const bool protocol_only = evidence.protocol.size() >= 2 && evidence.client.size() >= 2;
  if (!evidence.randomx() && !protocol_only) return;

  FileFinding finding;
  finding.offset = evidence.first;
  std::size_t wallets = 0;
  if (client) {
    for (format::FoundWallet& found : format::find_wallets(file.text(), 8)) {
      if (incident_data().wallet_stop_list.contains(found.wallet.value)) continue;
      if (found.wallet.type != "wallet.monero" && found.wallet.type != "wallet.cryptonote" &&
          !evidence.randomx())
        continue;
      ++wallets;
      finding.indicators.push_back({found.wallet.type, found.wallet.value, true});
    }
  }
  if (client && (evidence.randomx() || wallets > 0)) {
    finding.rule = &rules[0];
    if (wallets == 0 && names_a_miner(file.path)) finding.severity = Severity::high;
  } else if (evidence.randomx()) {
    finding.rule = &rules[1];
    if (evidence.blocks.size() + evidence.additions.size() < 2)
      finding.confidence = Confidence::medium;
  } else {
    finding.rule = &rules[2];
  }
  finding.evidence =
      fmt::format("RandomX: {} of {} AES constants, {} of {} of SuperscalarHash{}",
                  evidence.blocks.size(), masked_blocks.size(), evidence.additions.size(),
                  masked_additions.size(), evidence.salt ? ", the cache's salt" : "");
  if (!evidence.randomx()) finding.evidence = "no RandomX";
  const auto list = [&](std::string_view what, const std::set<std::string_view>& marks) {
    if (marks.empty()) return;
    finding.evidence += fmt::format("; {}: {}", what, fmt::join(marks, ", "));
  };
  list("protocol", evidence.protocol);
  list("miner's words", evidence.client);
  if (wallets > 0) finding.evidence += fmt::format("; {} wallets inside", wallets);
  report.add(std::move(finding));
}

}  // namespace

extern const Detector miner_program_detector;
const Detector miner_program_detector = {
    .name = "miner-program",
    .summary = "Finds programs that compute RandomX or speak a mining pool's protocol.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf, format::FileKind::pe, format::FileKind::macho,
              format::FileKind::wasm, format::FileKind::data},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
    .late_patterns = patterns,
};

}  // namespace lazaret::detect
