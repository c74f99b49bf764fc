// Range and conditional requests (RFC 9110, 13 and 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace lazaret::net {

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct RangeResult {
  enum class Kind {
    whole,          // no Range, one of another unit, malformed, or several ranges: answer 200 with everything
    part,           // 206
    unsatisfiable,  // 416
  };
  Kind kind = Kind::whole;
  ByteRange range;
};

// What a Range field means for a representation of `size` bytes. Several ranges are one when together they are one
// (0-9,10-19); else all is sent, which any client must accept: a thousand ranges cost no more than one.
RangeResult parse_range(std::string_view value, std::uint64_t size);

// "bytes 0-9/100", and "bytes */100" for 416.
std::string content_range(const ByteRange& range, std::uint64_t size);
std::string unsatisfied_range(std::uint64_t size);

// Whether If-None-Match says that the client has this already: answer 304. `etag` with its quotes; weak comparison. Tags without
// quotes are understood too, since some clients of registries send them so.
bool if_none_match(const Request& request, std::string_view etag);
// Whether If-Match forbids to go on: answer 412. Strong comparison.
bool if_match_fails(const Request& request, std::string_view etag);
// Whether a Range counts, as far as If-Range is concerned: without one, or with one that names `etag`.
bool if_range_holds(const Request& request, std::string_view etag);

// Makes `response`, whose headers are set, the answer to a GET or HEAD for part or all of a file: status 200, 206, 304 or 416, with
// ETag, Accept-Ranges and Content-Range.
void answer_with_file(const Request& request, const FileRegion& file, std::string_view etag, Response& response);

}  // namespace lazaret::net
