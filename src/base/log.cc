#include "base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/text.h"

namespace lazaret {
namespace {

constexpr std::size_t most_text_bytes = 1024;

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "";
}

std::string now() {
  const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = time.time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000)), milliseconds % 1000);
}

}  // namespace

Log::Line::Line(Log* log, LogLevel level, std::string_view event) : log_(log), json_(0) {
  if (log_ == nullptr) return;
  json_.begin_object().field("time", now()).field("level", name_of(level)).field("event", event);
}

Log::Line::~Line() {
  if (log_ == nullptr) return;
  json_.end_object();
  log_->write(json_.take() + "\n");
}

Log::Line& Log::Line::field(std::string_view name, std::string_view text) {
  if (log_ != nullptr) json_.field(name, escape(text, most_text_bytes));
  return *this;
}

void Log::write(std::string line) {
  const std::lock_guard lock(mutex_);
  for (std::size_t at = 0; at < line.size();) {
    const ssize_t written = ::write(descriptor_, line.data() + at, line.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      ++lost_;
      return;
    }
    at += static_cast<std::size_t>(written);
  }
}

std::uint64_t Log::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace lazaret
