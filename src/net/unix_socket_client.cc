#include "net/unix_socket_client.h"

#include <fmt/core.h>

#include "net/http_client.h"

namespace lazaret::net {

Result<long> get_over_unix_socket(const UnixSocketRequest& request,
                                  const std::function<bool(Bytes)>& sink, std::string& error_body) {
  HttpClient client;
  HttpRequest http;
  http.url = "http://localhost" + request.path;
  http.unix_socket = request.socket;
  http.timeouts = {10, 1, 600};
  http.cancelled = request.cancelled;
  long status = 0;
  bool stopped = false;
  auto response = client.send(http, [&](const HttpResponse& head, Bytes piece) {
    status = head.status;
    stopped = !sink(piece);
    return !stopped;
  });
  if (stopped) return status;
  if (!response) {
    if (response.error().code == ErrorCode::cancelled)
      return Error{ErrorCode::cancelled, "stopped as asked"};
    return Error{response.error().code,
                 fmt::format("{}: {}", request.socket, response.error().message)};
  }
  error_body = std::move(response->body);
  return response->status;
}

}  // namespace lazaret::net
