// Token buckets by key: how often an account or an address may do something.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace lazaret::net {

struct RateLimit {
  double per_second = 0;  // 0: no limit
  double burst = 1;       // what an idle key has saved up
};

// Thread-safe. Remembers at most `most_keys` keys; those that were idle long enough to be full again are forgotten first, and
// when there are none, new keys share one bucket, so that a flood of addresses cannot fill the memory or get around the limit.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RateLimiter(RateLimit limit, std::size_t most_keys = 100'000) : limit_(limit), most_keys_(most_keys) {}

  // Takes one from the bucket. Nothing: granted. Else how long to wait (for Retry-After), at least a second.
  std::optional<std::chrono::seconds> take(const std::string& key, Clock::time_point now = Clock::now());
  // Whether take() would be refused, without taking.
  std::optional<std::chrono::seconds> look(const std::string& key, Clock::time_point now = Clock::now());
  // Forgets what the key has used up (after a login that was right).
  void forgive(const std::string& key);

 private:
  struct Bucket {
    double tokens;
    Clock::time_point at;
  };
  std::optional<std::chrono::seconds> use(const std::string& key, double tokens, Clock::time_point now);
  void refill(Bucket& bucket, Clock::time_point now) const;
  void forget_full(Clock::time_point now);

  const RateLimit limit_;
  const std::size_t most_keys_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
  Clock::time_point cleaned_{};
};

}  // namespace lazaret::net
