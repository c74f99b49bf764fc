// Where clients get access tokens: docker's token flow by GET, and its OAuth 2 form by POST.
//
// A client that asks for more than it may gets a token for what it may; that is no error here (distribution, "token authentication"). Only credentials that are
// wrong are refused, and anonymous requests where nobody may pull without an account.
#pragma once

#include <string_view>

#include "net/http_server.h"
#include "registry/accounts.h"

namespace lazaret::registry {

class TokenEndpoint {
 public:
  explicit TokenEndpoint(Accounts& accounts) : accounts_(accounts) {}

  // For the path `token_path` (registry/account_authorizer.h). Called on a loop; answers later.
  void handle(const net::ExchangePtr& exchange);

 private:
  net::Response get(const net::Request& request);
  net::Response post(const net::Request& request, std::string_view form);
  net::Response answer(const Identity& identity, std::string_view scopes, bool offline, bool oauth, std::string_view refresh_token);

  Accounts& accounts_;
};

}  // namespace lazaret::registry
