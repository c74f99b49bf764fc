#include <fcntl.h>
#include <fmt/format.h>

#include <mutex>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/random.h"
#include "base/sqlite.h"
#include "base/text.h"
#include "store/account_store.h"

namespace lazaret::store {
namespace {

constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role INTEGER NOT NULL, password TEXT NOT NULL,
  may_delete INTEGER NOT NULL, disabled INTEGER NOT NULL, generation INTEGER NOT NULL, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS token (id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  kind INTEGER NOT NULL, label TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, generation INTEGER NOT NULL, created INTEGER NOT NULL,
  expires INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS token_account ON token (account);
CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT OR IGNORE INTO change VALUES (1, 0);
CREATE TABLE IF NOT EXISTS act (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL,
  act TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, chain TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS act_stays BEFORE UPDATE ON act BEGIN SELECT RAISE(ABORT, 'the log of acts is only appended to'); END;
CREATE TRIGGER IF NOT EXISTS act_remains BEFORE DELETE ON act BEGIN SELECT RAISE(ABORT, 'the log of acts is only appended to'); END;
)sql";

std::string chain_of(const std::string& before, const Act& act) {
  // Lengths stand before texts, so that no two entries are the same bytes.
  std::string bytes = before + fmt::format("\n{} ", act.at);
  for (const std::string& text : {act.actor, act.address, act.act, act.subject, act.detail}) bytes += fmt::format("{}:{}", text.size(), text);
  return sha256(as_bytes(bytes)).hex();
}

class SqliteAccountStore final : public AccountStore {
 public:
  explicit SqliteAccountStore(SqliteDatabase database) : database_(std::move(database)) {}

  Result<std::vector<Account>> accounts() override {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare("SELECT id, name, role, password, may_delete, disabled, generation, created FROM account ORDER BY name");
    if (!query) return query.error();
    std::vector<Account> list;
    for (;;) {
      const auto row = query->step();
      if (!row) return row.error();
      if (!*row) return list;
      Account account;
      account.id = query->integer(0);
      account.name = query->text(1);
      account.role = static_cast<Role>(query->integer(2));
      account.password = query->text(3);
      account.may_delete = query->integer(4) != 0;
      account.disabled = query->integer(5) != 0;
      account.generation = query->integer(6);
      account.created = query->integer(7);
      list.push_back(std::move(account));
    }
  }

  Result<Account> add(const Account& account) override {
    Account added = account;
    auto done = change([&]() -> Result<void> {
      auto taken = database_.prepare("SELECT 1 FROM account WHERE name = ?");
      if (!taken) return taken.error();
      const auto row = taken->bind(1, account.name).step();
      if (!row) return row.error();
      if (*row) return Error{ErrorCode::busy, fmt::format("there is an account {} already", escape(account.name))};
      auto insert = database_.prepare(
          "INSERT INTO account (name, role, password, may_delete, disabled, generation, created) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id");
      if (!insert) return insert.error();
      bind(*insert, account);
      const auto id = insert->bind(7, account.created).step();
      if (!id) return id.error();
      added.id = insert->integer(0);
      return insert->run();
    });
    if (!done) return done.error();
    return added;
  }

  Result<void> update(const Account& account) override {
    return change([&]() -> Result<void> {
      auto update = database_.prepare("UPDATE account SET name = ?, role = ?, password = ?, may_delete = ?, disabled = ?, generation = ? WHERE id = ?");
      if (!update) return update.error();
      bind(*update, account);
      return update->bind(7, account.id).run();
    });
  }

  Result<void> remove(std::int64_t id) override { return change_one("DELETE FROM account WHERE id = ?", id); }

  Result<std::vector<Token>> tokens() override {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare("SELECT id, account, kind, label, hash, scope, generation, created, expires FROM token ORDER BY id");
    if (!query) return query.error();
    std::vector<Token> list;
    for (;;) {
      const auto row = query->step();
      if (!row) return row.error();
      if (!*row) return list;
      Token token;
      token.id = query->integer(0);
      token.account = query->integer(1);
      token.kind = static_cast<TokenKind>(query->integer(2));
      token.label = query->text(3);
      token.hash = query->text(4);
      token.scope = query->text(5);
      token.generation = query->integer(6);
      token.created = query->integer(7);
      token.expires = query->integer(8);
      list.push_back(std::move(token));
    }
  }

  Result<Token> add_token(const Token& token) override {
    Token added = token;
    auto done = change([&]() -> Result<void> {
      auto insert = database_.prepare(
          "INSERT INTO token (account, kind, label, hash, scope, generation, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id");
      if (!insert) return insert.error();
      const auto row = insert->bind(1, token.account)
                           .bind(2, static_cast<std::int64_t>(token.kind))
                           .bind(3, token.label)
                           .bind(4, token.hash)
                           .bind(5, token.scope)
                           .bind(6, token.generation)
                           .bind(7, token.created)
                           .bind(8, token.expires)
                           .step();
      if (!row) return row.error();
      added.id = insert->integer(0);
      return insert->run();
    });
    if (!done) return done.error();
    return added;
  }

  Result<void> remove_token(std::int64_t id) override { return change_one("DELETE FROM token WHERE id = ?", id); }

  Result<std::string> secret() override {
    const std::lock_guard lock(mutex_);
    auto insert = database_.prepare("INSERT OR IGNORE INTO secret VALUES (1, ?)");
    if (!insert) return insert.error();
    if (auto done = insert->bind(1, to_hex(as_bytes(random_bytes(32)))).run(); !done) return done.error();
    auto query = database_.prepare("SELECT value FROM secret");
    if (!query) return query.error();
    const auto row = query->step();
    if (!row) return row.error();
    return std::string(query->text(0));
  }

  Result<std::int64_t> version() override {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare("SELECT number FROM change");
    if (!query) return query.error();
    const auto row = query->step();
    if (!row) return row.error();
    return query->integer(0);
  }

  Result<void> log(const Act& act) override {
    return change([&]() -> Result<void> {
      std::string before;
      auto last = database_.prepare("SELECT chain FROM act ORDER BY id DESC LIMIT 1");
      if (!last) return last.error();
      const auto row = last->step();
      if (!row) return row.error();
      if (*row) before = last->text(0);
      last->reset();
      auto insert = database_.prepare("INSERT INTO act (at, actor, address, act, subject, detail, chain) VALUES (?, ?, ?, ?, ?, ?, ?)");
      if (!insert) return insert.error();
      return insert->bind(1, act.at)
          .bind(2, act.actor)
          .bind(3, act.address)
          .bind(4, act.act)
          .bind(5, act.subject)
          .bind(6, act.detail)
          .bind(7, chain_of(before, act))
          .run();
    });
  }

  Result<std::vector<Act>> acts(std::int64_t after, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare("SELECT id, at, actor, address, act, subject, detail, chain FROM act WHERE id > ? ORDER BY id LIMIT ?");
    if (!query) return query.error();
    query->bind(1, after).bind(2, static_cast<std::int64_t>(limit));
    std::vector<Act> list;
    for (;;) {
      const auto row = query->step();
      if (!row) return row.error();
      if (!*row) return list;
      list.push_back(act_of(*query));
    }
  }

  Result<std::optional<std::int64_t>> first_broken_act() override {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare("SELECT id, at, actor, address, act, subject, detail, chain FROM act ORDER BY id");
    if (!query) return query.error();
    std::string before;
    for (std::int64_t expected = 1;; ++expected) {
      const auto row = query->step();
      if (!row) return row.error();
      if (!*row) return std::optional<std::int64_t>();
      const Act act = act_of(*query);
      if (act.id != expected || act.chain != chain_of(before, act)) return std::optional<std::int64_t>(expected);
      before = act.chain;
    }
  }

 private:
  static void bind(SqliteStatement& statement, const Account& account) {
    statement.bind(1, account.name)
        .bind(2, static_cast<std::int64_t>(account.role))
        .bind(3, account.password)
        .bind(4, static_cast<std::int64_t>(account.may_delete))
        .bind(5, static_cast<std::int64_t>(account.disabled))
        .bind(6, account.generation);
  }
  static Act act_of(const SqliteStatement& row) {
    return {row.integer(0), row.integer(1), std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4)), std::string(row.text(5)),
            std::string(row.text(6)), std::string(row.text(7))};
  }

