// Accounts, their tokens, and the log of what administrators did.
//
// In a database of its own, which the server and the command line may have open at the same time: rollback journal, one writer at a time.
// Secrets are never stored: passwords as scrypt records, tokens as sha256 of random bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace lazaret::store {

enum class Role : std::uint8_t { reader, publisher, administrator };

struct Account {
  std::int64_t id = 0;  // never used again, so that what was made for an account does not fit its successor
  std::string name;
  Role role = Role::publisher;
  std::string password;         // record of base/password.h; "" lets nobody in by password
  bool may_delete = true;       // in its namespace
  bool disabled = false;
  std::int64_t generation = 0;  // counts changes of the password and revocations: tokens of an earlier one are void
  std::int64_t created = 0;     // milliseconds since 1970
};

enum class TokenKind : std::uint8_t { robot, refresh };

struct Token {
  std::int64_t id = 0;
  std::int64_t account = 0;
  TokenKind kind = TokenKind::robot;
  std::string label;
  std::string hash;          // sha256 of the secret, hex
  std::string scope;         // robots: "alice/*:pull,push bob/x:pull"; refresh: the service
  std::int64_t generation = 0;
  std::int64_t created = 0;
  std::int64_t expires = 0;  // 0: never
};

// One administrative act. Each entry holds the hash of the one before, so that none can be changed or taken out unnoticed.
struct Act {
  std::int64_t id = 0;
  std::int64_t at = 0;
  std::string actor, address, act, subject, detail;
  std::string chain;
};

// Thread-safe; one connection.
class AccountStore {
 public:
  virtual ~AccountStore() = default;

  virtual Result<std::vector<Account>> accounts() = 0;
  // The account with its id. ErrorCode::busy: the name is taken.
  virtual Result<Account> add(const Account& account) = 0;
  virtual Result<void> update(const Account& account) = 0;
  virtual Result<void> remove(std::int64_t id) = 0;  // with its tokens

  virtual Result<std::vector<Token>> tokens() = 0;
  virtual Result<Token> add_token(const Token& token) = 0;
  virtual Result<void> remove_token(std::int64_t id) = 0;

  // A value that belongs to this database alone, made once: the key that signs tokens.
  virtual Result<std::string> secret() = 0;
  // Changes when anybody, in this process or another, has changed something.
  virtual Result<std::int64_t> version() = 0;

  virtual Result<void> log(const Act& act) = 0;
  // Newest last; of ids greater than `after`.
  virtual Result<std::vector<Act>> acts(std::int64_t after, std::size_t limit) = 0;
  // The first entry that does not fit the one before it; nothing: all fit.
  virtual Result<std::optional<std::int64_t>> first_broken_act() = 0;
};

// SQLite in one file, readable by its owner alone, or in memory for "".
Result<std::unique_ptr<AccountStore>> open_sqlite_account_store(const std::string& path);

std::string_view name_of(Role role);
std::optional<Role> parse_role(std::string_view name);

}  // namespace lazaret::store
