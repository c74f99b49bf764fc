#include "net/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace lazaret::net {
namespace {

const std::string shared_key = "\n";  // no address and no account is called so

}  // namespace

void RateLimiter::refill(Bucket& bucket, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - bucket.at).count();
  if (seconds <= 0) return;
  bucket.tokens = std::min(limit_.burst, bucket.tokens + seconds * limit_.per_second);
  bucket.at = now;
}

void RateLimiter::forget_full(Clock::time_point now) {
  // A pass over all keys is worth it once in a while only.
  if (cleaned_ != Clock::time_point{} && now - cleaned_ < std::chrono::seconds(1)) return;
  cleaned_ = now;
  std::erase_if(buckets_, [&](const auto& entry) {
    Bucket bucket = entry.second;
    refill(bucket, now);
    return bucket.tokens >= limit_.burst;
  });
}

std::optional<std::chrono::seconds> RateLimiter::use(const std::string& key, double tokens, Clock::time_point now) {
  if (limit_.per_second <= 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    if (tokens == 0) return std::nullopt;
    if (buckets_.size() >= most_keys_) forget_full(now);
    found = buckets_.try_emplace(buckets_.size() >= most_keys_ ? shared_key : key, Bucket{limit_.burst, now}).first;
  }
  Bucket& bucket = found->second;
  refill(bucket, now);
  if (bucket.tokens >= 1) {
    bucket.tokens -= tokens;
    return std::nullopt;
  }
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(std::clamp((1 - bucket.tokens) / limit_.per_second, 1.0, 86400.0))));
}

std::optional<std::chrono::seconds> RateLimiter::take(const std::string& key, Clock::time_point now) {
  return use(key, 1, now);
}

std::optional<std::chrono::seconds> RateLimiter::look(const std::string& key, Clock::time_point now) {
  return use(key, 0, now);
}

void RateLimiter::forgive(const std::string& key) {
  const std::lock_guard lock(mutex_);
  buckets_.erase(key);
}

}  // namespace lazaret::net
