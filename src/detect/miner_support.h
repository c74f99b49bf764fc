// What the detectors of miners share: pool addresses, logins, options and the words of a command in
// whatever language it is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detect/detector.h"

namespace lazaret::detect {

// What to do about a program that mines.
inline constexpr std::string_view miner_remediation =
    "Do not run the image. Declared miner images are a matter of policy: allow them by an ignore "
    "entry.";

// "stratum+tcp://pool.example:3333", "pool.example:3333", "stratum1+ssl://0x..@pool.example:4444".
struct PoolAddress {
  std::string host;  // lower case
  std::uint16_t port = 0;
  std::string login;           // of "scheme://login@host:port", "" when there is none
  bool mining_scheme = false;  // stratum+tcp and its relatives: only miners have them
  bool known_pool = false;     // the host is in rules/pools.toml

  // Says by itself that it belongs to a pool.
  bool certain() const { return mining_scheme || known_pool; }
  std::string text() const;  // "host:port"
};

// Nothing when `text` is not exactly a host with a port, with or without a scheme that miners
// accept. A path behind the port is accepted behind a scheme only.
std::optional<PoolAddress> parse_pool_address(std::string_view text);

// The checksum-valid wallet that a pool login begins with ("<wallet>.worker", "<wallet>+1000"), as
// an indicator; nothing when there is none or when it is on the stop list.
std::optional<Indicator> wallet_of_login(std::string_view login);

// "rx/0", "cryptonight", "kawpow", ...: names that only miners use.
bool is_mining_algorithm(std::string_view name);

// A part of a command: words without quotes, brackets, commas and list marks, so that
// `-o a -u b`, `["-o", "a", "-u", "b"]` and a list of YAML read alike. "--key=value" is two words.
struct LooseWord {
  std::string_view text;
  std::uint64_t offset = 0;  // in the text that was given
};
std::vector<LooseWord> loose_words(std::string_view text);

// The command around `offset`: its logical line, and neighbouring lines while they are items of one
// list. `begin` is its offset in `text`.
std::string_view command_around(std::string_view text, std::uint64_t offset, std::uint64_t& begin);

// The value that the text gives to a shell or environment variable ("POOL=...", "export POOL=...",
// "POOL: ..."), "" when none is found. `name` without '$' and braces.
std::string_view value_of_variable(std::string_view text, std::string_view name);

// Name and path of files that call themselves miners or wallets: nothing is pretended then.
bool names_a_miner(std::string_view path);

}  // namespace lazaret::detect
