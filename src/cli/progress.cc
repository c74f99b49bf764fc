#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/text.h"

namespace lazaret::cli {

std::string progress_line(const Progress::State& state, double seconds) {
  std::string line = format_bytes(state.bytes);
  const double rate = seconds > 0.2 ? static_cast<double>(state.bytes) / seconds : 0;
  if (state.expected > state.bytes) {
    line += fmt::format(" of {}  {} %", format_bytes(state.expected), state.bytes * 100 / state.expected);
  }
  if (rate > 0) line += fmt::format("  {}/s", format_bytes(static_cast<std::uint64_t>(rate)));
  if (rate > 0 && state.expected > state.bytes) {
    line += fmt::format("  {:.0f} s left", static_cast<double>(state.expected - state.bytes) / rate + 0.5);
  }
  return line + fmt::format("  {} files", state.files);
}

Progress::Progress(bool enabled, std::string label, std::function<State()> read)
    : enabled_(enabled), label_(escape(label, 60)), read_(std::move(read)) {
  if (enabled_) thread_ = std::thread([this] { run(); });
}

Progress::~Progress() { stop(); }

void Progress::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Progress::run() {
  const auto start = std::chrono::steady_clock::now();
  bool shown = false;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::milliseconds(200), [this] { return stopping_; })) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print(stderr, "\r\x1b[K{}  {}", label_, progress_line(read_(), seconds));
    std::fflush(stderr);
    shown = true;
  }
  if (shown) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace lazaret::cli
