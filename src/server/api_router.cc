#include "server/api_router.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <set>

#include "base/text.h"
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret::server {
namespace {

using Parameters = std::map<std::string, std::string, std::less<>>;

bool matches(std::string_view pattern, std::string_view path, Parameters* parameters) {
  for (;;) {
    if (pattern.empty() || path.empty()) return pattern.empty() && path.empty();
    assert(pattern.front() == '/');
    if (path.front() != '/') return false;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view wanted = pattern.substr(0, pattern.find('/'));
    std::string_view part = path.substr(0, path.find('/'));
    if (wanted.starts_with('{')) {
      std::string_view name = wanted.substr(1, wanted.size() - 2);
      if (name.ends_with('*')) {
        name.remove_suffix(1);
        part = path;
      }
      if (part.empty()) return false;
      if (parameters != nullptr) parameters->insert_or_assign(std::string(name), std::string(part));
    } else if (wanted != part) {
      return false;
    }
    pattern.remove_prefix(wanted.size());
    path.remove_prefix(part.size());
  }
}

// "application/json", whatever parameters follow.
bool is_json(std::string_view content_type) { return equals_ignore_case(trim(content_type.substr(0, content_type.find(';'))), "application/json"); }

net::Response unauthorized(const ApiCall& call, std::string_view detail) {
  net::Response response = answer({401, "Credentials are needed", std::string(detail), "Send name and password, or a token, in Authorization.", ""});
  response.add("WWW-Authenticate", call.services.authorizer.challenge(call.request(), {}, false));
  return response;
}

// Collects a body, and answers failures in the words of this interface.
class JsonBody final : public net::BodyReceiver {
 public:
  JsonBody(net::ExchangePtr exchange, std::size_t most_bytes, std::function<void(std::string)> done) : exchange_(std::move(exchange)), most_bytes_(most_bytes), done_(std::move(done)) {}

  bool receive(Bytes bytes) override {
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  void finish() override { done_(std::move(text_)); }
  void fail(net::BodyFailure reason) override {
    if (reason != net::BodyFailure::too_large) return;
    exchange_->respond(answer({413, "The body is too large", fmt::format("more than {} bytes are not taken here", most_bytes_), "Send less.", ""}));
  }

 private:
  const net::ExchangePtr exchange_;
  const std::size_t most_bytes_;
  const std::function<void(std::string)> done_;
  std::string text_;
};

std::optional<net::Response> read_object(const std::string& text, format::JsonValue& to) {
  format::JsonOptions options;
  options.max_depth = 16;
  options.max_values = 10'000;
  format::JsonDocument document = format::parse_json(text, options);
  if (document.valid && document.diagnostics.empty() && document.value.as_object() != nullptr) {
    to = std::move(document.value);
    return std::nullopt;
  }
  std::string why = "it is no object";
  if (!document.diagnostics.empty()) why = fmt::format("{}: {}", document.diagnostics.front().rule, document.diagnostics.front().message);
  return answer({400, "The body is no JSON object", why, "Send one JSON object without equal keys.", ""});
}

}  // namespace

std::string_view name_of(ApiAccess access) {
  switch (access) {
    case ApiAccess::anyone: return "anyone";
    case ApiAccess::account: return "account";
    case ApiAccess::person: return "person";
    case ApiAccess::administrator: return "administrator";
  }
  return "";
}

const std::string& ApiCall::parameter(std::string_view name) const {
  const auto found = parameters_.find(name);
  assert(found != parameters_.end());
  return found->second;
}

std::vector<std::string_view> query_of(const ApiRoute& route) {
  std::vector<std::string_view> names;
  for (const std::string_view name : route.query) {
    if (!name.empty()) names.push_back(name);
  }
  if (route.paged) names.insert(names.end(), {"limit", "cursor"});
  return names;
}

std::vector<int> statuses_of(const ApiRoute& route) {
  // Wrong credentials, wrong parameters, too many requests, a store that does not answer.
  std::set<int> all = {400, 401, 429, 503};
  for (const int status : route.statuses) {
    if (status != 0) all.insert(status);
  }
  if (route.access == ApiAccess::person || route.access == ApiAccess::administrator || route.method != "GET") all.insert(403);
  if (route.body_bytes != 0) all.insert({413, 415});
  return {all.begin(), all.end()};
}

ApiRouter::ApiRouter(ApiServices& services) : services_(services) {
  for (const std::span<const ApiRoute> resource : api_resources()) {
    for (const ApiRoute& route : resource) routes_.push_back(&route);
  }
  // What is written out goes before parameters, and parameters before what takes the rest: "/images/search" is not "/images/{digest}".
  std::stable_sort(routes_.begin(), routes_.end(), [](const ApiRoute* a, const ApiRoute* b) {
    const auto rank = [](const ApiRoute& route) { return std::pair(route.path.find('*') != std::string_view::npos, std::count(route.path.begin(), route.path.end(), '{')); };
    return rank(*a) < rank(*b);
  });
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) assert(routes_[i]->path != routes_[k]->path || routes_[i]->method != routes_[k]->method);
  }
}

