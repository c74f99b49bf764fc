#include "server/rehearsal_clock.h"

#include <fmt/format.h>

#include <fstream>
#include <optional>

#include "base/text.h"
#include "base/time.h"

namespace lazaret::server {
namespace {

std::optional<std::int64_t> time_in(const std::string& path) {
  std::ifstream file(path);
  char text[64];
  file.getline(text, sizeof text);
  if (!file) return std::nullopt;
  return parse_rfc3339(text);
}

}  // namespace

Result<std::unique_ptr<RehearsalClock>> RehearsalClock::open(const std::string& path) {
  const auto time = time_in(path);
  if (!time)
    return Error{ErrorCode::invalid,
                 fmt::format("the clock file {} must hold one line like 2018-05-10T08:00:00Z",
                             escape(path))};
  return std::unique_ptr<RehearsalClock>(new RehearsalClock(path, *time));
}

std::int64_t RehearsalClock::now() {
  if (const auto time = time_in(path_)) time_ = *time;
  return time_;
}

}  // namespace lazaret::server
