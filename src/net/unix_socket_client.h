// HTTP GET over a Unix socket: how the engine on this host is asked for an image.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace lazaret::net {

struct UnixSocketRequest {
  std::string socket;                            // path of the socket
  std::string path;                              // "/images/nginx/get", percent-encoded already
  const std::atomic<bool>* cancelled = nullptr;  // may be null
};

// Gives the body of a successful answer to `sink` as it arrives; `sink` returns false to stop. The
// value is the HTTP status; when it is not 200, the body (at most 64 KiB) is in `error_body`
// instead. Blocks; gives up when the peer sends nothing for ten minutes (an engine prepares a large
// image before its first byte).
Result<long> get_over_unix_socket(const UnixSocketRequest& request,
                                  const std::function<bool(Bytes)>& sink, std::string& error_body);

}  // namespace lazaret::net
