// Miners by what they compute: constants that every implementation of an algorithm must contain, however it is named, stripped or rebuilt.
//
// RandomX (tevador/RandomX, doc/specs.md, 3.2-3.4 and src/aes_hash.cpp) seeds its AES generators with fixed keys. They stand in a program as 16 contiguous bytes, in
// either word order, or as 32-bit immediates. monerod and wallets verify RandomX too, so the algorithm alone is a capability; with a pool protocol beside it, it is a
// miner.
#include <algorithm>
#include <array>
#include <set>

#include "detect/detector.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {"miner.program", Category::miner, Severity::critical, Confidence::high, "Cryptocurrency miner",
     "The program computes a mining algorithm and speaks a pool's protocol: it turns the host's electricity into somebody's coins. Its name and strings do not matter, the algorithm's constants do.",
     "Do not run the image. Declared miner images are a matter of policy: allow them by an ignore entry.", {"T1496.001"}},
    {"miner.algorithm", Category::miner, Severity::high, Confidence::medium, "Program computes a mining algorithm",
     "The constants of RandomX are in the program. A full node (monerod) verifies with it too; a web server has no use for it.", "Find out what the program is for.", {"T1496.001"}},
    {"miner.pool-protocol", Category::miner, Severity::medium, Confidence::medium, "Program speaks a mining pool's protocol",
     "The requests of a mining pool's protocol stand in the program. Pool servers, proxies and monitoring have them as well.", "Find out what the program is for.", {"T1496.001"}},
};

// Keys of AesGenerator1R and 4R and states of AesHash1R, as bytes in the order of the specification. The reverse order is searched as well: _mm_set_epi32 takes the words from
// the highest to the lowest.
constexpr engine::Pattern patterns[] = {
    // 0-5: as in the specification
    engine::regex("\\x53\\xa5\\xac\\x6d\\x09\\x66\\x71\\x62\\x2b\\x55\\xb5\\xdb\\x17\\x49\\xf4\\xb4"),
    engine::regex("\\x07\\xaf\\x7c\\x6d\\x0d\\x71\\x6a\\x84\\x78\\xd3\\x25\\x17\\x4e\\xdc\\xa1\\x0d"),
    engine::regex("\\xf1\\x62\\x12\\x3f\\xc6\\x7e\\x94\\x9f\\x4f\\x79\\xc0\\xf4\\x45\\xe3\\x20\\x3e"),
    engine::regex("\\x35\\x81\\xef\\x6a\\x7c\\x31\\xba\\xb1\\x88\\x4c\\x31\\x16\\x54\\x91\\x16\\x49"),
    engine::regex("\\x0d\\x2c\\xb5\\x92\\xde\\x56\\xa8\\x9f\\x47\\xdb\\x82\\xcc\\xad\\x3a\\x98\\xd7"),
    engine::regex("\\xdd\\xaa\\x21\\x64\\xdb\\x3d\\x83\\xd1\\x2b\\x6d\\x54\\x2f\\x3f\\xd2\\xe5\\x99"),
    // 6-11: words reversed (the 128-bit value in the other word order)
    engine::regex("\\xb4\\xf4\\x49\\x17\\xdb\\xb5\\x55\\x2b\\x62\\x71\\x66\\x09\\x6d\\xac\\xa5\\x53"),
    engine::regex("\\x0d\\xa1\\xdc\\x4e\\x17\\x25\\xd3\\x78\\x84\\x6a\\x71\\x0d\\x6d\\x7c\\xaf\\x07"),
    engine::regex("\\x3e\\x20\\xe3\\x45\\xf4\\xc0\\x79\\x4f\\x9f\\x94\\x7e\\xc6\\x3f\\x12\\x62\\xf1"),
    engine::regex("\\x49\\x16\\x91\\x54\\x16\\x31\\x4c\\x88\\xb1\\xba\\x31\\x7c\\x6a\\xef\\x81\\x35"),
    engine::regex("\\xd7\\x98\\x3a\\xad\\xcc\\x82\\xdb\\x47\\x9f\\xa8\\x56\\xde\\x92\\xb5\\x2c\\x0d"),
    engine::regex("\\x99\\xe5\\xd2\\x3f\\x2f\\x54\\x6d\\x2b\\xd1\\x83\\x3d\\xdb\\x64\\x21\\xaa\\xdd"),
    // 12-19: the 32-bit words of the first two keys, as immediates in either byte order
    engine::literal("\x53\xa5\xac\x6d"), engine::literal("\x6d\xac\xa5\x53"), engine::literal("\x2b\x55\xb5\xdb"), engine::literal("\xdb\xb5\x55\x2b"),
    engine::literal("\x17\x49\xf4\xb4"), engine::literal("\xb4\xf4\x49\x17"), engine::literal("\x78\xd3\x25\x17"), engine::literal("\x17\x25\xd3\x78"),
    // 20: Argon2 salt of RandomX's cache
    engine::literal("RandomX\x03"),
    // 21-: pool protocol and client
    engine::literal("stratum+tcp://"), engine::literal("stratum+ssl://"), engine::literal("\"method\":\"login\""), engine::literal("\"method\": \"login\""), engine::literal("mining.subscribe"),
    engine::literal("mining.authorize"), engine::literal("mining.submit"), engine::literal("keepalived"), engine::literal("\"method\":\"submit\""), engine::literal("\"method\": \"submit\""),
    engine::literal("donate-level"), engine::literal("donate.v2.xmrig.com"), engine::literal("rig-id"), engine::literal("cryptonight"), engine::literal("randomx/"), engine::literal("nicehash"),
    engine::literal("xmrig"), engine::literal("job_id"),
};
constexpr std::uint32_t first_word = 12, salt = 20, first_protocol = 21;

