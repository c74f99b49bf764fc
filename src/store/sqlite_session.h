// What a store on SQLite is made of: a connection that keeps its statements, and a session, which is what happens in one transaction.
//
// An operation that the database refuses gives nothing, and everything after it too; failure() has the first error, and transaction() gives it back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

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

// Runs `work` between BEGIN and COMMIT, or takes everything back when it or the database fails.
template <typename Session, typename Work>
Result<void> transaction(SqliteConnection& connection, const char* begin, const Work& work) {
  if (const auto begun = connection.database().execute(begin); !begun) return begun.error();
  Session session(connection);
  const Result<void> wanted = work(session);
  if (!session.failure() && wanted.ok()) {
    const auto committed = connection.database().execute("COMMIT");
    if (committed) return {};
    (void)connection.database().execute("ROLLBACK").ok();
    return committed.error();
  }
  (void)connection.database().execute("ROLLBACK").ok();
  return session.failure() ? Result<void>(*session.failure()) : wanted;
}

}  // namespace lazaret::store
