// One thread's epoll: descriptors with watchers, timers, and functions posted from other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"

namespace lazaret::net {

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;

  // Called on the loop with epoll's event bits.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void on_events(std::uint32_t events) = 0;
  };

  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  bool ok() const { return static_cast<bool>(epoll_) && static_cast<bool>(wake_); }

  // Handles events until quit(); the thread that calls it is the loop's.
  void run();
  void quit();  // from any thread

  // Runs `job` on the loop, soon; from any thread. After the loop ended the job is dropped unrun.
  void post(std::function<void()> job);
  // The same after a time.
  void after(std::chrono::milliseconds delay, std::function<void()> job);
  bool is_current() const { return thread_.load(std::memory_order_acquire) == std::this_thread::get_id(); }

  // What follows is for the loop's own thread.

  // `watcher` must live until unwatch(), and then until the end of the round of events: see retire().
  bool watch(int descriptor, std::uint32_t events, Watcher* watcher);
  void unwatch(int descriptor);
  // Keeps `object` until no event of this round can name it any more.
  void retire(std::shared_ptr<void> object) { retired_.push_back(std::move(object)); }
  // The time this round of events began.
  Clock::time_point now() const { return now_; }
  void at(Clock::time_point time, std::function<void()> job);
  // Space for reads that are used up at once.
  std::string& scratch() { return scratch_; }
  // The current value of a Date field.
  const std::string& date();

 private:
  struct Timer {
    Clock::time_point time;
    std::function<void()> job;
    bool operator<(const Timer& other) const { return time > other.time; }  // the earliest on top of the heap
  };
  void run_posted();
  void run_timers();
  int milliseconds_to_wait() const;

  FileDescriptor epoll_, wake_;
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> quit_{false};
  Clock::time_point now_ = Clock::now();
  std::vector<Timer> timers_;  // a heap
  std::vector<std::shared_ptr<void>> retired_;
  std::string scratch_;
  std::string date_;
  std::int64_t date_second_ = -1;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool woken_ = false;  // a wake-up is under way
  bool ended_ = false;
};

}  // namespace lazaret::net
