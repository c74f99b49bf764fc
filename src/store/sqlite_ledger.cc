// The ledger on SQLite: a file a month, with clients and things in tables of their own, so that an entry is a row of small numbers.
//
// One connection of each file writes and checkpoints; whoever reads opens another (base/sqlite.h says why). A file in use is not removed.
#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <tuple>
#include <unordered_map>

#include "base/sqlite.h"
#include "store/ledger.h"

namespace lazaret::store {
namespace {

constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS client (id INTEGER PRIMARY KEY, identity TEXT NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL,
  UNIQUE (identity, address, agent));
CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY, digest TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL, manifest INTEGER NOT NULL,
  state TEXT NOT NULL, verdict TEXT NOT NULL, ruleset TEXT NOT NULL, UNIQUE (digest, repository, tag, manifest, state, verdict, ruleset));
CREATE TABLE IF NOT EXISTS pull (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, last INTEGER NOT NULL, client INTEGER NOT NULL,
  thing INTEGER NOT NULL, status INTEGER NOT NULL, bytes INTEGER NOT NULL, complete INTEGER NOT NULL, missing INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS pull_thing ON pull (thing);
CREATE TABLE IF NOT EXISTS tally (thing INTEGER NOT NULL, day INTEGER NOT NULL, pulls INTEGER NOT NULL, PRIMARY KEY (thing, day)) WITHOUT ROWID;
)sql";

constexpr Time day_milliseconds = 86'400'000;
// Batches of more than this are a registry under load: what is equal in them is written once.
constexpr std::size_t large_batch = 1000;
// Of names in memory; more are looked up in the file.
constexpr std::size_t most_known = 100'000;
// An id is a month and the number of a row in its file.
constexpr int row_bits = 40;

// Months since January 1970.
std::int64_t month_of(Time at) {
  const std::chrono::sys_days day(std::chrono::floor<std::chrono::days>(std::chrono::milliseconds(at)));
  const std::chrono::year_month_day date(day);
  return (static_cast<int>(date.year()) - 1970) * 12 + static_cast<int>(static_cast<unsigned>(date.month())) - 1;
}

Time begin_of(std::int64_t month) {
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(1970 + month / 12)), std::chrono::month(static_cast<unsigned>(month % 12 + 1)), std::chrono::day(1));
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::sys_days(date).time_since_epoch()).count();
}

std::string file_of(std::int64_t month) { return fmt::format("{:04}-{:02}.sqlite", 1970 + month / 12, month % 12 + 1); }

struct Hash : std::hash<std::string_view> {
  using is_transparent = void;
};
using Names = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;

