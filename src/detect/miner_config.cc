// Configurations of miners: xmrig and its forks, xmr-stak, cpuminer; in files, here-documents and
// executables.
//
// xmrig (src/config.json), xmr-stak (pools.txt) and cpuminer read JSON with comments, trailing
// commas and, for xmr-stak, without outer braces; one that is built into a program or a script has
// no file of its own. So the keys and values are taken from the text around a hit without parsing
// it as a document. The shape counts: a pool and a login in one object with settings that only
// miners have.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/miner_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.config",
     .category = Category::miner,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Configuration of a miner",
     .explanation = "A pool and a login stand together with settings that only miners have.",
     .remediation = "Do not run the image. Declared miner images are a matter of policy: allow "
                    "them by an ignore entry.",
     .attack = {"T1496.001"}},
    {.id = "miner.config-template",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Configuration of a miner without a login",
     .explanation = "The settings are a miner's; whom it mines for is filled in elsewhere.",
     .remediation = "Find what starts the miner and with which login.",
     .attack = {"T1496.001"}},
};

constexpr engine::Pattern patterns[] = {
    engine::literal("donate-level"),  engine::literal("\"pools\""),
    engine::literal("'pools'"),       engine::literal("pool_list"),
    engine::literal("pool_address"),  engine::literal("wallet_address"),
    engine::literal("max-cpu-usage"), engine::literal("\"nicehash\""),
    engine::literal("\"rig-id\""),    engine::regex("\"stratum[0-9]?s?(?:\\+[a-z]{2,4})?://"),
    engine::literal("\\\"pools\\\""),
};

// Keys that hardly anything but a miner has.
constexpr std::array<std::string_view, 30> telling_keys = {
    "donate-level",  "donate-over-proxy", "rig-id",         "rig_id",           "nicehash",
    "use_nicehash",  "self-select",       "randomx",        "1gb-pages",        "rdmsr",
    "wrmsr",         "huge-pages",        "huge-pages-jit", "hugepages",        "max-threads-hint",
    "max-cpu-usage", "print-time",        "pool_list",      "pool_address",     "wallet_address",
    "pool_password", "pool_weight",       "cpu-affinity",   "cpu_threads_conf", "nicehash_nonce",
    "donate_level",  "low_power_mode",    "cache_qos",      "retry-pause",      "giveup_limit"};
// Keys of miners that others have as well: they count a little.
constexpr std::array<std::string_view, 18> common_keys = {"algo",
                                                          "coin",
                                                          "keepalive",
                                                          "tls-fingerprint",
                                                          "tls_fingerprint",
                                                          "opencl",
                                                          "cuda",
                                                          "av",
                                                          "safe",
                                                          "variant",
                                                          "asm",
                                                          "yield",
                                                          "retries",
                                                          "pools",
                                                          "autosave",
                                                          "currency",
                                                          "use_tls",
                                                          "background"};

struct Shape {
  std::set<std::string> telling, common;
  std::vector<PoolAddress> pools;
  std::vector<std::string> logins;
  bool algorithm = false;
};

// The innermost object or list around `offset`, then up to three around it, at most 32 KiB to
// either side. Braces inside strings are rare enough in a miner's settings to be ignored.
std::string_view objects_around(std::string_view text, std::uint64_t offset, std::uint64_t& begin) {
  constexpr std::size_t reach = 32 * 1024;
  const std::size_t at = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size()));
  const std::size_t lowest = at > reach ? at - reach : 0;
  std::size_t first = at;
  int depth = 0, levels = 0;
  for (std::size_t i = at; i > lowest && levels < 4;) {
    --i;
    const char c = text[i];
    if (c == '\0') break;
    if (c == '}' || c == ']') ++depth;
    if (c == '{' || c == '[') {
      if (depth > 0) {
        --depth;
      } else {
        ++levels;
        first = i;
      }
    }
  }
  // Without an object around it: xmr-stak's pools.txt, a list behind a key.
  if (levels == 0) first = at > 400 ? at - 400 : 0;
  const std::size_t highest = std::min(text.size(), at + reach);
  std::size_t last = at;
  depth = 0;
  for (; last < highest; ++last) {
    const char c = text[last];
    if (c == '\0') break;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth > 0) {
        --depth;
      } else if (--levels <= 0) {
        ++last;
        break;
      }
    }
  }
  begin = first;
  return text.substr(first, last - first);
}

// Calls `visit(key, value)` for each `"key": value` and `'key': value`, with \" for " too. Values
// that are no strings are given as they stand; objects and lists as "".
template <typename Visit>
void for_each_member(std::string_view text, const Visit& visit) {
  const auto quote_at = [&](std::size_t i) -> std::size_t {  // length of a quote, 0 when none
    if (i < text.size() && (text[i] == '"' || text[i] == '\'')) return 1;
    if (i + 1 < text.size() && text[i] == '\\' && text[i + 1] == '"') return 2;
    return 0;
  };
  const auto string_at = [&](std::size_t i, std::string_view& value) -> std::size_t {
    const std::size_t quote = quote_at(i);
    if (quote == 0) return 0;
    const std::string_view mark = text.substr(i, quote);
    const auto end = text.find(mark, i + quote);
    if (end == std::string_view::npos || end - i > 2000) return 0;
    value = text.substr(i + quote, end - i - quote);
    return end + quote;
  };
  for (std::size_t i = 0; i < text.size();) {
    std::string_view key;
    const std::size_t after_key = string_at(i, key);
    if (after_key == 0 || key.find('\n') != std::string_view::npos) {
      ++i;
      continue;
    }
    std::size_t next = text.find_first_not_of(" \t\r\n", after_key);
    if (next == std::string_view::npos || text[next] != ':') {
      i = after_key;
      continue;
    }
    next = text.find_first_not_of(" \t\r\n", next + 1);
    if (next == std::string_view::npos) return;
    std::string_view value;
    if (const std::size_t after_value = string_at(next, value); after_value != 0) {
      visit(key, value);
      i = after_value;
      continue;
    }
    visit(key, std::string_view());
    i = next;
  }
}

