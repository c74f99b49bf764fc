// The log of a server: one JSON object a line, so that no text of an attacker can look like a line of ours.
#pragma once

#include <concepts>
#include <mutex>
#include <string>
#include <string_view>

#include "base/json_writer.h"

namespace lazaret {

enum class LogLevel { debug, info, warning, error };

// Thread-safe: each line is one write. A log that cannot be written is lost, and counted.
class Log {
 public:
  // To a descriptor that stays somebody else's. Lines below `least` are not made.
  explicit Log(int descriptor, LogLevel least = LogLevel::info) : descriptor_(descriptor), least_(least) {}

  // {"time":"2026-01-02T03:04:05.678Z","level":"info","event":...}, fields added by calls, written when the line ends.
  class Line {
   public:
    Line(Log* log, LogLevel level, std::string_view event);
    Line(Line&& other) noexcept : log_(other.log_), json_(std::move(other.json_)) { other.log_ = nullptr; }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line();

    // Text is cut at some length; control, invisible and direction-changing characters, and what is not UTF-8, become visible escapes.
    Line& field(std::string_view name, std::string_view text);
    Line& field(std::string_view name, const char* text) { return field(name, std::string_view(text)); }
    template <std::integral T>
    Line& field(std::string_view name, T value) {
      if (log_ != nullptr) json_.field(name, value);
      return *this;
    }

   private:
    Log* log_;  // null: below the least level
    JsonWriter json_;
  };

  Line debug(std::string_view event) { return {wanted(LogLevel::debug), LogLevel::debug, event}; }
  Line info(std::string_view event) { return {wanted(LogLevel::info), LogLevel::info, event}; }
  Line warning(std::string_view event) { return {wanted(LogLevel::warning), LogLevel::warning, event}; }
  Line error(std::string_view event) { return {wanted(LogLevel::error), LogLevel::error, event}; }
  std::uint64_t lost() const;

 private:
  Log* wanted(LogLevel level) { return level >= least_ ? this : nullptr; }
  void write(std::string line);

  const int descriptor_;
  const LogLevel least_;
  mutable std::mutex mutex_;
  std::uint64_t lost_ = 0;
};

}  // namespace lazaret
