#include "server/operations.h"

#include <fmt/format.h>

#include <memory>

#include "net/address.h"
#include "registry/account_authorizer.h"
#include "registry/answers.h"

namespace lazaret::server {
namespace {

// Labels come from here, never from a request.
constexpr std::array<std::string_view, 8> route_names = {"manifest", "upload", "blob", "list", "token", "api", "health", "other"};
constexpr std::array<std::string_view, 6> status_names = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

// Of the last parts of a path: a repository's name may hold any of these words.
std::size_t route_of(std::string_view path) {
  if (path == registry::token_path) return 4;
  if (path.starts_with("/api/")) return 5;
  if (path == "/healthz" || path == "/readyz" || path == "/metrics") return 6;
  if (!path.starts_with("/v2")) return 7;
  if (path.ends_with("/tags/list") || path == "/v2/_catalog") return 3;
  const auto last = path.rfind('/');
  const auto second = last == 0 || last == std::string_view::npos ? last : path.rfind('/', last - 1);
  if (second == std::string_view::npos) return 7;
  const std::string_view word = path.substr(second + 1, last - second - 1);
  if (word == "manifests") return 0;
  if (word == "uploads") return 1;
  if (word == "blobs") return path.ends_with("/uploads") ? 1 : 2;
  if (word == "referrers") return 3;
  return 7;
}

std::string_view name_of(net::Outcome::Kind kind) {
  switch (kind) {
    case net::Outcome::Kind::complete: return "complete";
    case net::Outcome::Kind::client_gone: return "client gone";
    case net::Outcome::Kind::cut: return "cut";
    case net::Outcome::Kind::failed: return "failed";
  }
  return "";
}

// What the log says of a request, kept while it runs.
struct Asked {
  std::string method, path, client, agent;
};

}  // namespace

Operations::Operations(const Configuration& configuration, Log& log)
    : log_(log),
      log_requests_(configuration.log_requests),
      limited_(metrics_.counter("lazaret_requests_limited_total", "Requests answered 429 because their address asks too often.")),
      by_address_({static_cast<double>(configuration.requests_of_address), 10.0 * static_cast<double>(configuration.requests_of_address)}) {
  static_assert(route_names.size() == routes);
  for (std::size_t i = 0; i < routes; ++i) {
    const std::string route(route_names[i]);
    RouteMetrics& metrics = by_route_[i];
    for (std::size_t k = 0; k < status_names.size(); ++k)
      metrics.by_status[k] = &metrics_.counter("lazaret_requests_total", "Requests by what they are for and the class of their answer.", {{"route", route}, {"status", std::string(status_names[k])}});
    metrics.bytes_sent = &metrics_.counter("lazaret_sent_bytes_total", "Bytes of bodies sent.", {{"route", route}});
    metrics.bytes_received = &metrics_.counter("lazaret_received_bytes_total", "Bytes of bodies received.", {{"route", route}});
    metrics.seconds = &metrics_.histogram("lazaret_request_seconds", "From the head of a request to the last byte of its answer, waiting for verdicts included.", duration_bounds(), {{"route", route}});
  }
}

bool Operations::admit(const net::ExchangePtr& exchange) {
  const net::Request& request = exchange->request();
  const std::size_t route = route_of(request.path);
  std::shared_ptr<const Asked> asked;
  if (log_requests_)
    asked = std::make_shared<Asked>(Asked{std::string(request.method), request.path, request.client, std::string(request.header("user-agent").value_or(""))});
  exchange->on_end([this, route, asked](const net::Outcome& outcome) {
    const RouteMetrics& metrics = by_route_[route];
    const auto status = static_cast<std::size_t>(outcome.status / 100);
    metrics.by_status[status < metrics.by_status.size() ? status : 0]->add();
    metrics.bytes_sent->add(outcome.body_bytes);
    metrics.bytes_received->add(outcome.request_bytes);
    metrics.seconds->observe(static_cast<double>(outcome.duration.count()) / 1e6);
    if (!asked) return;
    auto line = outcome.status >= 500 ? log_.warning("request") : log_.info("request");
    line.field("method", asked->method).field("path", asked->path).field("status", outcome.status).field("outcome", name_of(outcome.kind));
    line.field("sent", outcome.body_bytes).field("received", outcome.request_bytes).field("microseconds", outcome.duration.count());
    line.field("client", asked->client).field("agent", asked->agent);
  });
  // Health is asked by those who would otherwise restart us.
  if (route_names[route] == "health") return true;
  const auto wait = by_address_.take(net::client_key(request.client));
  if (!wait) return true;
  limited_.add();
  net::Response response = registry::error(429, "TOOMANYREQUESTS", "too many requests from this address");
  response.add("Retry-After", std::to_string(wait->count()));
  exchange->respond(std::move(response));
  return false;
}

void Operations::watch(const net::Server& server) {
  const auto add = [&](const char* name, const char* help, bool counts, std::uint64_t net::ServerStatistics::*member) {
    metrics_.value(name, help, counts, [&server, member] { return static_cast<double>(server.statistics().*member); });
  };
  add("lazaret_connections", "Connections open now.", false, &net::ServerStatistics::connections);
  add("lazaret_connections_accepted_total", "Connections accepted.", true, &net::ServerStatistics::accepted);
  add("lazaret_connections_refused_total", "Connections closed because their address has too many.", true, &net::ServerStatistics::refused_connections);
  add("lazaret_requests_refused_total", "Messages refused before they reached a handler: malformed, too large, too slow.", true, &net::ServerStatistics::refused_requests);
  add("lazaret_tls_handshake_failures_total", "TLS handshakes that failed.", true, &net::ServerStatistics::handshake_failures);
}

net::Response Operations::metrics_page() const {
  return net::text_response(200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace lazaret::server
