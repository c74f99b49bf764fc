// Miners of coins other than Monero, by tables and constants that their hash functions cannot do without:
//
//   CryptoNight   (CryptoNote standard 008, "CryptoNight Hash Function"): its last step is one of BLAKE-256, Groestl-256, JH-256 and Skein-512-256, chosen by
//                 the state. X11 and its relatives chain them too. Nothing else has these three losers of the SHA-3 contest in one program but
//                 nodes of such coins and libraries of all hash functions:
//                   Skein-512-256: the initial chaining value (Skein 1.3, appendix B)
//                   JH-256: the initial hash value and the first round constant of E8 (JH, section 4.5 and appendix)
//                   Groestl: the first entries of the tables of S-box times MixBytes (Groestl, section 8.1.3, as 32- and 64-bit columns)
//   Ethash        the sizes of dataset and cache of the first epochs (Ethash, appendix "Data Sizes"), as tables have them
//   KawPow        the 15 words that fill the state of its first Keccak-f[800] (Ravencoin, ProgPoW.cpp)
//   Equihash      personalisation of BLAKE2b (ZIP 200, "ZcashPoW"; Bitcoin Gold; Zero)
//   on GPUs       names of OpenCL and CUDA kernels
//
// Constants stand in tables, or as 64-bit immediates of the code; a hit is only taken when the next constant stands near.
//
// Innocent: nodes and wallets of these coins (monerod, geth, zcashd, ravend) verify with the same functions, and hashcat and john carry many. So the function
// alone is a capability, low or medium; with the client side of a pool's protocol it is a miner.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "detect/detector.h"
#include "detect/masked_text.h"
#include "detect/miner_support.h"
#include "detect/miner_traits_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.program-with-hash",
     .category = Category::miner,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Cryptocurrency miner (CryptoNight, X11, Ethash, KawPow, Equihash)",
     .explanation =
         "The program computes a mining algorithm and speaks a pool's protocol: it turns "
         "the host's electricity into somebody's coins. High when the file calls itself "
         "a miner; critical under another name.",
     .remediation = miner_remediation,
     .attack = {"T1496.001", "T1036.005"}},
    {.id = "miner.hash-function",
     .category = Category::miner,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Program computes the hash function of a coin",
     .explanation = "The tables of a mining algorithm are in the program, but no word of a pool's "
                    "protocol. Nodes and wallets of the coin verify with it too; a web server has "
                    "no use for it.",
     .remediation = "Find out what the program is for.",
     .attack = {"T1496.001"}},
    {.id = "miner.gpu-kernel",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Mining kernel for graphics cards",
     .explanation = "Kernels in OpenCL or CUDA that search for solutions of a mining algorithm. "
                    "Only miners compute them on graphics cards.",
     .remediation = miner_remediation,
     .attack = {"T1496.001"}},
};

// What is computed, and the parts of it that must come together.
enum class Part : std::uint8_t { skein, jh, groestl, ethash, kawpow, equihash, kernel };
constexpr std::array<std::string_view, 7> part_names = {
    "Skein-512-256", "JH-256",   "Groestl-256", "sizes of Ethash's dataset",
    "KawPow's state", "Equihash", "GPU kernel"};

constexpr std::uint64_t mask = 0x5a5a5a5a5a5a5a5a;

// `first` is searched, in both byte orders; `next` must stand within 64 bytes behind it or before it.
struct Constant {
  Part part;
  std::uint64_t first, next;  // masked, so that a search for these functions does not find this program
};
constexpr std::array<Constant, 8> constants = {{
    {Part::skein, 0xCCD044A12FDB3E13 ^ mask, 0xE83590301A79A9EB ^ mask},
    {Part::jh, 0xeb98a3412c20d3eb ^ mask, 0x92cdbe7b9cb245c1 ^ mask},
    {Part::jh, 0x72d5dea2df15f867 ^ mask, 0x7b84150ab7231557 ^ mask},
    // Two columns of 32 bits: a5f432c6 c6a597f4, 84976ff8 f884eb97 as little-endian words in a row.
    {Part::groestl, 0xc6a597f4a5f432c6 ^ mask, 0xf884eb9784976ff8 ^ mask},
    // One column of 64 bits: the same digits turned.
    {Part::groestl, 0xc632f4a5f497a5c6 ^ mask, 0xf86f978497eb84f8 ^ mask},
    {Part::ethash, 1073739904 ^ mask, 1082130304 ^ mask},
    {Part::ethash, 16776896 ^ mask, 16907456 ^ mask},
    {Part::kawpow, (0x72ull | 0x41ull << 32) ^ mask, (0x56ull | 0x45ull << 32) ^ mask},
}};

constexpr std::array<MaskedText, 3> personalisations = {"ZcashPoW", "BgoldPoW", "ZERO_PoW"};
constexpr std::array<MaskedText, 8> kernels = {
    "ethash_calculate_dag_item", "ethash_search",   "progpow_search",        "fillAes1Rx4_scratchpad",
    "cryptonight_core_gpu",      "cn0_cn_gpu",      "ethash_generate_dag",   "kawpow_search"};

