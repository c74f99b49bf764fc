#include "registry/token_endpoint.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "registry/account_authorizer.h"

namespace lazaret::registry {
namespace {

constexpr std::uint64_t most_form_bytes = 64 << 10;

// What OAuth 2 clients and registry clients look for, in one body (RFC 6749, 5.2).
net::Response refusal(int status, std::string_view oauth, std::string_view code, std::string_view message) {
  JsonWriter json(0);
  json.begin_object().field("error", oauth).field("error_description", message);
  json.key("errors").begin_array().begin_object().field("code", code).field("message", message).end_object().end_array().end_object();
  net::Response response = net::text_response(status, json.take(), "application/json");
  response.add("Cache-Control", "no-store");
  if (status == 401) response.add("WWW-Authenticate", "Basic realm=\"lazaret\"");
  return response;
}

net::Response refusal(const Error& why) {
  if (why.code == ErrorCode::busy) {
    net::Response response = refusal(429, "temporarily_unavailable", "TOOMANYREQUESTS", why.message);
    response.add("Retry-After", "10");
    return response;
  }
  if (why.code == ErrorCode::unauthorized) return refusal(401, "invalid_grant", "UNAUTHORIZED", why.message);
  return refusal(503, "temporarily_unavailable", "UNAVAILABLE", "the accounts cannot be read at this moment");
}

net::Response invalid(std::string_view message) {
  return refusal(400, "invalid_request", "UNSUPPORTED", message);
}

}  // namespace

void TokenEndpoint::handle(const net::ExchangePtr& exchange) {
  const net::Request& request = exchange->request();
  if (request.method == "GET") {
    exchange->run([this, exchange] { exchange->respond(get(exchange->request())); });
  } else if (request.method == "POST") {
    exchange->read_body(most_form_bytes, [this, exchange](std::string form) { exchange->respond(post(exchange->request(), form)); });
  } else {
    net::Response response = refusal(405, "invalid_request", "UNSUPPORTED", "tokens are given out by GET and POST");
    response.add("Allow", "GET, POST");
    exchange->respond(std::move(response));
  }
}

net::Response TokenEndpoint::get(const net::Request& request) {
  if (const auto service = request.query_value("service"); service && !service->empty() && *service != token_service)
    return invalid("this server gives out tokens for the service \"lazaret\" only");
  Identity identity;
  if (const auto authorization = request.header("authorization")) {
    const auto basic = basic_credentials(*authorization);
    if (!basic) return refusal({ErrorCode::unauthorized, "tokens are given out for Basic credentials"});
    if (!basic->first.empty() || !basic->second.empty()) {
      auto proved = accounts_.log_in(basic->first, basic->second, request.client);
      if (!proved) return refusal(proved.error());
      identity = std::move(*proved);
    }
  }
  if (identity.account == 0 && !accounts_.options().anonymous_pull) return refusal({ErrorCode::unauthorized, "log in first: this registry lets nobody pull without an account"});
  std::string scopes;
  for (const std::string& scope : request.query_values("scope")) scopes += scope + " ";
  return answer(identity, scopes, request.query_value("offline_token") == "true", false, "");
}

net::Response TokenEndpoint::post(const net::Request& request, std::string_view form) {
  const auto fields = net::parse_form(form);
  if (!fields) return invalid("the form has too many fields");
  const auto field = [&](std::string_view name) -> std::string_view {
    for (const auto& [found, value] : *fields)
      if (found == name) return value;
    return "";
  };
  const std::string_view service = field("service");
  if (!service.empty() && service != token_service) return invalid("this server gives out tokens for the service \"lazaret\" only");
  if (field("grant_type") == "password") {
    const auto proved = accounts_.log_in(field("username"), field("password"), request.client);
    if (!proved) return refusal(proved.error());
    return answer(*proved, field("scope"), field("access_type") == "offline", true, "");
  }
  if (field("grant_type") == "refresh_token") {
    const auto proved = accounts_.by_refresh_token(field("refresh_token"), token_service);
    if (!proved) return refusal(proved.error());
    return answer(*proved, field("scope"), false, true, field("refresh_token"));
  }
  return refusal(400, "unsupported_grant_type", "UNSUPPORTED", "grant_type must be password or refresh_token");
}

net::Response TokenEndpoint::answer(const Identity& identity, std::string_view scopes, bool offline, bool oauth, std::string_view refresh_token) {
  const auto wanted = parse_scopes(scopes);
  if (!wanted) return refusal(400, "invalid_scope", "UNSUPPORTED", "a scope is repository:NAME:pull,push");
  const auto access = accounts_.issue(identity, *wanted);
  std::string refresh(refresh_token);
  // A robot's token is its own refresh token.
  if (offline && identity.account != 0 && identity.token == 0) {
    auto issued = accounts_.issue_refresh_token(identity, token_service);
    if (!issued) return refusal(issued.error());
    refresh = std::move(*issued);
  }
  JsonWriter json(0);
  json.begin_object();
  if (!oauth) json.field("token", access.token);
  json.field("access_token", access.token).field("expires_in", access.lifetime.count()).field("issued_at", to_rfc3339(access.issued));
  json.field("scope", scope_text(access.grants));
  if (!refresh.empty()) json.field("refresh_token", refresh);
  if (oauth) json.field("token_type", "Bearer");
  json.end_object();
  net::Response response = net::text_response(200, json.take(), "application/json");
  response.add("Cache-Control", "no-store");
  return response;
}

}  // namespace lazaret::registry