Shape read_shape(std::string_view text) {
  Shape shape;
  for_each_member(text, [&](std::string_view key, std::string_view value) {
    const std::string name = to_lower(key);
    if (std::find(telling_keys.begin(), telling_keys.end(), name) != telling_keys.end())
      shape.telling.insert(name);
    else if (std::find(common_keys.begin(), common_keys.end(), name) != common_keys.end())
      shape.common.insert(name);
    if (value.empty()) return;
    if (name == "url" || name == "pool_address" || name == "pool" || name == "server" ||
        name == "address") {
      if (auto pool = parse_pool_address(value)) {
        if (!pool->login.empty()) shape.logins.push_back(pool->login);
        shape.pools.push_back(std::move(*pool));
      }
    } else if (name == "user" || name == "wallet_address" || name == "wallet" || name == "login" ||
               name == "username") {
      shape.logins.emplace_back(value);
    } else if (name == "algo" || name == "currency") {
      shape.algorithm =
          shape.algorithm || is_mining_algorithm(value) || contains_ignore_case(value, "monero");
    }
  });
  return shape;
}

bool is_placeholder(std::string_view login) {
  static constexpr std::array<std::string_view, 7> marks = {"your", "wallet_address", "%", "$", "<",
                                                            "{",    "changeme"};
  return login.empty() || std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) {
           return contains_ignore_case(login, mark);
         });
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  std::uint64_t judged_to = 0;
  std::size_t pieces = 0;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end <= judged_to || hit.end > text.size() || hit.end == 0) continue;
    if (++pieces > 64) return;
    std::uint64_t begin = 0;
    const std::string_view piece = objects_around(text, hit.end - 1, begin);
    judged_to = begin + piece.size();
    const Shape shape = read_shape(piece);

    std::optional<Indicator> wallet;
    std::string login;
    for (const std::string& candidate : shape.logins) {
      if (is_placeholder(candidate)) continue;
      if (login.empty()) login = candidate;
      if (auto found = wallet_of_login(candidate)) {
        wallet = std::move(found);
        login = candidate;
        break;
      }
    }
    const bool certain = std::any_of(shape.pools.begin(), shape.pools.end(),
                                     [](const PoolAddress& pool) { return pool.certain(); });
    const std::size_t score =
        2 * shape.telling.size() + shape.common.size() + (shape.algorithm ? 2 : 0);
    const bool complete = !shape.pools.empty() && !login.empty() &&
                          (wallet || certain || score >= 4) &&
                          (certain || wallet || score >= 5 || shape.telling.size() >= 2);
    const bool is_template = !complete && shape.telling.size() >= 3 && score >= 8;
    if (!complete && !is_template) continue;
    const Role role = role_of(file, hit.end - 1);
    // Templates stand in the source, the help and the documentation of miners and of what detects
    // them.
    if (is_template && (role == Role::prose || !format::is_text(file.type.kind))) continue;

    FileFinding finding;
    finding.rule = &rules[complete ? 0 : 1];
    finding.offset = begin;
    if (!shape.pools.empty()) finding.evidence = "pool " + shape.pools.front().text();
    if (!login.empty())
      finding.evidence += (finding.evidence.empty() ? "login " : ", login ") + login.substr(0, 120);
    if (!finding.evidence.empty()) finding.evidence += ", ";
    finding.evidence += "settings:";
    for (const std::string& key : shape.telling) finding.evidence += " " + key;
    for (const std::string& key : shape.common) finding.evidence += " " + key;
    for (const PoolAddress& pool : shape.pools) {
      const Indicator indicator{"pool", pool.text(), false};
      if (std::find(finding.indicators.begin(), finding.indicators.end(), indicator) ==
              finding.indicators.end() &&
          finding.indicators.size() < 8)
        finding.indicators.push_back(indicator);
    }
    if (wallet) finding.indicators.push_back(*wallet);
    if (!login.empty() && (!wallet || login.size() > wallet->value.size()))
      finding.indicators.push_back({"login", login.substr(0, 200), false});
    if (role == Role::prose) {
      finding.severity = Severity::low;
      finding.confidence = Confidence::low;
    }
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector miner_config_detector;
const Detector miner_config_detector = {
    .name = "miner-config",
    .summary = "Finds configurations of miners, in files and inside programs.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::text, format::FileKind::script, format::FileKind::json,
              format::FileKind::xml, format::FileKind::elf, format::FileKind::data,
              format::FileKind::python_bytecode, format::FileKind::java_class},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
};

}  // namespace lazaret::detect