// The file of one month, as it is written.
class Month {
 public:
  static Result<std::unique_ptr<Month>> open(const std::string& path) {
    auto database = SqliteDatabase::open(path, 10'000);
    if (!database) return database.error();
    for (const char* sql : {"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", schema}) {
      if (const auto done = database->execute(sql); !done) return done.error();
    }
    std::unique_ptr<Month> month(new Month(std::move(*database)));
    const std::pair<SqliteStatement*, const char*> statements[] = {
        {&month->add_client_, "INSERT INTO client (identity, address, agent) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET identity = identity RETURNING id"},
        {&month->add_thing_,
         "INSERT INTO thing (digest, repository, tag, manifest, state, verdict, ruleset) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET digest = digest RETURNING id"},
        {&month->add_pull_, "INSERT INTO pull (at, last, client, thing, status, bytes, complete, missing, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
        {&month->add_tally_, "INSERT INTO tally (thing, day, pulls) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET pulls = pulls + excluded.pulls"}};
    for (const auto& [statement, sql] : statements) {
      auto made = month->database_.prepare(sql);
      if (!made) return made.error();
      *statement = std::move(*made);
    }
    return month;
  }

  Result<void> append(const std::vector<const Pull*>& pulls) {
    if (const auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
    auto done = insert(pulls);
    if (done) done = database_.execute("COMMIT");
    if (!done) {
      (void)database_.execute("ROLLBACK").ok();
      // Names that were given in it are not there.
      clients_.clear();
      things_.clear();
    }
    return done;
  }

  SqliteDatabase& database() { return database_; }

 private:
  struct Row {
    Time at, last;
    std::int64_t client, thing;
    int status;
    bool complete;
    std::uint64_t bytes, missing, count;
  };

  explicit Month(SqliteDatabase database) : database_(std::move(database)) {}

  static Result<std::int64_t> run_for_id(SqliteStatement& statement) {
    const auto row = statement.step();
    if (!row) return row.error();
    const std::int64_t id = *row ? statement.integer(0) : 0;
    const auto rest = statement.step();  // an insertion ends with its last step
    if (!rest) return rest.error();
    return id;
  }

  Result<std::int64_t> client_of(const Pull& pull) {
    key_.assign(pull.identity).append(1, '\0').append(pull.address).append(1, '\0').append(pull.agent);
    if (const auto known = clients_.find(key_); known != clients_.end()) return known->second;
    add_client_.bind(1, std::string_view(pull.identity)).bind(2, std::string_view(pull.address)).bind(3, std::string_view(pull.agent));
    const auto id = run_for_id(add_client_);
    if (!id) return id.error();
    if (clients_.size() >= most_known) clients_.clear();
    clients_.emplace(key_, *id);
    return *id;
  }

  Result<std::int64_t> thing_of(const Pull& pull) {
    const Bytes digest = pull.digest.bytes();
    key_.assign(reinterpret_cast<const char*>(digest.data()), digest.size()).append(1, pull.manifest ? 'm' : 'b');
    key_.append(pull.repository).append(1, '\0').append(pull.tag).append(1, '\0').append(pull.state).append(1, '\0').append(pull.verdict).append(1, '\0').append(pull.ruleset);
    if (const auto known = things_.find(key_); known != things_.end()) return known->second;
    const std::string text = pull.digest.str();
    add_thing_.bind(1, std::string_view(text)).bind(2, std::string_view(pull.repository)).bind(3, std::string_view(pull.tag)).bind(4, std::int64_t{pull.manifest});
    add_thing_.bind(5, std::string_view(pull.state)).bind(6, std::string_view(pull.verdict)).bind(7, std::string_view(pull.ruleset));
    const auto id = run_for_id(add_thing_);
    if (!id) return id.error();
    if (things_.size() >= most_known) things_.clear();
    things_.emplace(key_, *id);
    return *id;
  }

  Result<void> insert(const std::vector<const Pull*>& pulls) {
    std::vector<Row> rows;
    std::map<std::tuple<std::int64_t, std::int64_t, int, bool, std::uint64_t>, std::size_t> equal;
    std::map<std::pair<std::int64_t, Time>, std::uint64_t> tallies;
    for (const Pull* pull : pulls) {
      const auto client = client_of(*pull), thing = thing_of(*pull);
      if (!client) return client.error();
      if (!thing) return thing.error();
      const Time last = pull->last == 0 ? pull->at : pull->last;
      if (pull->complete) tallies[{*thing, pull->at / day_milliseconds}] += pull->count;
      if (pulls.size() > large_batch) {
        const auto [known, is_new] = equal.emplace(std::tuple(*client, *thing, pull->status, pull->complete, pull->complete ? 0 : pull->missing), rows.size());
        if (!is_new) {
          Row& row = rows[known->second];
          row.at = std::min(row.at, pull->at);
          row.last = std::max(row.last, last);
          row.bytes += pull->bytes;
          row.missing += pull->missing;
          row.count += pull->count;
          continue;
        }
      }
      rows.push_back({pull->at, last, *client, *thing, pull->status, pull->complete, pull->bytes, pull->missing, pull->count});
    }
    for (const Row& row : rows) {
      add_pull_.bind(1, row.at).bind(2, row.last).bind(3, row.client).bind(4, row.thing).bind(5, std::int64_t{row.status});
      add_pull_.bind(6, static_cast<std::int64_t>(row.bytes)).bind(7, std::int64_t{row.complete}).bind(8, static_cast<std::int64_t>(row.missing));
      add_pull_.bind(9, static_cast<std::int64_t>(row.count));
      if (const auto done = add_pull_.run(); !done) return done.error();
    }
    for (const auto& [key, count] : tallies) {
      add_tally_.bind(1, key.first).bind(2, key.second).bind(3, static_cast<std::int64_t>(count));
      if (const auto done = add_tally_.run(); !done) return done.error();
    }
    return {};
  }

  SqliteDatabase database_;
  SqliteStatement add_client_, add_thing_, add_pull_, add_tally_;
  Names clients_, things_;
  std::string key_;
};

class SqliteLedger final : public LedgerStore {
 public:
  explicit SqliteLedger(std::string folder) : folder_(std::move(folder)) {}

  Result<void> open() {
    if (folder_.empty()) return {};
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return Error{ErrorCode::io, fmt::format("cannot make the folder {}: {}", folder_, std::strerror(errno))};
    DIR* const listing = ::opendir(folder_.c_str());
    if (listing == nullptr) return Error{ErrorCode::io, fmt::format("cannot read the folder {}: {}", folder_, std::strerror(errno))};
    while (const dirent* entry = ::readdir(listing)) {
      int year = 0, month = 0, end = 0;
      if (std::sscanf(entry->d_name, "%4d-%2d.sqlite%n", &year, &month, &end) == 2 && entry->d_name[end] == '\0' && end > 0) months_.insert((year - 1970) * 12 + month - 1);
    }
    ::closedir(listing);
    // What cannot be written is found out now and not with the first pull.
    const std::int64_t newest = months_.empty() ? month_of(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()) : *months_.rbegin();
    const auto opened = writer(newest);
    if (!opened) return Error{opened.error().code, fmt::format("cannot use the ledger {}: {}", path_of(newest), opened.error().message)};
    return {};
  }

  Result<void> append(const std::vector<Pull>& pulls) override {
    const std::lock_guard lock(write_mutex_);
    std::map<std::int64_t, std::vector<const Pull*>> by_month;
    for (const Pull& pull : pulls) by_month[month_of(pull.at)].push_back(&pull);
    for (const auto& [month, some] : by_month) {
      const auto file = writer(month);
      if (!file) return file.error();
      if (const auto done = (*file)->append(some); !done) return done;
    }
    return {};
  }

  Result<std::vector<Pull>> find(const PullFilter& filter) override {
    std::vector<Pull> pulls;
    std::string sql =
        "SELECT p.id, p.at, c.identity, c.address, c.agent, t.repository, t.tag, t.digest, t.manifest, p.status, p.bytes, t.state, t.verdict, t.ruleset, p.complete, p.missing,"
        " p.count, p.last FROM pull p CROSS JOIN thing t ON t.id = p.thing CROSS JOIN client c ON c.id = p.client WHERE p.id > ?1 AND p.last >= ?2";
    if (filter.until != 0) sql += " AND p.at < ?3";
    // A few things, each with its entries; otherwise the entries as they come.
    if (!filter.digest.empty()) sql += " AND p.thing IN (SELECT id FROM thing WHERE digest = ?4)";
    if (!filter.repository.empty()) sql += " AND t.repository = ?5";
    if (!filter.identity.empty()) sql += " AND c.identity = ?6";
    sql += " ORDER BY p.id LIMIT ?7";
    const std::string digest = filter.digest.str();
    const auto done = each_month(filter.from, filter.until, [&](std::int64_t month, SqliteDatabase& database) -> Result<bool> {
      const std::int64_t base = month << row_bits;
      if (base + (std::int64_t{1} << row_bits) <= filter.after) return true;
      auto statement = database.prepare(sql);
      if (!statement) return statement.error();
      statement->bind(1, std::max<std::int64_t>(0, filter.after - base)).bind(2, filter.from).bind(7, static_cast<std::int64_t>(filter.limit - pulls.size()));
      if (filter.until != 0) statement->bind(3, filter.until);
      if (!filter.digest.empty()) statement->bind(4, std::string_view(digest));
      if (!filter.repository.empty()) statement->bind(5, std::string_view(filter.repository));
      if (!filter.identity.empty()) statement->bind(6, std::string_view(filter.identity));
      for (;;) {
        const auto row = statement->step();
        if (!row) return row.error();
        if (!*row) return pulls.size() < filter.limit;
        const SqliteStatement& s = *statement;
        pulls.push_back({base + s.integer(0), s.integer(1), std::string(s.text(2)), std::string(s.text(3)), std::string(s.text(4)), std::string(s.text(5)),
                         std::string(s.text(6)), Digest::parse(s.text(7)).value_or(Digest()), s.integer(8) != 0, static_cast<int>(s.integer(9)),
                         static_cast<std::uint64_t>(s.integer(10)), std::string(s.text(11)), std::string(s.text(12)), std::string(s.text(13)),
                         s.integer(14) != 0, static_cast<std::uint64_t>(s.integer(15)), static_cast<std::uint64_t>(s.integer(16)), s.integer(17)});
      }
    });
    if (!done) return done.error();
    return pulls;
  }

  Result<void> summarise(const std::vector<Digest>& digests, Time from, Time moment, const std::function<void(const PullSummary&)>& visit) override {
    return each_month(from, 0, [&](std::int64_t, SqliteDatabase& database) -> Result<bool> {
      auto statement = database.prepare(
          "SELECT c.identity, c.address, c.agent, t.repository, t.tag, t.manifest, MIN(p.at), MAX(p.last), SUM(p.count * p.complete),"
          " SUM(p.count * p.complete * (p.status = 304)), SUM(p.count * (1 - p.complete)), SUM(p.count * p.complete * (?3 <> 0 AND p.at >= ?3)),"
          " SUM(p.bytes * p.complete) - SUM(p.missing) FROM thing t CROSS JOIN pull p ON p.thing = t.id CROSS JOIN client c ON c.id = p.client"
          " WHERE t.digest = ?1 AND p.last >= ?2 GROUP BY p.client, t.repository, t.tag, t.manifest");
      if (!statement) return statement.error();
      for (const Digest& digest : digests) {
        const std::string text = digest.str();
        statement->bind(1, std::string_view(text)).bind(2, from).bind(3, moment);
        for (;;) {
          const auto row = statement->step();
          if (!row) return row.error();
          if (!*row) break;
          const SqliteStatement& s = *statement;
          const auto number = [&](int column) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, s.integer(column))); };
          visit({std::string(s.text(0)), std::string(s.text(1)), std::string(s.text(2)), std::string(s.text(3)), std::string(s.text(4)), digest, s.integer(5) != 0, s.integer(6),
                 s.integer(7), number(8), number(9), number(10), number(11), number(12)});
        }
      }
      return true;
    });
  }

