// SQLite behind a few lines: statements that bind and step, errors as Result.
//
// SQLite 3.40 (Debian 12) can corrupt a WAL when two connections write and checkpoint at the same time, so each database has one
// connection in a process; a database that several processes share uses journal_mode=TRUNCATE.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace lazaret {

// One statement, compiled once. Not thread-safe. Reset it (or let step() reach its end) before binding anew.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  ~SqliteStatement();
  SqliteStatement(SqliteStatement&& other) noexcept : statement_(other.statement_) { other.statement_ = nullptr; }
  SqliteStatement& operator=(SqliteStatement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  // Parameters count from 1. Text and blobs are copied.
  SqliteStatement& bind(int parameter, std::int64_t value);
  SqliteStatement& bind(int parameter, std::string_view text);
  SqliteStatement& bind_blob(int parameter, Bytes blob);

  // True: a row is there. False: done (the statement is reset then).
  Result<bool> step();
  // Runs a statement that gives no rows.
  Result<void> run();
  void reset();

  // Of the current row; columns count from 0. Views are valid until the next step() or reset().
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  Bytes blob(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
};

class SqliteDatabase {
 public:
  // Creates the file when it does not exist. Waits up to `busy_milliseconds` for other processes.
  static Result<SqliteDatabase> open(const std::string& path, int busy_milliseconds);
  ~SqliteDatabase();
  SqliteDatabase(SqliteDatabase&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  SqliteDatabase& operator=(SqliteDatabase&& other) noexcept {
    std::swap(database_, other.database_);
    return *this;
  }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // Runs statements without parameters.
  Result<void> execute(const std::string& sql);
  Result<SqliteStatement> prepare(std::string_view sql);

 private:
  explicit SqliteDatabase(sqlite3* database) : database_(database) {}
  sqlite3* database_;
};

}  // namespace lazaret