  // One transaction that counts as a change.
  template <typename Body>
  Result<void> change(Body body) {
    const std::lock_guard lock(mutex_);
    if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
    Result<void> done = body();
    if (done) done = database_.execute("UPDATE change SET number = number + 1");
    if (done) done = database_.execute("COMMIT");
    if (!done) static_cast<void>(database_.execute("ROLLBACK").ok());
    return done;
  }
  Result<void> change_one(std::string_view sql, std::int64_t id) {
    return change([&]() -> Result<void> {
      auto statement = database_.prepare(sql);
      if (!statement) return statement.error();
      return statement->bind(1, id).run();
    });
  }

  std::mutex mutex_;
  SqliteDatabase database_;
};

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::reader: return "reader";
    case Role::publisher: return "publisher";
    case Role::administrator: return "administrator";
  }
  return "";
}

std::optional<Role> parse_role(std::string_view name) {
  for (const Role role : {Role::reader, Role::publisher, Role::administrator})
    if (name_of(role) == name) return role;
  return std::nullopt;
}

Result<std::unique_ptr<AccountStore>> open_sqlite_account_store(const std::string& path) {
  if (!path.empty()) {
    // Made by us, so that nobody else can read it from its first byte on.
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return Error{ErrorCode::io, fmt::format("cannot open {}: check that its folder exists and may be written", escape(path))};
  }
  auto database = SqliteDatabase::open(path.empty() ? ":memory:" : path, 10'000);
  if (!database) return database.error();
  for (const char* sql : {"PRAGMA foreign_keys = ON", "PRAGMA journal_mode = TRUNCATE", "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON", schema})
    if (auto done = database->execute(sql); !done) return Error{done.error().code, escape(path) + ": " + done.error().message};
  return std::unique_ptr<AccountStore>(new SqliteAccountStore(std::move(*database)));
}

}  // namespace lazaret::store
