#include "detect/miner_support.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "detect/incident_data_support.h"
#include "detect/text_context_support.h"
#include "format/wallet.h"

namespace lazaret::detect {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Letters, digits, '-', '_' and at least one dot between labels; or an IPv4 address; or a bare name
// when `bare` (with a mining scheme anything goes, "localhost" and container names included).
bool is_host(std::string_view host, bool bare) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.front() == '-') return false;
  bool dot = false;
  char before = '\0';
  for (const char c : host) {
    if (c == '.') {
      if (before == '.') return false;
      dot = true;
    } else if (!is_word(c) && c != '-') {
      return false;
    }
    before = c;
  }
  return dot || bare;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.size() < 2 || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  if (value == 0 || value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

// "stratum+tcp", "stratum2+ssl", "stratums", "ethstratum+tcp", "daemon+http", ...
bool is_mining_scheme(std::string_view scheme) {
  const std::string name = to_lower(scheme);
  return name.find("stratum") != std::string::npos || name.starts_with("daemon+") ||
         name.starts_with("ethproxy") || name == "eth2s" || name == "zec";
}

}  // namespace

std::string PoolAddress::text() const {
  return host + ":" + std::to_string(port);
}

std::optional<PoolAddress> parse_pool_address(std::string_view text) {
  PoolAddress address;
  bool scheme = false;
  if (const auto mark = text.find("://"); mark != std::string_view::npos) {
    const std::string_view name = text.substr(0, mark);
    address.mining_scheme = is_mining_scheme(name);
    static constexpr std::array<std::string_view, 5> plain = {"tcp", "ssl", "tls", "socks5",
                                                              "stratum"};
    const std::string lower = to_lower(name);
    if (!address.mining_scheme && std::find(plain.begin(), plain.end(), lower) == plain.end())
      return std::nullopt;
    scheme = true;
    text.remove_prefix(mark + 3);
    if (const auto slash = text.find_first_of("/#?"); slash != std::string_view::npos)
      text = text.substr(0, slash);
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
      const std::string_view user = text.substr(0, at);
      address.login = std::string(user.substr(0, user.find(':')));
      text.remove_prefix(at + 1);
    }
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  const std::string_view host = text.substr(0, colon);
  if (!port || !is_host(host, scheme && address.mining_scheme)) return std::nullopt;
  address.host = to_lower(host);
  address.port = *port;
  address.known_pool = incident_data().is_pool(address.host);
  return address;
}

std::optional<Indicator> wallet_of_login(std::string_view login) {
  auto wallet = format::find_wallet_at_start(login);
  if (!wallet) return std::nullopt;
  Indicator indicator{wallet->type, wallet->value, true};
  if (incident_data().wallet_stop_list.contains(indicator.value)) return std::nullopt;
  return indicator;
}

bool is_mining_algorithm(std::string_view name) {
  const std::string lower = to_lower(name);
  static constexpr std::array<std::string_view, 36> exact = {"randomx",
                                                             "cryptonight",
                                                             "cryptonight-lite",
                                                             "cryptonight-heavy",
                                                             "cryptonightr",
                                                             "rx",
                                                             "rx/0",
                                                             "rx/2",
                                                             "rx/wow",
                                                             "rx/arq",
                                                             "rx/graft",
                                                             "rx/sfx",
                                                             "rx/keva",
                                                             "rx/yada",
                                                             "panthera",
                                                             "ghostrider",
                                                             "gr",
                                                             "kawpow",
                                                             "progpow",
                                                             "progpowz",
                                                             "ethash",
                                                             "etchash",
                                                             "equihash",
                                                             "cuckatoo31",
                                                             "cuckaroo29",
                                                             "autolykos2",
                                                             "beamhashiii",
                                                             "astrobwt",
                                                             "verushash",
                                                             "firopow",
                                                             "yespower",
                                                             "yescrypt",
                                                             "neoscrypt",
                                                             "lyra2z",
                                                             "x16rv2",
                                                             "octopus"};
  if (std::find(exact.begin(), exact.end(), lower) != exact.end()) return true;
  static constexpr std::array<std::string_view, 6> stems = {"cn/",     "cn-",         "cn_",
                                                            "argon2/", "cryptonight", "randomx"};
  return std::any_of(stems.begin(), stems.end(), [&](std::string_view stem) {
    return lower.size() < 24 && lower.size() > stem.size() && lower.starts_with(stem);
  });
}

