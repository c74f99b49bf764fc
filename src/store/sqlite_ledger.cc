#include <fmt/format.h>

#include <mutex>

#include "base/sqlite.h"
#include "store/ledger.h"

namespace lazaret::store {
namespace {

constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS pull (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, identity TEXT NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL,
  repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, manifest INTEGER NOT NULL, status INTEGER NOT NULL, bytes INTEGER NOT NULL,
  state TEXT NOT NULL, ruleset TEXT NOT NULL, complete INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS pull_digest ON pull (digest, at);
CREATE INDEX IF NOT EXISTS pull_at ON pull (at);
)sql";

class SqliteLedger final : public LedgerStore {
 public:
  explicit SqliteLedger(SqliteDatabase database) : database_(std::move(database)) {}

  Result<void> append(const std::vector<Pull>& pulls) override {
    const std::lock_guard lock(mutex_);
    if (const auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
    const auto done = insert(pulls);
    const auto ended = database_.execute(done.ok() ? "COMMIT" : "ROLLBACK");
    if (done.ok() && !ended.ok()) (void)database_.execute("ROLLBACK").ok();
    return done.ok() ? ended : done;
  }

  Result<std::vector<Pull>> find(const PullFilter& filter) override {
    const std::lock_guard lock(mutex_);
    auto statement = database_.prepare(
        "SELECT id, at, identity, address, agent, repository, tag, digest, manifest, status, bytes, state, ruleset, complete FROM pull"
        " WHERE id > ?1 AND (?2 = '' OR digest = ?2) AND (?3 = '' OR repository = ?3) AND (?4 = '' OR identity = ?4) AND at >= ?5"
        " AND (?6 = 0 OR at < ?6) ORDER BY id LIMIT ?7");
    if (!statement) return statement.error();
    const std::string digest = filter.digest.str();
    statement->bind(1, filter.after).bind(2, std::string_view(digest)).bind(3, std::string_view(filter.repository));
    statement->bind(4, std::string_view(filter.identity)).bind(5, filter.from).bind(6, filter.until).bind(7, static_cast<std::int64_t>(filter.limit));
    std::vector<Pull> pulls;
    for (;;) {
      const auto row = statement->step();
      if (!row) return row.error();
      if (!*row) return pulls;
      const SqliteStatement& s = *statement;
      pulls.push_back({s.integer(0), s.integer(1), std::string(s.text(2)), std::string(s.text(3)), std::string(s.text(4)), std::string(s.text(5)),
                       std::string(s.text(6)), Digest::parse(s.text(7)).value_or(Digest()), s.integer(8) != 0, static_cast<int>(s.integer(9)),
                       static_cast<std::uint64_t>(s.integer(10)), std::string(s.text(11)), std::string(s.text(12)), s.integer(13) != 0});
    }
  }

  Result<std::uint64_t> forget(Time before) override {
    const std::lock_guard lock(mutex_);
    auto statement = database_.prepare("DELETE FROM pull WHERE at < ? RETURNING 1");
    if (!statement) return statement.error();
    statement->bind(1, before);
    std::uint64_t gone = 0;
    for (;; ++gone) {
      const auto row = statement->step();
      if (!row) return row.error();
      if (!*row) return gone;
    }
  }

 private:
  Result<void> insert(const std::vector<Pull>& pulls) {
    auto statement = database_.prepare(
        "INSERT INTO pull (at, identity, address, agent, repository, tag, digest, manifest, status, bytes, state, ruleset, complete)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!statement) return statement.error();
    for (const Pull& pull : pulls) {
      const std::string digest = pull.digest.str();
      statement->bind(1, pull.at).bind(2, std::string_view(pull.identity)).bind(3, std::string_view(pull.address)).bind(4, std::string_view(pull.agent));
      statement->bind(5, std::string_view(pull.repository)).bind(6, std::string_view(pull.tag)).bind(7, std::string_view(digest));
      statement->bind(8, std::int64_t{pull.manifest}).bind(9, std::int64_t{pull.status}).bind(10, static_cast<std::int64_t>(pull.bytes));
      statement->bind(11, std::string_view(pull.state)).bind(12, std::string_view(pull.ruleset)).bind(13, std::int64_t{pull.complete});
      if (const auto done = statement->run(); !done) return done.error();
    }
    return {};
  }

  std::mutex mutex_;
  SqliteDatabase database_;
};

}  // namespace

Result<std::unique_ptr<LedgerStore>> open_sqlite_ledger(const std::string& path) {
  auto database = SqliteDatabase::open(path.empty() ? ":memory:" : path, 10'000);
  if (!database) return database.error();
  for (const char* sql : {"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", schema}) {
    if (const auto done = database->execute(sql); !done) return Error{done.error().code, fmt::format("cannot use the ledger {}: {}", path, done.error().message)};
  }
  return std::unique_ptr<LedgerStore>(new SqliteLedger(std::move(*database)));
}

}  // namespace lazaret::store
