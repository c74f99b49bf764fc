// The clock of a rehearsal: the time is what a file says, so that a year of an incident can be
// replayed in a minute.
//
// The file holds one time of RFC 3339. Whoever rehearses replaces it (write another file, rename
// it); pushes, pulls, verdicts and acts get that time. Waiting, time-outs, and how long passwords
// and tokens last go by the real clock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace lazaret::server {

// Thread-safe.
class RehearsalClock {
 public:
  // Fails when there is no time in the file.
  static Result<std::unique_ptr<RehearsalClock>> open(const std::string& path);

  // Milliseconds since 1970. Keeps the last time while the file holds none.
  std::int64_t now();

 private:
  RehearsalClock(std::string path, std::int64_t time) : path_(std::move(path)), time_(time) {}

  const std::string path_;
  std::atomic<std::int64_t> time_;
};

}  // namespace lazaret::server
