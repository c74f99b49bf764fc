#include "base/sqlite.h"

#include <sqlite3.h>

#include <cassert>
#include <utility>

namespace lazaret {
namespace {

Error error_of(sqlite3* database, int code) {
  const int primary = code & 0xff;
  const ErrorCode kind = primary == SQLITE_BUSY || primary == SQLITE_LOCKED     ? ErrorCode::busy
                         : primary == SQLITE_FULL                                ? ErrorCode::limit
                         : primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ? ErrorCode::corrupt
                                                                                 : ErrorCode::io;
  return {kind, database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code)};
}

}  // namespace

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::bind(int parameter, std::int64_t value) {
  [[maybe_unused]] const int code = sqlite3_bind_int64(statement_, parameter, value);
  assert(code == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::bind(int parameter, std::string_view text) {
  [[maybe_unused]] const int code =
      sqlite3_bind_text64(statement_, parameter, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  assert(code == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::bind_blob(int parameter, Bytes blob) {
  [[maybe_unused]] const int code = sqlite3_bind_blob64(statement_, parameter, blob.data(), blob.size(), SQLITE_TRANSIENT);
  assert(code == SQLITE_OK || code == SQLITE_TOOBIG);
  return *this;
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  sqlite3* const database = sqlite3_db_handle(statement_);
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  const Error error = error_of(database, code);
  sqlite3_reset(statement_);
  return error;
}

Result<void> SqliteStatement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

void SqliteStatement::reset() { sqlite3_reset(statement_); }

std::int64_t SqliteStatement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view SqliteStatement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr ? std::string_view() : std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Bytes SqliteStatement::blob(int column) const {
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<SqliteDatabase> SqliteDatabase::open(const std::string& path, int busy_milliseconds) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  SqliteDatabase database(handle);
  if (code != SQLITE_OK) {
    Error error = error_of(handle, code);
    error.message = path + ": " + error.message;
    return error;
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_milliseconds);
  return database;
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(database_); }

Result<void> SqliteDatabase::execute(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(database_, code);
  return {};
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return error_of(database_, code);
  return SqliteStatement(statement);
}

}  // namespace lazaret
