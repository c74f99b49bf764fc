#include "audit/cache.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <type_traits>

#include "base/sqlite.h"

namespace lazaret::audit {
namespace {

constexpr int format_version = 2;
constexpr int busy_milliseconds = 3000;

// Everything of the limits that can change what an audit finds.
std::string digest_of(const Limits& limits) {
  static_assert(std::has_unique_object_representations_v<Limits>, "no padding: the bytes are hashed");
  return sha256(Bytes(reinterpret_cast<const std::uint8_t*>(&limits), sizeof limits)).hex();
}

std::string compress(std::string_view plain) {
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1);
  packed.resize(ZSTD_isError(size) ? 0 : size);
  return packed;
}

// Null when `packed` is not the compressed form of as many bytes.
std::unique_ptr<std::uint8_t[]> decompress(Bytes packed, std::uint64_t plain_size) {
  if (plain_size > 4ull << 30) return nullptr;
  auto plain = std::make_unique_for_overwrite<std::uint8_t[]>(plain_size);
  const std::size_t size = ZSTD_decompress(plain.get(), plain_size, packed.data(), packed.size());
  if (ZSTD_isError(size) || size != plain_size) return nullptr;
  return plain;
}

Result<void> make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{ErrorCode::io, fmt::format("cannot make the cache folder {}: {}", folder, error.message())};
  ::chmod(folder.c_str(), 0700);
  return {};
}

// Writing an audit down takes as much memory again as the audit itself. A layer of more files than this is audited again each time, within the
// memory that any image gets.
constexpr std::size_t most_entries = 1'000'000;

}  // namespace

std::string default_cache_folder() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg == '/') return std::string(xdg) + "/lazaret";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return std::string(home) + "/.cache/lazaret";
  return "";
}

class Cache::Impl {
 public:
  Impl(SqliteDatabase database, std::string ruleset, const Limits& limits, std::uint64_t max_bytes)
      : database_(std::move(database)), rules_(std::move(ruleset) + "/" + digest_of(limits)), max_bytes_(max_bytes) {}

  static Result<SqliteDatabase> open_database(const std::string& path) {
    auto database = SqliteDatabase::open(path, busy_milliseconds);
    if (!database) return database;
    // Several processes share the file: a rollback journal, not a WAL (see base/sqlite.h). A lost entry is only audited again, so
    // nothing waits for the disk. The audit stands last: SQLite walks through all its pages to get at a column behind it.
    const auto ready = database->execute(fmt::format(
        "PRAGMA page_size=16384; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=OFF;"
        "CREATE TABLE IF NOT EXISTS about (version INTEGER NOT NULL);"
        "INSERT INTO about SELECT {} WHERE NOT EXISTS (SELECT 1 FROM about);"
        "CREATE TABLE IF NOT EXISTS layer (digest TEXT NOT NULL, rules TEXT NOT NULL, plain_size INTEGER NOT NULL, sha256 TEXT NOT NULL,"
        " used INTEGER NOT NULL, audit BLOB NOT NULL, PRIMARY KEY (digest, rules)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS file (identity TEXT PRIMARY KEY, digest TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;",
        format_version));
    if (!ready) return ready.error();
    auto check = database->prepare("SELECT version FROM about");
    if (!check) return check.error();
    const auto row = check->step();
    if (!row) return row.error();
    if (!*row || check->integer(0) != format_version) {
      return Error{ErrorCode::corrupt, "the cache was written by another version"};
    }
    return database;
  }

  std::optional<LayerAudit> find(const BlobOffer& offer) {
    const std::lock_guard lock(mutex_);
    // A column of a row, or "".
    const auto look_up = [&](std::string_view sql, const std::string& key) -> std::string {
      auto statement = database_.prepare(sql);
      if (!statement) return "";
      const auto row = statement->bind(1, key).step();
      return row.ok() && *row ? std::string(statement->text(0)) : "";
    };
    std::string digest;
    if (!offer.file_identity.empty()) {
      digest = look_up("SELECT digest FROM file WHERE identity = ?", offer.file_identity);
      // An unchanged file that is not what it is called must be reported each time.
      if (!digest.empty() && !offer.digest.empty() && offer.digest.str() != digest) return std::nullopt;
    } else if (offer.digest_is_proved) {
      digest = offer.digest.str();
    }
    if (digest.empty()) return std::nullopt;

    auto statement = database_.prepare("SELECT audit, plain_size, sha256 FROM layer WHERE digest = ? AND rules = ?");
    if (!statement) return std::nullopt;
    const auto row = statement->bind(1, digest).bind(2, rules_).step();
    if (!row || !*row) return std::nullopt;
    // What is as it was packed unpacks to what it was.
    if (sha256(statement->blob(0)).hex() != statement->text(2)) return std::nullopt;
    const auto plain_size = static_cast<std::uint64_t>(statement->integer(1));
    const auto plain = decompress(statement->blob(0), plain_size);
    if (plain == nullptr) return std::nullopt;
    auto audit = LayerAudit::load({plain.get(), plain_size});
    statement->reset();
    if (!audit || audit->blob_digest.str() != digest) return std::nullopt;
    touch(digest);
    return audit;
  }

