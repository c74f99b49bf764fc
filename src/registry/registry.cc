#include "registry/registry.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "registry/call.h"

namespace lazaret::registry {

Registry::Registry(gate::Gate& gate, gate::Ledger& ledger, Authorizer& authorizer, RegistryOptions options)
    : gate_(gate), ledger_(ledger), authorizer_(authorizer), options_(std::move(options)), uploads_(gate) {}
Registry::~Registry() = default;

void Registry::handle(const net::ExchangePtr& exchange) {
  auto call = std::make_shared<Call>();
  call->exchange = exchange;
  const auto route = parse_route(exchange->request().path);
  if (!route) return call->respond(error(404, "NAME_UNKNOWN", "there is nothing at this path"));
  call->route = *route;
  const bool named = route->kind != Route::Kind::root && route->kind != Route::Kind::catalog;
  if (named && !is_repository_name(route->repository)) return call->respond(error(400, "NAME_INVALID", "the name of the repository is not one: lower-case letters, digits, and . _ - between them"));

  if (auto caller = authorizer_.known_caller(call->request())) {
    call->caller = std::move(*caller);
    // The fast way: nothing of it blocks.
    if (route->kind == Route::Kind::manifest && call->reading() && authorizer_.may(call->caller, Action::pull, route->repository) && !ledger_.full()) {
      if (const auto served = gate_.peek(route->repository, route->reference)) return answer_manifest(call, *served);
    }
    if (route->kind == Route::Kind::root) return ping(call);
    return exchange->run([this, call] { dispatch(call); });
  }
  exchange->run([this, call] {
    auto caller = authorizer_.caller(call->request());
    if (!caller) return refuse_caller(call, caller.error());
    call->caller = std::move(*caller);
    if (call->route.kind == Route::Kind::root) return ping(call);
    dispatch(call);
  });
}

void Registry::refuse_caller(const CallPtr& call, const Error& why) {
  if (why.code == ErrorCode::busy) {
    net::Response response = error(429, "TOOMANYREQUESTS", why.message);
    response.add("Retry-After", "10");
    return call->respond(std::move(response));
  }
  if (why.code != ErrorCode::unauthorized) return call->respond(unavailable(why));
  net::Response response = error(401, "UNAUTHORIZED", why.message);
  std::vector<Scope> scopes;
  if (!call->route.repository.empty()) scopes.push_back({call->route.repository, {Action::pull}});
  response.add("WWW-Authenticate", authorizer_.challenge(call->request(), scopes, false));
  response.add("Docker-Distribution-API-Version", "registry/2.0");
  call->respond(std::move(response));
}

void Registry::ping(const CallPtr& call) {
  if (!call->reading()) return call->respond(error(405, "UNSUPPORTED", "only GET and HEAD are known here"));
  if (authorizer_.ping_needs_credentials(call->caller)) return refuse_caller(call, {ErrorCode::unauthorized, "log in first"});
  net::Response response = json(200, "{}");
  response.add("Docker-Distribution-API-Version", "registry/2.0");
  call->respond(std::move(response));
}

// Answers when it is not. `more`: what the operation needs besides, for the challenge.
bool Registry::allowed(const CallPtr& call, Action action, const std::vector<Scope>& more) {
  if (authorizer_.may(call->caller, action, call->route.repository)) return true;
  std::vector<Scope> scopes = {{call->route.repository, action == Action::pull ? std::vector{Action::pull} : std::vector{Action::pull, action}}};
  scopes.insert(scopes.end(), more.begin(), more.end());
  const bool anonymous = call->caller.anonymous() && call->caller.token.empty();
  // A token that is too narrow can be exchanged for a wider one; a person who lacks the right cannot do anything about it.
  if (anonymous || !call->caller.token.empty()) {
    net::Response response = error(401, "UNAUTHORIZED", "this needs credentials that allow it");
    response.add("WWW-Authenticate", authorizer_.challenge(call->request(), scopes, !anonymous));
    response.add("Docker-Distribution-API-Version", "registry/2.0");
    call->respond(std::move(response));
  } else {
    const std::string_view what = action == Action::pull ? "pull from" : action == Action::push ? "push to" : "delete from";
    call->respond(error(403, "DENIED", fmt::format("{} may not {} {}: a namespace belongs to the account of that name", call->caller.name, what, call->route.repository)));
  }
  return false;
}

void Registry::dispatch(const CallPtr& call) {
  const auto wrong_method = [&] { call->respond(error(405, "UNSUPPORTED", "this method is not known here")); };
  switch (call->route.kind) {
    case Route::Kind::root: return ping(call);
    case Route::Kind::catalog: return call->reading() ? list_repositories(call) : wrong_method();
    case Route::Kind::tags: return call->reading() ? list_tags(call) : wrong_method();
    case Route::Kind::referrers: return call->reading() ? list_referrers(call) : wrong_method();
    case Route::Kind::manifest:
      if (call->reading()) return get_manifest(call);
      if (call->is("PUT")) return put_manifest(call);
      if (call->is("DELETE")) return remove(call);
      return wrong_method();
    case Route::Kind::blob:
      if (call->reading()) return get_blob(call);
      if (call->is("DELETE")) return remove(call);
      return wrong_method();
    case Route::Kind::start_upload: return call->is("POST") ? start_upload(call) : wrong_method();
    case Route::Kind::upload:
      if (call->is("PATCH") || call->is("PUT")) return continue_upload(call);
      if (call->reading()) return upload_status(call);
      if (call->is("DELETE")) return cancel_upload(call);
      return wrong_method();
  }
}

net::Response Registry::unavailable(const Error& why) {
  // The cause is for the log; clients learn that it is not theirs.
  if (why.code == ErrorCode::limit) return error(507, "UNSUPPORTED", "the registry has no room left");
  net::Response response = error(503, "UNSUPPORTED", "the registry cannot do this now: try again");
  response.add("Retry-After", "5");
  return response;
}

net::Response Registry::denial(const CallPtr& call, const Digest& digest, const std::string& why) const {
  if (options_.refused && !digest.empty()) options_.refused("not-released");
  std::string message = why;
  std::string detail = "{";
  if (!digest.empty()) {
    const std::string base = !options_.public_url.empty() ? options_.public_url
                             : call->request().host.empty() ? std::string()
                                                            : call->request().scheme + "://" + std::string(call->request().host);
    const std::string link = base + "/api/v1/reports/" + digest.str();
    message += "; see " + link;
    detail += "\"digest\":\"" + digest.str() + "\",\"report\":";
    std::string quoted;
    append_json_string(quoted, link);
    detail += quoted;
  }
  detail += "}";
  net::Response response = error(403, "DENIED", message, detail);
  // A HEAD has no body to say it in.
  add_warning(response, message);
  return response;
}

void Registry::record_pull(const CallPtr& call, store::Pull pull) {
  const net::Request& request = call->request();
  pull.at = gate_.now();
  pull.identity = call->caller.name;
  pull.address = request.client;
  pull.agent = std::string(request.header("User-Agent").value_or("").substr(0, 300));
  pull.repository = call->route.repository;
  if (pull.manifest && !Digest::parse(call->route.reference)) pull.tag = call->route.reference;
  ledger_.record(std::move(pull));
}

void Registry::recheck_transfers() {
  std::map<std::uint64_t, Transfer> transfers;
  {
    const std::lock_guard lock(transfers_mutex_);
    transfers = transfers_;
  }
  for (const auto& [id, transfer] : transfers) {
    const auto exchange = transfer.exchange.lock();
    if (exchange == nullptr) continue;
    const auto blob = gate_.find_blob(transfer.repository, transfer.digest, transfer.viewer, true);
    // What cannot be found out is cut: the client asks again.
    if (!blob || blob->kind != gate::Resolution::Kind::found) exchange->cut();
  }
}

void Registry::tidy() { uploads_.forget_idle(gate_.now() - 600'000); }

}  // namespace lazaret::registry
