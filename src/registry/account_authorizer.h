// The accounts as the registry asks them (registry/authorizer.h): Basic and Bearer credentials of requests, challenges in docker's form.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_message.h"
#include "net/rate_limit.h"
#include "registry/accounts.h"
#include "registry/authorizer.h"

namespace lazaret::registry {

// What tokens are for, in challenges and requests for tokens. Not the host name: a server has many, and a token is good for all of them.
inline constexpr std::string_view token_service = "lazaret";
inline constexpr std::string_view token_path = "/token";

// Name and password of an Authorization field of the Basic scheme (RFC 7617). Nothing for other schemes and malformed ones.
std::optional<std::pair<std::string, std::string>> basic_credentials(std::string_view authorization);
// The token of the Bearer scheme (RFC 6750).
std::optional<std::string_view> bearer_token(std::string_view authorization);

class AccountAuthorizer final : public Authorizer {
 public:
  // `public_url`: what stands before paths in challenges ("https://registry.example"); "" takes it from each request. `requests`: of each account.
  AccountAuthorizer(Accounts& accounts, std::string public_url, net::RateLimit requests = {})
      : accounts_(accounts), public_url_(std::move(public_url)), requests_(requests) {}

  std::optional<Caller> known_caller(const net::Request& request) override;
  Result<Caller> caller(const net::Request& request) override;
  bool may(const Caller& caller, Action action, std::string_view repository) override;
  bool insider(const Caller& caller, std::string_view repository) override;
  bool ping_needs_credentials(const Caller& caller) override { return caller.anonymous() && caller.token.empty(); }
  std::string challenge(const net::Request& request, const std::vector<Scope>& scopes, bool narrow) override;

 private:
  static Caller caller_of(const Identity& identity);
  // The caller, unless the account has asked too often: ErrorCode::busy.
  Result<Caller> admit(const Identity& identity);

  Accounts& accounts_;
  const std::string public_url_;
  net::RateLimiter requests_;
};

}  // namespace lazaret::registry