  void store(const BlobOffer& offer, const LayerAudit& audit) {
    if (audit.ended_early || audit.entries.size() > most_entries) return;
    const std::string plain = audit.save();
    const std::string packed = compress(plain);
    const std::string digest = audit.blob_digest.str();
    if (packed.empty() || packed.size() > max_bytes_ / 4) return;

    const std::lock_guard lock(mutex_);
    if (!database_.execute("BEGIN IMMEDIATE")) return;
    const auto now = static_cast<std::int64_t>(std::time(nullptr));
    bool ok = true;
    const auto run = [&](std::string_view sql, const auto& bind) {
      auto statement = database_.prepare(sql);
      if (!statement) {
        ok = false;
        return;
      }
      bind(*statement);
      if (!statement->run()) ok = false;
    };
    run("INSERT OR REPLACE INTO layer VALUES (?, ?, ?, ?, ?, ?)", [&](SqliteStatement& s) {
      s.bind(1, digest).bind(2, rules_).bind(3, static_cast<std::int64_t>(plain.size()));
      s.bind(4, sha256(as_bytes(packed)).hex()).bind(5, now).bind_blob(6, as_bytes(packed));
    });
    if (!offer.file_identity.empty()) {
      run("INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
          [&](SqliteStatement& s) { s.bind(1, offer.file_identity).bind(2, digest).bind(3, now); });
    }
    // Bounded: what was not used for the longest time goes first.
    run("DELETE FROM layer WHERE (digest, rules) IN (SELECT digest, rules FROM (SELECT digest, rules,"
        " sum(length(audit)) OVER (ORDER BY used DESC, digest) AS total FROM layer) WHERE total > ?)",
        [&](SqliteStatement& s) { s.bind(1, static_cast<std::int64_t>(max_bytes_)); });
    run("DELETE FROM file WHERE used < (SELECT used FROM file ORDER BY used DESC LIMIT 1 OFFSET 100000)", [](SqliteStatement&) {});
    if (!database_.execute(ok ? "COMMIT" : "ROLLBACK")) (void)database_.execute("ROLLBACK").ok();
  }

 private:
  void touch(const std::string& digest) {
    auto statement = database_.prepare("UPDATE layer SET used = ? WHERE digest = ? AND rules = ? AND used < ? - 3600");
    if (!statement) return;
    const auto now = static_cast<std::int64_t>(std::time(nullptr));
    (void)statement->bind(1, now).bind(2, digest).bind(3, rules_).bind(4, now).run().ok();
  }

  std::mutex mutex_;
  SqliteDatabase database_;
  const std::string rules_;
  const std::uint64_t max_bytes_;
};

Cache::Cache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cache::~Cache() = default;

Result<std::unique_ptr<Cache>> Cache::open(const std::string& folder, const std::string& ruleset, const Limits& limits,
                                           std::uint64_t max_bytes, std::string* warning) {
  if (const auto made = make_folder(folder); !made) return made.error();
  const std::string path = folder + "/audits.sqlite";
  auto database = Impl::open_database(path);
  if (!database && database.error().code == ErrorCode::corrupt) {
    *warning = fmt::format("the cache {} cannot be read ({}); a new one is made", path, database.error().message);
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
    database = Impl::open_database(path);
  }
  if (!database) return Error{database.error().code, fmt::format("cannot use the cache {}: {}", path, database.error().message)};
  return std::unique_ptr<Cache>(new Cache(std::make_unique<Impl>(std::move(*database), ruleset, limits, max_bytes)));
}

std::optional<LayerAudit> Cache::find(const BlobOffer& offer) { return impl_->find(offer); }
void Cache::store(const BlobOffer& offer, const LayerAudit& audit) { impl_->store(offer, audit); }

}  // namespace lazaret::audit
