// What who runs the server sees of it: metrics, the log of requests, limits by address.
#pragma once

#include <array>
#include <functional>

#include "base/log.h"
#include "base/metrics.h"
#include "net/http_server.h"
#include "net/rate_limit.h"
#include "server/configuration.h"

namespace lazaret::server {

class Operations {
 public:
  // Logs to `log`, which must outlive it, as this must outlive the HTTP server.
  Operations(const Configuration& configuration, Log& log);

  // Called first with every request, on a loop. Counts it and, when it ends, how it ended. False: it was answered 429, since its address asks
  // more often than it may.
  bool admit(const net::ExchangePtr& exchange);
  // /metrics: Prometheus' text format.
  net::Response metrics_page() const;
  Metrics& metrics() { return metrics_; }
  // Adds what the HTTP server counts itself; it must outlive the last metrics_page().
  void watch(const net::Server& server);

 private:
  static constexpr std::size_t routes = 8;
  struct RouteMetrics {
    std::array<Counter*, 6> by_status{};  // 0: no answer; 1xx to 5xx
    Counter* bytes_sent = nullptr;
    Counter* bytes_received = nullptr;
    Histogram* seconds = nullptr;
  };

  Log& log_;
  const bool log_requests_;
  Metrics metrics_;
  std::array<RouteMetrics, routes> by_route_;
  Counter& limited_;
  net::RateLimiter by_address_;
};

}  // namespace lazaret::server
