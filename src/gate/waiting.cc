#include "gate/waiting.h"

namespace lazaret::gate {

std::uint64_t Waiting::add(const Digest& digest, std::function<void()> woken) {
  const std::lock_guard lock(mutex_);
  if (waiters_.size() >= limit_) return 0;
  const std::uint64_t id = next_++;
  waiters_.emplace(id, Waiter{digest, std::move(woken)});
  by_digest_.emplace(digest, id);
  return id;
}

void Waiting::remove(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto waiter = waiters_.find(id);
  if (waiter == waiters_.end()) return;
  const auto [begin, end] = by_digest_.equal_range(waiter->second.digest);
  for (auto place = begin; place != end; ++place) {
    if (place->second != id) continue;
    by_digest_.erase(place);
    break;
  }
  waiters_.erase(waiter);
}

void Waiting::wake(const Digest& digest) {
  std::vector<std::function<void()>> woken;
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = by_digest_.equal_range(digest);
    for (auto place = begin; place != end; ++place) {
      const auto waiter = waiters_.find(place->second);
      woken.push_back(std::move(waiter->second.woken));
      waiters_.erase(waiter);
    }
    by_digest_.erase(begin, end);
  }
  for (const auto& call : woken) call();
}

std::uint64_t Waiting::count() const {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

}  // namespace lazaret::gate
