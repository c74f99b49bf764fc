#include "base/threads.h"

#include <cassert>

namespace lazaret {

WorkerPool::WorkerPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void WorkerPool::run() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

BufferPool::Buffer BufferPool::User::take() {
  {
    std::unique_lock lock(pool_.mutex_);
    pool_.free_.wait(lock, [&] { return held_ < reserved || pool_.shared_used_ < pool_.shared_; });
    if (held_ >= reserved) ++pool_.shared_used_;
    ++held_;
    if (!pool_.idle_.empty()) {
      Buffer buffer = std::move(pool_.idle_.back());  // the one used last: most likely still in the CPU's cache
      pool_.idle_.pop_back();
      return buffer;
    }
  }
  return std::make_unique_for_overwrite<std::uint8_t[]>(pool_.buffer_bytes_);
}

void BufferPool::User::give(Buffer buffer) {
  const std::lock_guard lock(pool_.mutex_);
  assert(held_ > 0);
  --held_;
  if (held_ >= reserved) --pool_.shared_used_;
  if (pool_.idle_.size() < pool_.shared_) pool_.idle_.push_back(std::move(buffer));
  pool_.free_.notify_all();
}

}  // namespace lazaret
