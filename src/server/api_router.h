// The REST API below /api/v1: which handler answers a request, and what every one of them can rely on.
//
// A resource is a file api_<name>.cc with a list of routes as constants (api_resources.h names the lists). The router matches method and path, finds out
// who asks and whether they may, reads the body, and calls the handler on a worker thread, where it may block. Errors are problem details (RFC 9457).
// docs/openapi.yaml describes every route; tests/end_to_end/api_test.py compares it with what GET /api/v1/routes says of the code.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "format/json.h"
#include "gate/gate.h"
#include "gate/ledger.h"
#include "gate/takedown_journal.h"
#include "net/http_server.h"
#include "net/rate_limit.h"
#include "registry/accounts.h"
#include "registry/authorizer.h"
#include "server/configuration.h"
#include "store/ledger.h"

namespace lazaret::server {

class Intelligence;

inline constexpr std::string_view api_base = "/api/v1";

// What handlers work with. Everything outlives the HTTP server.
struct ApiServices {
  const Configuration& configuration;
  gate::Gate& gate;
  gate::Ledger& ledger;
  store::LedgerStore& pulls;
  store::MetadataStore& metadata;
  registry::Accounts& accounts;
  registry::Authorizer& authorizer;
  Log& log;
  net::RateLimiter& user_reports;  // by address
  gate::TakedownJournal& takedown_journal;
  Intelligence& intelligence;
};

enum class ApiAccess : std::uint8_t {
  anyone,         // also without credentials; the handler shows what the caller may see
  account,        // anybody who logged in; robots and other limited tokens within their scope, which is the handler's to ask
  person,         // an account with all that it may: no limited token
  administrator,  // the same, of an administrator
};
std::string_view name_of(ApiAccess access);

struct ApiRoute;

// One request that may be answered.
class ApiCall {
 public:
  ApiCall(net::ExchangePtr exchange, ApiServices& uses, const ApiRoute& matched, std::map<std::string, std::string, std::less<>> parameters)
      : services(uses), route(matched), exchange_(std::move(exchange)), parameters_(std::move(parameters)) {}

  ApiServices& services;
  const ApiRoute& route;
  registry::Caller caller;
  format::JsonValue body;  // an object, when the route takes a body

  const net::Request& request() const { return exchange_->request(); }
  const net::ExchangePtr& exchange() const { return exchange_; }
  // Of the path. It is our bug to ask for one that the route does not have.
  const std::string& parameter(std::string_view name) const;
  // The first value of a parameter of the query that the route lists.
  std::optional<std::string> query(std::string_view name) const { return request().query_value(name); }
  bool may(registry::Action action, std::string_view repository) const { return services.authorizer.may(caller, action, repository); }
  // For the log of acts.
  registry::Actor actor() const { return {caller.name, request().client}; }

 private:
  const net::ExchangePtr exchange_;
  const std::map<std::string, std::string, std::less<>> parameters_;
};

struct ApiRoute {
  std::string_view method;  // GET also answers HEAD
  // Below api_base: "/images/{digest}/report". "{name*}" as the last part takes the rest of the path with its slashes.
  std::string_view path;
  ApiAccess access = ApiAccess::administrator;
  net::Response (*answer)(ApiCall& call) = nullptr;
  // What the handler answers; what the router answers by itself comes to it (statuses_of).
  std::array<int, 6> statuses{};
  std::array<std::string_view, 12> query{};  // parameters it knows; others are refused
  bool paged = false;                        // a list: limit and cursor come to them (ApiPage)
  std::size_t body_bytes = 0;                // the largest body, a JSON object; 0: it takes none
};

// What a route can answer, in rising order.
std::vector<int> statuses_of(const ApiRoute& route);
// Names in the query, with those of lists.
std::vector<std::string_view> query_of(const ApiRoute& route);

class ApiRouter {
 public:
  // `services` must outlive it. Two routes that fit one request are our bug.
  explicit ApiRouter(ApiServices& services);

  // For paths under api_base. Called on a loop; answers, now or later.
  void handle(const net::ExchangePtr& exchange);

  // The route of a method and a path below api_base; null: none. `allow`: the methods that the path knows.
  const ApiRoute* find(std::string_view method, std::string_view path, std::map<std::string, std::string, std::less<>>& parameters, std::string& allow) const;

 private:
  void admit(const std::shared_ptr<ApiCall>& call) const;

  ApiServices& services_;
  std::vector<const ApiRoute*> routes_;
};

}  // namespace lazaret::server