const ApiRoute* ApiRouter::find(std::string_view method, std::string_view path, Parameters& parameters, std::string& allow) const {
  if (method == "HEAD") method = "GET";
  std::string_view pattern;
  for (const ApiRoute* route : routes_) {
    if (!pattern.empty() && route->path != pattern) continue;
    if (!matches(route->path, path, nullptr)) continue;
    // The first pattern that fits has the path, with all its methods.
    pattern = route->path;
    allow += (allow.empty() ? "" : ", ") + std::string(route->method);
    if (route->method == "GET") allow += ", HEAD";
    if (route->method != method) continue;
    matches(route->path, path, &parameters);
    return route;
  }
  return nullptr;
}

void ApiRouter::handle(const net::ExchangePtr& exchange) {
  const net::Request& request = exchange->request();
  Parameters parameters;
  std::string allow;
  const ApiRoute* const route = find(request.method, std::string_view(request.path).substr(api_base.size()), parameters, allow);
  if (route == nullptr) {
    if (allow.empty()) {
      exchange->respond(answer({404, "Not found", fmt::format("{} is no path of this interface", request.path), "GET /api/v1/routes lists what there is.", ""}));
      return;
    }
    net::Response response = answer({405, "The method does not fit", fmt::format("{} is not for {}", request.path, request.method), "Use one of: " + allow + ".", ""});
    response.add("Allow", allow);
    exchange->respond(std::move(response));
    return;
  }
  auto call = std::make_shared<ApiCall>(exchange, services_, *route, std::move(parameters));
  exchange->run([this, call] { admit(call); });
}

void ApiRouter::admit(const std::shared_ptr<ApiCall>& call) const {
  const net::Request& request = call->request();
  const ApiRoute& route = call->route;
  const net::ExchangePtr& exchange = call->exchange();
  auto caller = services_.authorizer.caller(request);
  if (!caller) {
    if (caller.error().code == ErrorCode::unauthorized) {
      exchange->respond(unauthorized(*call, caller.error().message));
    } else if (caller.error().code == ErrorCode::busy) {
      net::Response response = answer({429, "Too many requests", caller.error().message, "", ""});
      response.add("Retry-After", "5");
      exchange->respond(std::move(response));
    } else {
      exchange->respond(answer(*call, caller.error()));
    }
    return;
  }
  call->caller = std::move(*caller);
  if (route.access != ApiAccess::anyone && call->caller.anonymous()) {
    exchange->respond(unauthorized(*call, "this is not for everybody"));
    return;
  }
  // A page of another site, in a browser that remembers the credentials (Fetch Metadata).
  if (route.method != "GET" && equals_ignore_case(request.header("sec-fetch-site").value_or(""), "cross-site")) {
    exchange->respond(answer({403, "Not allowed", "the request comes from a page of another site", "", ""}));
    return;
  }
  const bool limited = !call->caller.token.empty();
  if (limited && route.access != ApiAccess::anyone && route.access != ApiAccess::account) {
    exchange->respond(answer({403, "Not allowed", "a token with a scope may not do this", "Use the account's password.", ""}));
    return;
  }
  if (route.access == ApiAccess::administrator && !call->caller.administrator) {
    exchange->respond(answer({403, "Not allowed", fmt::format("{} is no administrator", call->caller.name), "Ask an administrator to do it.", ""}));
    return;
  }
  const auto known = query_of(route);
  const auto given = net::parse_form(request.query);
  if (!given) {
    exchange->respond(answer({400, "A parameter is wrong", "the query has too many parameters", "", ""}));
    return;
  }
  for (const auto& [name, value] : *given) {
    if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string all;
    for (const std::string_view one : known) all += (all.empty() ? "" : ", ") + std::string(one);
    exchange->respond(answer({400, "A parameter is not known", fmt::format("{} means nothing here", name), all.empty() ? "Leave it away." : "Known are: " + all + ".", name}));
    return;
  }
  if (route.body_bytes == 0) {
    exchange->respond(route.answer(*call));
    return;
  }
  // Also keeps pages of other origins out: a browser sends this type across origins only after asking (Fetch, CORS-safelisted request headers).
  if (!is_json(request.header("content-type").value_or(""))) {
    exchange->respond(answer({415, "The body is no JSON", "Content-Type is not application/json", "Send a JSON object with Content-Type: application/json.", ""}));
    return;
  }
  const auto done = [call](const std::string& text) {
    auto mistake = read_object(text, call->body);
    call->exchange()->respond(mistake ? std::move(*mistake) : call->route.answer(*call));
  };
  exchange->receive(std::make_shared<JsonBody>(exchange, route.body_bytes, done), route.body_bytes);
}

}  // namespace lazaret::server
