// Who waits for verdicts. A waiting request is a function in a list; it holds no thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "base/digest.h"

namespace lazaret::gate {

// Thread-safe. Functions are called without a lock held, and must not block.
class Waiting {
 public:
  explicit Waiting(std::uint64_t limit) : limit_(limit) {}

  // 0: too many wait already.
  std::uint64_t add(const Digest& digest, std::function<void()> woken);
  // Nothing when it was woken already.
  void remove(std::uint64_t id);
  void wake(const Digest& digest);
  std::uint64_t count() const;

 private:
  struct Waiter {
    Digest digest;
    std::function<void()> woken;
  };
  const std::uint64_t limit_;
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Waiter> waiters_;
  std::multimap<Digest, std::uint64_t> by_digest_;
};

}  // namespace lazaret::gate