  Result<std::vector<PullCount>> pull_counts(Time since, std::size_t limit) override {
    std::map<Digest, PullCount> counts;
    const Time day = since / day_milliseconds;
    const auto done = each_month(since, 0, [&](std::int64_t, SqliteDatabase& database) -> Result<bool> {
      auto statement = database.prepare(
          "SELECT t.digest, SUM(a.pulls), MAX(a.day) FROM tally a JOIN thing t ON t.id = a.thing WHERE t.manifest = 1 AND a.day >= ? GROUP BY t.digest");
      if (!statement) return statement.error();
      statement->bind(1, day);
      for (;;) {
        const auto row = statement->step();
        if (!row) return row.error();
        if (!*row) return true;
        const auto digest = Digest::parse(statement->text(0));
        if (!digest) continue;
        PullCount& count = counts[*digest];
        count.digest = *digest;
        count.pulls += static_cast<std::uint64_t>(statement->integer(1));
        count.last_day = std::max(count.last_day, statement->integer(2) * day_milliseconds);
      }
    });
    if (!done) return done.error();
    std::vector<PullCount> sorted;
    sorted.reserve(counts.size());
    for (auto& [digest, count] : counts) sorted.push_back(count);
    std::stable_sort(sorted.begin(), sorted.end(), [](const PullCount& a, const PullCount& b) { return a.pulls > b.pulls; });
    if (sorted.size() > limit) sorted.resize(limit);
    return sorted;
  }