std::array<std::uint8_t, 8> bytes_of(std::uint64_t masked, bool big_endian) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < 8; ++i)
    bytes[big_endian ? 7 - i : i] = static_cast<std::uint8_t>((masked ^ mask) >> (8 * i));
  return bytes;
}

constexpr std::uint32_t personalisation_at = 2 * constants.size();
constexpr std::uint32_t kernel_at = personalisation_at + personalisations.size();

const std::vector<std::string>& words() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> result;
    for (const MaskedText& word : personalisations) result.push_back(word.text());
    for (const MaskedText& word : kernels) result.push_back(word.text());
    return result;
  }();
  return list;
}

std::span<const engine::Pattern> patterns() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> result;
    for (const Constant& constant : constants) {
      for (const bool big_endian : {false, true}) {
        std::string text;
        for (const std::uint8_t byte : bytes_of(constant.first, big_endian))
          text += fmt::format("\\x{:02x}", byte);
        // Small numbers have many zeros in front; the next one makes them rare.
        if (constant.part == Part::ethash || constant.part == Part::kawpow) {
          for (const std::uint8_t byte : bytes_of(constant.next, big_endian))
            text += fmt::format("\\x{:02x}", byte);
        }
        result.push_back(std::move(text));
      }
    }
    return result;
  }();
  static const std::vector<engine::Pattern> list = [] {
    std::vector<engine::Pattern> result;
    for (const std::string& text : texts) result.push_back(engine::regex(text));
    for (const std::string& word : words()) result.push_back(engine::literal(word));
    return result;
  }();
  return list;
}

bool next_is_near(Bytes content, std::uint64_t end, const Constant& constant, bool big_endian) {
  constexpr std::uint64_t reach = 64;
  const std::uint64_t from = end > reach + 8 ? end - 8 - reach : 0;
  const auto next = bytes_of(constant.next, big_endian);
  return as_text(clamp(content, from, end - from + reach)).find(as_text(next)) !=
         std::string_view::npos;
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  const bool program = !format::is_text(file.type.kind);
  std::set<Part> parts;
  std::set<std::string_view> names;
  std::uint64_t first = 0;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    Part part = Part::kernel;
    if (hit.pattern < personalisation_at) {
      const Constant& constant = constants[hit.pattern / 2];
      const bool twice = constant.part == Part::ethash || constant.part == Part::kawpow;
      if (!twice && !next_is_near(file.content, hit.end, constant, hit.pattern % 2 == 1)) continue;
      part = constant.part;
    } else if (hit.pattern < kernel_at) {
      part = Part::equihash;
    }
    // A name in text is a mention, unless it is the kernel's source.
    if (!program && (part != Part::kernel || text.find("__kernel") == std::string_view::npos)) continue;
    if (hit.pattern >= personalisation_at) names.insert(words()[hit.pattern - personalisation_at]);
    if (parts.empty()) first = hit.end - std::min<std::uint64_t>(hit.end, 8);
    parts.insert(part);
  }
  if (parts.empty()) return;

  const std::size_t finalists = parts.count(Part::skein) + parts.count(Part::jh) + parts.count(Part::groestl);
  const bool other = parts.contains(Part::ethash) || parts.contains(Part::kawpow) || parts.contains(Part::equihash);
  const bool kernel = parts.contains(Part::kernel) && (!program || names.size() >= 2 || finalists > 0 || other);
  const MinerTraits traits = program ? miner_traits(text) : MinerTraits{};

  FileFinding finding;
  finding.offset = first;
  if (traits.client_of_pool() && (finalists >= 2 || other || parts.contains(Part::kernel))) {
    finding.rule = &rules[0];
    if (names_a_miner(file.path)) finding.severity = Severity::high;
  } else if (kernel) {
    finding.rule = &rules[2];
  } else if (finalists >= 3 || other) {
    finding.rule = &rules[1];
    if (finalists < 3) finding.severity = Severity::low;
  } else {
    return;
  }
  std::vector<std::string_view> found;
  for (const Part part : parts) found.push_back(part_names[static_cast<std::size_t>(part)]);
  finding.evidence = fmt::format("{}{}{}{}", fmt::join(found, ", "), names.empty() ? "" : ": ", fmt::join(names, ", "),
                                 finalists >= 2 ? " (as CryptoNight and X11 use together)" : "");
  if (const std::string more = traits.text(); !more.empty()) finding.evidence += "; " + more;
  report.add(std::move(finding));
}

}  // namespace

extern const Detector miner_hash_function_detector;
const Detector miner_hash_function_detector = {
    .name = "miner-hash-function",
    .summary = "Finds programs that compute CryptoNight, X11, Ethash, KawPow or Equihash, and mining kernels for graphics cards.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf, format::FileKind::pe, format::FileKind::macho,
              format::FileKind::wasm, format::FileKind::data, format::FileKind::text},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
    .late_patterns = patterns,
};

}  // namespace lazaret::detect
