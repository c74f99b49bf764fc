// lazaret.toml: what `lazaret serve` reads at its start.
//
// Everything has a default; an unknown table or key is an error that names file and line, so that a misspelt setting cannot be ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/policy.h"

namespace lazaret::server {

// [[webhook]]: somebody who is told of what the gate decides (server/webhooks.h).
struct Webhook {
  std::string url, secret;
  std::vector<std::string> events = {"held", "released", "condemned", "takedown"};
  bool insecure = false;  // plain http to another machine
};

// Who may read /metrics.
enum class MetricsAccess : std::uint8_t {
  loopback,        // whoever asks on this machine and not through a proxy, and administrators
  administrators,
  anyone,
};

struct Configuration {
  std::vector<std::string> listen = {"127.0.0.1:5000"};
  std::string data = "/var/lib/lazaret";
  std::string public_url;          // in links for people; "" takes it from requests
  unsigned jobs = 0;               // threads that audit; 0: one for each processor
  std::vector<std::string> rules;  // YARA files and folders
  std::string policy_file;         // of the audit (docs/policy.md); "" for the one compiled in
  std::uint64_t audit_cache_bytes = 8ull << 30;
  std::uint64_t blob_bytes = 64ull << 30;  // of one upload

  // [http]
  std::string certificate, key;
  std::vector<std::string> trusted_proxies;
  unsigned loops = 0, workers = 32;  // loops 0: one for each processor, at most 4

  // [access]
  bool anonymous_pull = true;
  std::uint64_t requests_of_address = 0, requests_of_account = 0;  // a second, with ten times that saved up; 0: no limit

  // [log]
  bool log_requests = false;

  // [gate]
  gate::Policy gate;

  // [ledger]
  bool record_pulls = true;
  std::uint64_t retention_days = 400;  // months of pulls that ended longer ago are forgotten; 0: never
  bool hash_addresses = false;

  // [rehearsal]
  std::string clock_file;  // see server/rehearsal_clock.h; "" for the time of the day

  std::vector<Webhook> webhooks;

  // [metrics]
  MetricsAccess metrics = MetricsAccess::loopback;

  // [maintenance]
  std::uint64_t collect_seconds = 3600;  // 0: never by itself
  std::uint64_t reaudits_per_minute = 600;  // at most, after rules have changed; 0: none by itself
};

Result<Configuration> parse_configuration(std::string_view toml, std::string_view file_name);

}  // namespace lazaret::server
