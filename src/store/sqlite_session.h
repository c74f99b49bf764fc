// What a store on SQLite is made of: a connection that keeps its statements, and a session, which is what happens in one transaction.
//
// An operation that the database refuses gives nothing, and everything after it too; failure() has the first error, and transaction() gives it back.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/sqlite.h"

namespace lazaret::store {

// Not thread-safe.
class SqliteConnection {
 public:
  explicit SqliteConnection(SqliteDatabase database) : database_(std::move(database)) {}

  SqliteDatabase& database() { return database_; }
  // `sql` is a literal: its address is its name.
  Result<SqliteStatement*> statement(const char* sql) {
    const auto known = statements_.find(sql);
    if (known != statements_.end()) return &known->second;
    auto made = database_.prepare(sql);
    if (!made) return made.error();
    return &statements_.emplace(sql, std::move(*made)).first->second;
  }

 private:
  SqliteDatabase database_;
  std::unordered_map<const char*, SqliteStatement> statements_;
};

class SqliteSession {
 public:
  explicit SqliteSession(SqliteConnection& connection) : connection_(connection) {}

  const std::optional<Error>& failure() const { return failure_; }

  template <typename T, typename Read, typename... Arguments>
  std::optional<T> first(const char* sql, Read read, const Arguments&... arguments) {
    SqliteStatement* const statement = begin(sql, arguments...);
    if (statement == nullptr || !step(*statement)) return std::nullopt;
    T value = read(*statement);
    statement->reset();
    return value;
  }
  template <typename T, typename Read, typename... Arguments>
  std::vector<T> all(const char* sql, Read read, const Arguments&... arguments) {
    std::vector<T> values;
    SqliteStatement* const statement = begin(sql, arguments...);
    if (statement == nullptr) return values;
    while (step(*statement)) values.push_back(read(*statement));
    if (failure_) values.clear();
    return values;
  }
  template <typename... Arguments>
  void run(const char* sql, const Arguments&... arguments) {
    SqliteStatement* const statement = begin(sql, arguments...);
    if (statement == nullptr) return;
    if (const auto done = statement->run(); !done) failure_ = done.error();
  }

 private:
  static void bind_one(SqliteStatement& statement, int parameter, std::int64_t value) { statement.bind(parameter, value); }
  static void bind_one(SqliteStatement& statement, int parameter, std::string_view text) { statement.bind(parameter, text); }
  static void bind_one(SqliteStatement& statement, int parameter, const std::string& text) { statement.bind(parameter, std::string_view(text)); }
  static void bind_one(SqliteStatement& statement, int parameter, const Digest& digest) { statement.bind(parameter, std::string_view(digest.str())); }
  static void bind_one(SqliteStatement& statement, int parameter, Bytes bytes) { statement.bind_blob(parameter, bytes); }

  template <typename... Arguments>
  SqliteStatement* begin(const char* sql, const Arguments&... arguments) {
    if (failure_) return nullptr;
    const auto statement = connection_.statement(sql);
    if (!statement) {
      failure_ = statement.error();
      return nullptr;
    }
    int parameter = 0;
    (bind_one(**statement, ++parameter, arguments), ...);
    return *statement;
  }
  bool step(SqliteStatement& statement) {
    const auto row = statement.step();
    if (!row) failure_ = row.error();
    return row.ok() && *row;
  }

  SqliteConnection& connection_;
  std::optional<Error> failure_;
};

// Runs `work` between BEGIN and COMMIT, or takes everything back when it or the database fails. `before_commit` is the last that may fail.
template <typename Session, typename Work, typename BeforeCommit>
Result<void> transaction(SqliteConnection& connection, const char* begin, const Work& work, const BeforeCommit& before_commit) {
  if (const auto begun = connection.database().execute(begin); !begun) return begun.error();
  Session session(connection);
  Result<void> wanted = work(session);
  if (!session.failure() && wanted.ok()) wanted = before_commit(session);
  if (!session.failure() && wanted.ok()) {
    const auto committed = connection.database().execute("COMMIT");
    if (committed) return {};
    (void)connection.database().execute("ROLLBACK").ok();
    return committed.error();
  }
  (void)connection.database().execute("ROLLBACK").ok();
  return session.failure() ? Result<void>(*session.failure()) : wanted;
}
template <typename Session, typename Work>
Result<void> transaction(SqliteConnection& connection, const char* begin, const Work& work) {
  return transaction<Session>(connection, begin, work, [](Session&) { return Result<void>(); });
}

// Makes the tables of `schema`, which has about(version), where they are not there yet. `what` names the store in errors. A database of another version
// is refused.
inline Result<void> open_schema(SqliteDatabase& database, const char* pragmas, const char* schema, int version, std::string_view what) {
  const auto fail = [&](const Error& error) { return Error{error.code, fmt::format("cannot use {}: {}", what, error.message)}; };
  for (const char* sql : {pragmas, "BEGIN IMMEDIATE", schema}) {
    if (const auto done = database.execute(sql); !done) return fail(done.error());
  }
  if (const auto done = database.execute(fmt::format("INSERT INTO about SELECT {} WHERE NOT EXISTS (SELECT 1 FROM about); COMMIT", version)); !done) return fail(done.error());
  auto statement = database.prepare("SELECT version FROM about");
  if (!statement) return fail(statement.error());
  const auto row = statement->step();
  if (!row) return fail(row.error());
  const std::int64_t found = *row ? statement->integer(0) : 0;
  if (found == version) return {};
  return Error{ErrorCode::unsupported, fmt::format("{} has the form {}, this program knows the form {}: use the version of lazaret that wrote it", what, found, version)};
}

}  // namespace lazaret::store
