// HTTP(S) requests of a client, by libcurl.
//
// Redirects are followed here and not by libcurl, since what may travel along is our decision: at most five, never from https to http, and the Authorization
// header only as long as host and port stay the same.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace lazaret::net {

struct HttpRequest {
  std::string method = "GET";  // GET, HEAD or POST
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string authorization;   // value of the header; sent to the URL's own host and port only
  std::string body;            // of POST
  bool insecure = false;       // certificate not verified; http allowed
  std::uint64_t max_body = ~0ull;  // of a body that is collected; more is an error
  const std::atomic<bool>* cancelled = nullptr;
};

struct HttpResponse {
  long status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // unless a sink took it
  std::string url;                                           // after redirects

  // The first header of that name (lower case), "" when there is none.
  std::string_view header(std::string_view name) const;
};

// Takes the body of a 200 or 206 answer as it arrives; false stops the transfer (then the request ends with ErrorCode::cancelled).
using BodySink = std::function<bool(const HttpResponse& head, Bytes piece)>;

// One for each thread; connections are reused. Not thread-safe.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // An Error when there was no complete answer; any status is an answer. Gives up on a connection that does not come about in 20 seconds, or brings less than 1 KiB/s
  // for 60 seconds.
  Result<HttpResponse> send(const HttpRequest& request, const BodySink& sink = nullptr);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Parts of a URL; empty strings when it is malformed.
struct UrlParts {
  std::string scheme, host, port, path;  // port as text, the scheme's default when none is written
};
UrlParts split_url(std::string_view url);

}  // namespace lazaret::net