  Result<std::uint64_t> forget(Time before) override {
    const std::unique_lock files(files_mutex_);
    const std::lock_guard lock(write_mutex_);
    std::uint64_t gone = 0;
    while (!months_.empty() && begin_of(*months_.begin() + 1) <= before) {
      const std::int64_t month = *months_.begin();
      const auto file = writer(month);
      if (!file) return file.error();
      {
        auto statement = (*file)->database().prepare("SELECT COUNT(*) FROM pull");
        if (!statement) return statement.error();
        const auto row = statement->step();
        if (!row) return row.error();
        gone += static_cast<std::uint64_t>(statement->integer(0));
      }
      writers_.erase(month);
      months_.erase(month);
      if (folder_.empty()) continue;
      for (const char* suffix : {"", "-wal", "-shm"}) {
        const std::string path = path_of(month) + suffix;
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error{ErrorCode::io, fmt::format("cannot remove {}: {}", path, std::strerror(errno))};
      }
    }
    return gone;
  }

 private:
  std::string path_of(std::int64_t month) const { return folder_.empty() ? ":memory:" : folder_ + "/" + file_of(month); }

  // With write_mutex_, or before anybody else is there.
  Result<Month*> writer(std::int64_t month) {
    if (const auto known = writers_.find(month); known != writers_.end()) return known->second.get();
    auto opened = Month::open(path_of(month));
    if (!opened) return opened.error();
    // Of files only the last two are kept open: at the turn of a month both are written.
    if (!folder_.empty() && writers_.size() >= 2) writers_.erase(writers_.begin()->first < month ? writers_.begin() : std::prev(writers_.end()));
    months_.insert(month);
    return writers_.emplace(month, std::move(*opened)).first->second.get();
  }

