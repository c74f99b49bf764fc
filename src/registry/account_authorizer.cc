#include "registry/account_authorizer.h"

#include <fmt/format.h>

#include "base/base64.h"
#include "base/text.h"

namespace lazaret::registry {
namespace {

// What follows the name of a scheme, which is compared without regard to case (RFC 9110, 11.1).
std::optional<std::string_view> of_scheme(std::string_view authorization, std::string_view scheme) {
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ' || !equals_ignore_case(authorization.substr(0, scheme.size()), scheme))
    return std::nullopt;
  return trim(authorization.substr(scheme.size() + 1));
}

Rights right_of(Action action) {
  switch (action) {
    case Action::pull: return right_pull;
    case Action::push: return right_push;
    case Action::remove: return right_delete;
  }
  return 0;
}

// How a limited identity is kept in Caller::token: what is behind it may be nothing at all.
constexpr std::string_view limited = "limited to ";

Error malformed() {
  return {ErrorCode::unauthorized, "the Authorization header is neither Basic nor Bearer credentials"};
}

}  // namespace

std::optional<std::pair<std::string, std::string>> basic_credentials(std::string_view authorization) {
  const auto encoded = of_scheme(authorization, "basic");
  if (!encoded) return std::nullopt;
  const auto pair = decode_base64(*encoded);
  if (!pair) return std::nullopt;
  const auto colon = pair->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return std::pair{pair->substr(0, colon), pair->substr(colon + 1)};
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
  return of_scheme(authorization, "bearer");
}

Caller AccountAuthorizer::caller_of(const Identity& identity) {
  Caller caller;
  caller.name = identity.name;
  // A limited token administers nothing.
  caller.administrator = identity.role == store::Role::administrator && identity.account != 0 && !identity.grants;
  if (identity.grants) caller.token = std::string(limited) + grants_text(*identity.grants);
  caller.asked_for_less = identity.grants && identity.asked_for_less;
  return caller;
}

Result<Caller> AccountAuthorizer::admit(const Identity& identity) {
  if (identity.account != 0)
    if (const auto wait = requests_.take(identity.name))
      return Error{ErrorCode::busy, fmt::format("the account {} asks too often; try again in {} seconds", identity.name, wait->count())};
  return caller_of(identity);
}

std::optional<Caller> AccountAuthorizer::known_caller(const net::Request& request) {
  const auto authorization = request.header("authorization");
  if (!authorization) return Caller();
  if (!accounts_.looked()) return std::nullopt;
  if (const auto token = bearer_token(*authorization)) {
    const auto identity = accounts_.by_bearer(*token);
    if (!identity) return std::nullopt;
    if (auto caller = admit(*identity)) return std::move(*caller);
    return std::nullopt;
  }
  const auto basic = basic_credentials(*authorization);
  if (!basic) return std::nullopt;
  // Clients that have no credentials answer a challenge like this.
  if (basic->first.empty() && basic->second.empty()) return Caller();
  const auto identity = accounts_.known_log_in(basic->first, basic->second);
  if (!identity) return std::nullopt;
  if (auto caller = admit(*identity)) return std::move(*caller);
  return std::nullopt;
}

Result<Caller> AccountAuthorizer::caller(const net::Request& request) {
  const auto authorization = request.header("authorization");
  if (!authorization) return Caller();
  if (const auto token = bearer_token(*authorization)) {
    if (auto looked = accounts_.look(); !looked) return looked.error();
    const auto identity = accounts_.by_bearer(*token);
    if (!identity) return identity.error();
    return admit(*identity);
  }
  const auto basic = basic_credentials(*authorization);
  if (!basic) return malformed();
  if (basic->first.empty() && basic->second.empty()) return Caller();
  const auto identity = accounts_.log_in(basic->first, basic->second, request.client);
  if (!identity) return identity.error();
  return admit(*identity);
}

bool AccountAuthorizer::may(const Caller& caller, Action action, std::string_view repository) {
  Identity identity;
  if (!caller.name.empty()) {
    auto known = accounts_.identity(caller.name);
    if (!known) return false;
    identity = std::move(*known);
  }
  if (!caller.token.empty()) identity.grants = parse_grants(std::string_view(caller.token).substr(limited.size())).value_or(std::vector<Grant>());
  return (accounts_.rights(identity, repository) & right_of(action)) != 0;
}

bool AccountAuthorizer::insider(const Caller& caller, std::string_view repository) {
  if (may(caller, Action::push, repository)) return true;
  if (!caller.asked_for_less || !may(caller, Action::pull, repository)) return false;
  const auto identity = accounts_.identity(caller.name);
  return identity && (accounts_.rights(*identity, repository) & right_push) != 0;
}

// One scope parameter with all scopes, as distribution writes it: clients take it apart at the spaces.
std::string AccountAuthorizer::challenge(const net::Request& request, const std::vector<Scope>& scopes, bool narrow) {
  const std::string base = !public_url_.empty() ? public_url_ : fmt::format("{}://{}", request.scheme, request.host.empty() ? "localhost" : request.host);
  std::vector<Grant> wanted;
  for (const Scope& scope : scopes) {
    if (scope.repository.empty()) continue;
    Grant grant{scope.repository, 0};
    for (const Action action : scope.actions) grant.rights |= right_of(action);
    wanted.push_back(std::move(grant));
  }
  std::string text = fmt::format("Bearer realm=\"{}{}\",service=\"{}\"", base, token_path, token_service);
  if (!wanted.empty()) text += fmt::format(",scope=\"{}\"", scope_text(wanted));
  if (narrow) text += ",error=\"insufficient_scope\"";
  return text;
}

}  // namespace lazaret::registry
