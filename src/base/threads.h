// The two things the pipeline needs of threads: a bounded queue between two stages, and a pool that
// runs jobs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace lazaret {

// A queue between threads that holds at most `capacity` items. push() blocks while it is full,
// pop() while it is empty.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False when the queue was closed; the item is dropped then.
  bool push(T item) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [&] { return items_.size() < capacity_ || closed_; });
    if (closed_) return false;
    items_.push_back(std::move(item));
    not_empty_.notify_one();
    return true;
  }

  // Nothing when the queue was closed and has been emptied.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return !items_.empty() || closed_; });
    if (items_.empty()) return std::nullopt;
    T item = std::move(items_.front());
    items_.pop_front();
    not_full_.notify_one();
    return item;
  }

  // Waits until pop() would not block, but no longer than `time`; says which.
  bool ready_within(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return not_empty_.wait_for(lock, time, [&] { return !items_.empty() || closed_; });
  }

  // No more items will come.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    not_full_.notify_all();
    not_empty_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable not_full_, not_empty_;
  std::deque<T> items_;
  bool closed_ = false;
};

// A fixed number of threads that run jobs in the order they came. Thread-safe. Jobs must not throw,
// and must not wait for jobs queued behind them. The destructor runs what is queued, then joins.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void submit(std::function<void()> job);
  std::size_t threads() const { return threads_.size(); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// A number of bytes that may be in use at one time. take() blocks until they are free; a request
// larger than the whole budget is granted when nothing else is in use, so that it cannot wait for
// ever.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes) : bytes_(bytes) {}
  void take(std::uint64_t bytes) {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return used_ == 0 || used_ + bytes <= bytes_; });
    used_ += bytes;
  }
  // False where take() would block.
  [[nodiscard]] bool try_take(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (used_ != 0 && used_ + bytes > bytes_) return false;
    used_ += bytes;
    return true;
  }
  void give(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    free_.notify_all();
  }

 private:
  const std::uint64_t bytes_;
  std::uint64_t used_ = 0;
  std::mutex mutex_;
  std::condition_variable free_;
};

// Buffers of one size that are used again and again, so that their memory is touched, and its pages are zeroed by the kernel, only once.
//
// Several users (the layers of an image) share `shared` buffers; besides, each may always hold `reserved` ones. A user that waits for its next
// buffer while the others hold all that are shared would otherwise wait for ever, when the others wait for something that it holds.
class BufferPool {
 public:
  static constexpr std::size_t reserved = 3;

  BufferPool(std::size_t buffer_bytes, std::size_t shared) : buffer_bytes_(buffer_bytes), shared_(shared) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  using Buffer = std::unique_ptr<std::uint8_t[]>;

  // Thread-safe. Must outlive its buffers' return.
  class User {
   public:
    explicit User(BufferPool& pool) : pool_(pool) {}
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    // Blocks until there is one. The content is what the last user left.
    Buffer take();
    void give(Buffer buffer);

   private:
    BufferPool& pool_;
    std::size_t held_ = 0;  // guarded by the pool's mutex
  };

 private:
  const std::size_t buffer_bytes_, shared_;
  std::mutex mutex_;
  std::condition_variable free_;
  std::size_t shared_used_ = 0;  // the sum over all users of what they hold beyond `reserved`
  std::vector<Buffer> idle_;
};

}  // namespace lazaret
