#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "net/http_message.h"

namespace lazaret::net {

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      scratch_(std::size_t{16} << 10, '\0') {
  if (ok()) watch(wake_.get(), EPOLLIN | EPOLLET, nullptr);
}

bool EventLoop::watch(int descriptor, std::uint32_t events, Watcher* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void EventLoop::unwatch(int descriptor) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

void EventLoop::post(std::function<void()> job) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    posted_.push_back(std::move(job));
    wake = !std::exchange(woken_, true);
  }
  if (wake) {
    const std::uint64_t one = 1;
    // An eventfd takes a write unless its counter is near 2^64.
    [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
  }
}

void EventLoop::after(std::chrono::milliseconds delay, std::function<void()> job) {
  const auto time = Clock::now() + delay;
  if (is_current()) {
    at(time, std::move(job));
  } else {
    post([this, time, job = std::move(job)]() mutable { at(time, std::move(job)); });
  }
}

void EventLoop::at(Clock::time_point time, std::function<void()> job) {
  timers_.push_back({time, std::move(job)});
  std::push_heap(timers_.begin(), timers_.end());
}

void EventLoop::quit() {
  quit_ = true;
  post([] {});
}

int EventLoop::milliseconds_to_wait() const {
  if (timers_.empty()) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(timers_.front().time - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 60'000));
}

void EventLoop::run_timers() {
  while (!timers_.empty() && timers_.front().time <= now_) {
    std::pop_heap(timers_.begin(), timers_.end());
    const auto job = std::move(timers_.back().job);
    timers_.pop_back();
    job();
  }
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(posted_);
    woken_ = false;
  }
  for (auto& job : jobs) {
    job();
    job = nullptr;  // what it holds goes now, not after the others
  }
}

void EventLoop::run() {
  thread_.store(std::this_thread::get_id(), std::memory_order_release);
  std::array<epoll_event, 256> events;
  while (!quit_) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 milliseconds_to_wait());
    now_ = Clock::now();
    bool woken = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        std::uint64_t ignored;
        [[maybe_unused]] const auto got = read(wake_.get(), &ignored, sizeof ignored);
        woken = true;
      } else {
        static_cast<Watcher*>(event.data.ptr)->on_events(event.events);
      }
    }
    if (woken) run_posted();
    run_timers();
    retired_.clear();
  }
  std::vector<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    dropped.swap(posted_);
  }
  dropped.clear();
  timers_.clear();
  retired_.clear();
}

const std::string& EventLoop::date() {
  const std::int64_t second = std::time(nullptr);
  if (second != date_second_) {
    date_second_ = second;
    date_ = http_date(second);
  }
  return date_;
}

}  // namespace lazaret::net