std::vector<LooseWord> loose_words(std::string_view text) {
  static constexpr std::string_view separators = " \t\r\n\"'`,;|&()[]{}<>\\";
  std::vector<LooseWord> words;
  std::size_t at = 0;
  while (at < text.size() && words.size() < 4096) {
    const auto begin = text.find_first_not_of(separators, at);
    if (begin == std::string_view::npos) break;
    auto end = text.find_first_of(separators, begin);
    if (end == std::string_view::npos) end = text.size();
    // "${NAME}" is part of a word though braces separate.
    while (end < text.size() && text[end] == '{' && text[end - 1] == '$') {
      const auto close = text.find('}', end);
      if (close == std::string_view::npos || close - end > 80) break;
      end = std::min(text.find_first_of(separators, close + 1), text.size());
    }
    std::string_view word = text.substr(begin, end - begin);
    at = end;
    const auto equal = word.find('=');
    if (equal != std::string_view::npos && equal > 0 && word.front() == '-') {
      words.push_back({word.substr(0, equal), begin});
      std::string_view value = word.substr(equal + 1);
      if (!value.empty()) words.push_back({value, begin + equal + 1});
      continue;
    }
    words.push_back({word, begin});
  }
  return words;
}

std::string_view command_around(std::string_view text, std::uint64_t offset, std::uint64_t& begin) {
  constexpr std::size_t longest_item = 300, most_lines = 40;
  const std::string_view line = logical_line_at(text, offset);
  std::size_t first = static_cast<std::size_t>(line.data() - text.data());
  std::size_t last = first + line.size();
  const auto is_item = [](std::string_view item) {
    item = trim(item);
    if (item.empty() || item.size() > longest_item) return false;
    return item.front() == '-' || item.front() == '"' || item.front() == '\'' ||
           item.back() == ',' || item.back() == '[' || item.front() == ']' || item.back() == '\\';
  };
  if (is_item(line)) {
    for (std::size_t i = 0; i < most_lines && first > 1; ++i) {
      const std::size_t end = first - 1;  // the line end before
      auto start = text.rfind('\n', end - 1);
      start = start == std::string_view::npos ? 0 : start + 1;
      if (end < start || end - start > longest_item || !is_item(text.substr(start, end - start)))
        break;
      first = start;
    }
    for (std::size_t i = 0; i < most_lines && last + 1 < text.size(); ++i) {
      const std::size_t start = last + 1;
      auto end = text.find('\n', start);
      if (end == std::string_view::npos) end = text.size();
      if (end - start > longest_item || !is_item(text.substr(start, end - start))) break;
      last = end;
    }
  }
  begin = first;
  return text.substr(first, last - first);
}

std::string_view value_of_variable(std::string_view text, std::string_view name) {
  if (name.empty() || name.size() > 64) return {};
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '$' || text[at - 1] == '{')) continue;
    std::size_t next = at + name.size();
    if (next >= text.size() || (text[next] != '=' && text[next] != ':')) continue;
    const bool yaml = text[next] == ':';
    ++next;
    // "${NAME:-default}" is a use, not a value; it is handled where it is used.
    if (next < text.size() && (text[next] == '-' || text[next] == '=')) continue;
    while (yaml && next < text.size() && text[next] == ' ') ++next;
    char quote = '\0';
    if (next < text.size() && (text[next] == '"' || text[next] == '\'')) quote = text[next++];
    const auto end =
        quote != '\0' ? text.find(quote, next) : text.find_first_of(" \t\r\n;\"'&|", next);
    const std::string_view value =
        text.substr(next, end == std::string_view::npos ? 200 : end - next);
    if (!value.empty() && value.size() <= 300) return value;
  }
  return {};
}

bool names_a_miner(std::string_view path) {
  const std::string lower = to_lower(path);
  static constexpr std::array<std::string_view, 17> words = {
      "xmr",  "rig",      "miner", "mining", "monero",   "randomx", "wownero", "p2pool", "zephyr",
      "stak", "hashrate", "nbmin", "t-rex",  "nanopool", "salvium", "tari",    "dero"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

}  // namespace lazaret::detect
