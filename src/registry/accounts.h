// Accounts: who somebody is, and what they may do.
//
// Passwords are proved by scrypt, at most a few at a time; one that was right is remembered for some minutes (by a keyed hash, in memory), so that
// clients which send it with every request are not slow. Failures are counted by account and address.
//
// Tokens: robots have secrets of their own with a scope and an end; access tokens are what the token endpoint gives out for minutes, signed, so that no
// memory is needed for them; refresh tokens stand for a password that a client does not want to keep. All of them die with a change of the account's
// password, its removal, or a revocation, at once in this process and within `look_every` when the command line did it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/password.h"
#include "base/result.h"
#include "net/rate_limit.h"
#include "registry/grant.h"
#include "store/account_store.h"

namespace lazaret::registry {

struct AccountOptions {
  bool anonymous_pull = true;
  std::chrono::seconds access_lifetime{300};
  std::chrono::seconds password_memory{300};
  std::chrono::milliseconds look_every{1000};
  unsigned hashes_at_once = 2, hashes_waiting = 32;
  unsigned password_cost = lazaret::password_cost;
  net::RateLimit failures_of_pair{0.1, 10};       // an account from an address
  net::RateLimit failures_of_address{0.2, 30};
  net::RateLimit failures_of_account{0.2, 200};   // from everywhere
  std::size_t refresh_tokens = 100;               // of one account; the oldest go
};

// Somebody whose credentials were proved, or nobody.
struct Identity {
  std::int64_t account = 0;  // 0: anonymous
  std::string name;
  store::Role role = store::Role::reader;
  bool may_delete = false;
  std::int64_t generation = 0;
  std::int64_t token = 0;                     // the robot or refresh token behind it; 0: none
  std::optional<std::vector<Grant>> grants;   // what the token is limited to; nothing: all that the account may
  bool asked_for_less = false;                // the limit is what a person's client asked for, not what a robot was given
};

// Who does something to accounts, for the log.
struct Actor {
  std::string name, address;
};

struct NewToken {
  store::Token token;
  std::string secret;  // shown once
};

// Thread-safe.
class Accounts {
 public:
  using Now = std::function<std::int64_t()>;  // milliseconds since 1970

  static Result<std::unique_ptr<Accounts>> open(std::unique_ptr<store::AccountStore> store, AccountOptions options, Now now = nullptr);

  // Where no account exists: makes the administrator `admin` with a random password, which is written to `password_file` (mode 0600).
  // True: it was made.
  Result<bool> make_first_administrator(const std::string& password_file);

  // By password, or by a robot's secret in its place. ErrorCode::unauthorized: wrong; busy: too many failures or too much to do, with how long
  // to wait. `address`: of the client. Takes long.
  Result<Identity> log_in(std::string_view name, std::string_view password, std::string_view address);
  // The same when the answer is known without hashing; does not block.
  std::optional<Identity> known_log_in(std::string_view name, std::string_view password);
  // By an access token or a robot's secret. Does not block.
  Result<Identity> by_bearer(std::string_view token);
  Result<Identity> by_refresh_token(std::string_view token, std::string_view service);

  // The account of that name, unlimited, for somebody who was proved to be it. Nothing when it is gone or disabled.
  std::optional<Identity> identity(std::string_view name) const;
  Rights rights(const Identity& identity, std::string_view repository) const;

  // An access token for what of `wanted` the identity may.
  struct AccessToken {
    std::string token;
    std::vector<Grant> grants;
    std::int64_t issued = 0;  // milliseconds since 1970
    std::chrono::seconds lifetime{0};
  };
  AccessToken issue(const Identity& identity, const std::vector<Grant>& wanted) const;
  Result<std::string> issue_refresh_token(const Identity& identity, std::string_view service);

  // Whether changes of other processes were looked for a moment ago; if not, look() does it and may block.
  bool looked() const;
  Result<void> look();

  // Administration. Each is written to the log of acts.
  Result<store::Account> add(const Actor& actor, const std::string& name, store::Role role, std::string_view password, bool may_delete = true);
  Result<void> set_password(const Actor& actor, std::string_view name, std::string_view password);
  // An administrator that is the last one keeps its role, and is not disabled or removed.
  Result<void> set_role(const Actor& actor, std::string_view name, store::Role role, bool may_delete);
  Result<void> set_disabled(const Actor& actor, std::string_view name, bool disabled);
  Result<void> remove(const Actor& actor, std::string_view name);
  // `days` 1 to 366.
  Result<NewToken> add_robot(const Actor& actor, std::string_view name, std::string_view label, const std::vector<Grant>& grants, int days);
  Result<void> revoke(const Actor& actor, std::int64_t token);
  Result<void> log(const Actor& actor, std::string_view act, std::string_view subject, std::string_view detail);
  std::vector<store::Account> accounts() const;
  std::vector<store::Token> tokens() const;
  store::AccountStore& store() { return *store_; }
  const AccountOptions& options() const { return options_; }

 private:
  // What is stored, in memory; replaced as a whole.
  struct Snapshot {
    std::int64_t version = -1;
    std::unordered_map<std::string, store::Account> by_name;
    std::unordered_map<std::int64_t, std::string> names;  // by id
    std::unordered_map<std::string, store::Token> by_hash;
    std::unordered_map<std::int64_t, std::string> hashes;  // by id of the token
    const store::Account* account(std::int64_t id) const;
  };
  struct Proved {
    std::int64_t account = 0, generation = 0;
    std::chrono::steady_clock::time_point until;
  };

  Accounts(std::unique_ptr<store::AccountStore> store, AccountOptions options, Now now);
  std::shared_ptr<const Snapshot> snapshot() const;
  Result<void> load();
  Result<store::Account> find(std::string_view name) const;
  Result<void> check_not_last_administrator(const store::Account& account) const;
  std::optional<Identity> by_robot(const Snapshot& known, std::string_view secret) const;
  const store::Token* live_token(const Snapshot& known, std::string_view secret, store::TokenKind kind) const;
  std::string key_of(std::string_view name, std::string_view password) const;
  std::string sign(std::string_view text) const;
  bool prove(const store::Account* account, std::string_view password, bool& busy);
  static Identity identity_of(const store::Account& account);

  const std::unique_ptr<store::AccountStore> store_;
  const AccountOptions options_;
  const Now now_;
  std::string signing_key_;
  const std::string memory_key_;
  const std::string unfitting_record_;  // for accounts that do not exist

  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::chrono::steady_clock::time_point looked_{};
  std::unordered_map<std::string, Proved> proved_;

  std::mutex hashing_mutex_;
  std::condition_variable hashing_changed_;
  unsigned hashing_ = 0, hashes_waiting_ = 0;

  net::RateLimiter failures_of_pair_, failures_of_address_, failures_of_account_;
};

}  // namespace lazaret::registry