void inspect(const FileView& file, FileReport& report) {
  std::set<std::uint32_t> keys, words, protocol;
  std::uint64_t first_key = 0;
  bool has_salt = false;
  std::vector<std::uint64_t> word_ends;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.pattern < first_word) {
      if (keys.empty()) first_key = hit.end - 16;
      keys.insert(hit.pattern % 6);
    } else if (hit.pattern < salt) {
      words.insert((hit.pattern - first_word) / 2);
      word_ends.push_back(hit.end);
    } else if (hit.pattern == salt) {
      has_salt = true;
    } else {
      protocol.insert(hit.pattern);
    }
  }
  // Immediates: all four words within one function. One alone is a coincidence that happens in gigabytes.
  bool immediates = false;
  if (words.size() == 4) {
    const auto [low, high] = std::minmax_element(word_ends.begin(), word_ends.end());
    immediates = *high - *low < 64 << 10;
    if (immediates && keys.empty()) first_key = *low - 4;
  }
  const bool randomx = keys.size() >= 2 || (!keys.empty() && has_salt) || (immediates && has_salt);
  FileFinding finding;
  finding.offset = first_key;
  std::string seen;
  for (const std::uint32_t index : protocol) seen += (seen.empty() ? "" : ", ") + std::string(patterns[index].text);
  if (randomx) {
    finding.rule = &rules[protocol.size() >= 2 ? 0 : 1];
    finding.evidence = std::to_string(keys.size()) + " of 6 RandomX key constants" + (immediates ? " (as immediates)" : "") + (has_salt ? ", the RandomX salt" : "") +
                       (seen.empty() ? "" : "; pool protocol: " + seen);
  } else if (protocol.size() >= 5 && (protocol.contains(21) || protocol.contains(22) || protocol.contains(25))) {
    finding.rule = &rules[2];
    finding.evidence = "pool protocol: " + seen;
    const bool named = protocol.contains(31) || protocol.contains(32);
    if (named) finding.severity = Severity::high;
  } else {
    return;
  }
  report.add(std::move(finding));
}

}  // namespace

extern const Detector miner_program_detector;
const Detector miner_program_detector = {.name = "miner-program",
                                         .summary = "Programs that contain the constants of a mining algorithm or a pool's protocol.",
                                         .rules = rules,
                                         .patterns = patterns,
                                         .kinds = {format::FileKind::elf, format::FileKind::pe, format::FileKind::macho, format::FileKind::data, format::FileKind::wasm},
                                         .trigger = Trigger::on_hit,
                                         .inspect = inspect};

}  // namespace lazaret::detect
