// A line on standard error that says how far an audit is, while it is a terminal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace lazaret::cli {

// Runs its own thread from construction to stop().
class Progress {
 public:
  struct State {
    std::uint64_t bytes = 0, expected = 0, files = 0;  // expected 0: not known
  };
  // `read` is called a few times a second. With `enabled` false nothing is shown.
  Progress(bool enabled, std::string label, std::function<State()> read);
  ~Progress();

  // Removes the line.
  void stop();

 private:
  void run();

  const bool enabled_;
  const std::string label_;
  const std::function<State()> read_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

// "  1.2 GiB of 2.0 GiB  61 %  410 MiB/s  2 s left  84210 files", without what is not known.
std::string progress_line(const Progress::State& state, double seconds);

}  // namespace lazaret::cli
