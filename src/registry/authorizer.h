// Who asks, and what they may do: the question that the registry puts to the accounts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_message.h"

namespace lazaret::registry {

enum class Action { pull, push, remove };

// A caller whose credentials were checked, or nobody.
struct Caller {
  std::string name;  // "" for nobody in particular
  bool administrator = false;
  // Robots' tokens carry what they may do; meaning is the authorizer's.
  std::string token;
  bool asked_for_less = false;  // the token is a person's, and narrow only because the client asked for no more

  bool anonymous() const { return name.empty(); }
};

struct Scope {
  std::string repository;  // "": none, as for /v2/ itself
  std::vector<Action> actions;
};

// Thread-safe.
class Authorizer {
 public:
  virtual ~Authorizer() = default;

  // The caller when that can be told without blocking (no credentials, or ones that were checked a moment ago); else nothing.
  virtual std::optional<Caller> known_caller(const net::Request& request) = 0;
  // The caller. ErrorCode::unauthorized: credentials that are wrong; ErrorCode::busy: too many failures, come again later. May block.
  virtual Result<Caller> caller(const net::Request& request) = 0;
  // Never blocks.
  virtual bool may(const Caller& caller, Action action, std::string_view repository) = 0;
  // Whether the caller is one of those who push to the repository, and so is told what becomes of what was pushed. Clients ask for no more than to pull when they
  // read; that takes nothing away here, but what a robot was not given does. Never blocks.
  virtual bool insider(const Caller& caller, std::string_view repository) { return may(caller, Action::push, repository); }
  // Whether /v2/ itself asks for credentials: clients take from there how to log in.
  virtual bool ping_needs_credentials(const Caller& caller) = 0;
  // The value of WWW-Authenticate for a request that needed `scopes`. `narrow`: valid credentials that do not reach.
  virtual std::string challenge(const net::Request& request, const std::vector<Scope>& scopes, bool narrow) = 0;
};

}  // namespace lazaret::registry
