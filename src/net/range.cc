#include "net/range.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace lazaret::net {
namespace {

// Ranges beyond this number are not even looked at.
constexpr std::size_t most_ranges = 16;

std::optional<std::uint64_t> number(std::string_view digits) {
  if (digits.empty() || digits.size() > 19) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// One "first-last", "first-" or "-suffix". False: malformed. `out` stays empty when it is beyond the end.
bool parse_one(std::string_view text, std::uint64_t size, std::optional<ByteRange>& out) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view first = text.substr(0, dash), last = text.substr(dash + 1);
  if (first.empty()) {
    const auto suffix = number(last);
    if (!suffix) return false;
    const std::uint64_t length = std::min(*suffix, size);
    if (length > 0) out = ByteRange{size - length, length};
    return true;
  }
  const auto begin = number(first);
  const auto end = last.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : number(last);
  if (!begin || !end || *end < *begin) return false;
  if (*begin < size) out = ByteRange{*begin, std::min(*end, size - 1) - *begin + 1};
  return true;
}

// Calls `take` with each entity tag of a list until it says true; whether it did.
template <typename Take>
bool any_tag(std::string_view list, Take take) {
  for (const std::string_view part : split(list, ','))
    if (take(trim(part))) return true;
  return false;
}

std::string_view without_quotes(std::string_view tag) {
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') return tag.substr(1, tag.size() - 2);
  return tag;
}

std::string_view without_weakness(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

}  // namespace

RangeResult parse_range(std::string_view value, std::uint64_t size) {
  RangeResult result;
  const auto equals = value.find('=');
  if (equals == std::string_view::npos || !equals_ignore_case(trim(value.substr(0, equals)), "bytes")) return result;
  std::vector<ByteRange> ranges;
  std::size_t count = 0;
  for (const std::string_view part : split(value.substr(equals + 1), ',')) {
    const std::string_view text = trim(part);
    if (text.empty()) continue;
    std::optional<ByteRange> range;
    if (++count > most_ranges || !parse_one(text, size, range)) return result;
    if (range) ranges.push_back(*range);
  }
  if (count == 0) return result;
  if (ranges.empty()) {
    result.kind = RangeResult::Kind::unsatisfiable;
    return result;
  }
  std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  ByteRange all = ranges.front();
  for (const ByteRange& range : ranges) {
    if (range.offset > all.offset + all.length) return result;  // a gap
    all.length = std::max(all.offset + all.length, range.offset + range.length) - all.offset;
  }
  result.kind = RangeResult::Kind::part;
  result.range = all;
  return result;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, size);
}

std::string unsatisfied_range(std::uint64_t size) {
  return fmt::format("bytes */{}", size);
}

bool if_none_match(const Request& request, std::string_view etag) {
  const std::string list = request.header_list("if-none-match");
  return any_tag(list, [&](std::string_view tag) { return tag == "*" || without_quotes(without_weakness(tag)) == without_quotes(etag); });
}

bool if_match_fails(const Request& request, std::string_view etag) {
  if (!request.header("if-match")) return false;
  const std::string list = request.header_list("if-match");
  return !any_tag(list, [&](std::string_view tag) { return tag == "*" || tag == etag; });
}

bool if_range_holds(const Request& request, std::string_view etag) {
  const auto condition = request.header("if-range");
  return !condition || *condition == etag;
}

void answer_with_file(const Request& request, const FileRegion& file, std::string_view etag, Response& response) {
  response.add("ETag", etag);
  response.add("Accept-Ranges", "bytes");
  if (if_match_fails(request, etag)) {
    response.status = 412;
    return;
  }
  if (if_none_match(request, etag)) {
    response.status = 304;
    return;
  }
  RangeResult wanted;
  if (const auto range = request.header("range"); range && request.method == "GET" && if_range_holds(request, etag))
    wanted = parse_range(*range, file.length);
  switch (wanted.kind) {
    case RangeResult::Kind::whole:
      response.status = 200;
      response.body = file;
      return;
    case RangeResult::Kind::part:
      response.status = 206;
      response.add("Content-Range", content_range(wanted.range, file.length));
      response.body = FileRegion{file.file, file.offset + wanted.range.offset, wanted.range.length};
      return;
    case RangeResult::Kind::unsatisfiable:
      response.status = 416;
      response.add("Content-Range", unsatisfied_range(file.length));
      return;
  }
}

}  // namespace lazaret::net
