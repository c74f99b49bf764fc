// Answers of the distribution API: errors with the specification's codes, warnings, links.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace lazaret::registry {

// `code` of distribution-spec, "Error Codes". The message may hold attackers' text: it is escaped here. `detail`: JSON, "" for none.
net::Response error(int status, std::string_view code, std::string_view message, std::string_view detail = "");
net::Response json(int status, std::string body);
net::Response empty(int status);

// RFC 7234, 5.5, as the specification narrows it: printable ASCII, code 299, agent "-".
void add_warning(net::Response& response, std::string_view text);

// The value of a query parameter.
std::string percent_encode(std::string_view text);

// "begin-end", both inclusive, of a chunk that is uploaded; also as old clients have it, "bytes begin-end/*".
struct ContentRange {
  std::uint64_t begin = 0, end = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view header);

}  // namespace lazaret::registry
