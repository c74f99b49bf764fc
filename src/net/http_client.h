// HTTP(S) requests of a client, by libcurl.
//
// Redirects are followed here and not by libcurl, since what may travel along is our decision: at
// most five, never from https to http, and only of GET, HEAD and POST; Authorization only as long as the server stays the same, and
// the body of a POST (it may hold a token) never to another one. Certificates are verified but for
// servers that the user listed as insecure, and only those are spoken to in plain http. Proxies are
// taken from the environment as curl does (https_proxy, http_proxy, no_proxy).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace lazaret::net {

// A server that does not take the connection, or then sends less than `slow_bytes` a second for
// `slow_seconds`, is given up.
struct HttpTimeouts {
  long connect_seconds = 20;
  long slow_bytes = 1024;
  long slow_seconds = 60;
};

struct HttpRequest {
  std::string method = "GET";  // GET, HEAD, POST, PUT, PATCH or DELETE; redirects of the last three are answers
  std::string url;             // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string authorization;                // value of the header; sent to the URL's server only
  std::string body;                         // of POST, PUT, PATCH and DELETE
  bool follow_redirects = true;             // false: they are answers
  std::vector<std::string> insecure_hosts;  // "host" or "host:port"
  std::string unix_socket;  // path of a socket to connect to; the URL's host is then only a name,
                            // http is allowed, and redirects are not followed
  std::uint64_t max_body = UINT64_MAX;  // of a body that is collected; more is ErrorCode::limit
  HttpTimeouts timeouts;
  const std::atomic<bool>* cancelled = nullptr;  // may be null
};

struct HttpResponse {
  long status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  // Unless a sink took it. Of statuses other than 200 and 206 at most the first 64 KiB.
  std::string body;
  std::string url;  // after redirects

  // The first header of that name (lower case), "" when there is none.
  std::string_view header(std::string_view name) const;
};

// Takes the body of a 200 or 206 answer as it arrives; false stops the transfer (then send()
// returns ErrorCode::cancelled). `head` has everything but the body.
using BodySink = std::function<bool(const HttpResponse& head, Bytes piece)>;

// One for each thread; connections are reused. Not thread-safe.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is an answer. Errors: network (the way to the server or the server failed; another
  // try may help), unauthorized (its certificate is not trusted), invalid (no such host, http where
  // only https is allowed, no URL), unsupported (the URL's server speaks no TLS), limit, cancelled.
  Result<HttpResponse> send(const HttpRequest& request, const BodySink& sink = nullptr);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What Retry-After says, in seconds from now: a number or a date (RFC 9110, 10.2.3). Nothing when
// it is absent or makes no sense.
std::optional<std::chrono::seconds> retry_after(const HttpResponse& response);

}  // namespace lazaret::net
