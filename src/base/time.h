// Times as they are stored and as people and other programs write them.
//
// A time is milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lazaret {

std::int64_t milliseconds_now();

// RFC 3339 in UTC, to the second: 2018-05-10T08:00:00Z. Years outside 0 to 9999 become the nearest
// there is.
std::string to_rfc3339(std::int64_t milliseconds);

// Any date and time of RFC 3339 (section 5.6), fractions cut to milliseconds, and a date alone,
// which is its first moment in UTC.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace lazaret