  // The months of that time, oldest first; `work` says whether to go on. Not while files go.
  template <typename Work>
  Result<void> each_month(Time from, Time until, Work work) {
    const std::shared_lock files(files_mutex_);
    std::vector<std::int64_t> months;
    {
      const std::lock_guard lock(write_mutex_);
      for (const std::int64_t month : months_) {
        if (begin_of(month + 1) > from && (until == 0 || begin_of(month) < until)) months.push_back(month);
      }
    }
    for (const std::int64_t month : months) {
      if (folder_.empty()) {
        const std::lock_guard lock(write_mutex_);
        const auto file = writer(month);
        if (!file) return file.error();
        const auto more = work(month, (*file)->database());
        if (!more) return more.error();
        if (!*more) return {};
        continue;
      }
      auto database = SqliteDatabase::open(path_of(month), 10'000);
      if (!database) return database.error();
      if (const auto ready = database->execute("PRAGMA wal_autocheckpoint=0; PRAGMA query_only=1"); !ready) return ready.error();
      const auto more = work(month, *database);
      if (!more) return more.error();
      if (!*more) return {};
    }
    return {};
  }

  const std::string folder_;
  std::shared_mutex files_mutex_;  // before write_mutex_
  std::mutex write_mutex_;
  std::set<std::int64_t> months_;
  std::map<std::int64_t, std::unique_ptr<Month>> writers_;
};

}  // namespace

Result<std::unique_ptr<LedgerStore>> open_sqlite_ledger(const std::string& folder) {
  auto ledger = std::make_unique<SqliteLedger>(folder);
  if (const auto opened = ledger->open(); !opened) return opened.error();
  return std::unique_ptr<LedgerStore>(std::move(ledger));
}

}  // namespace lazaret::store
