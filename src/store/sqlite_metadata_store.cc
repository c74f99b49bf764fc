// The metadata store on SQLite.
//
// One connection writes and checkpoints, several read (base/sqlite.h says why). WAL with synchronous=FULL: what was acknowledged survives the
// loss of power. Statements are compiled once for each connection. A store in memory has one connection for everything.
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/sqlite.h"
#include "base/text.h"
#include "store/condemnation_journal.h"
#include "store/metadata_store.h"
#include "store/sqlite_session.h"

namespace lazaret::store {
namespace {

constexpr int schema_version = 1;

constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS about (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS repository (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, publisher TEXT NOT NULL, created INTEGER NOT NULL,
  takedown INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS repository_publisher ON repository (publisher);
CREATE TABLE IF NOT EXISTS manifest (digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, kind INTEGER NOT NULL, size INTEGER NOT NULL,
  subject TEXT NOT NULL, artifact_type TEXT NOT NULL, state INTEGER NOT NULL, ruleset TEXT NOT NULL, pinned INTEGER NOT NULL,
  created INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS manifest_state ON manifest (state, created);
CREATE INDEX IF NOT EXISTS manifest_ruleset ON manifest (ruleset, created);
CREATE INDEX IF NOT EXISTS manifest_subject ON manifest (subject) WHERE subject <> '';
CREATE TABLE IF NOT EXISTS reference (manifest TEXT NOT NULL, position INTEGER NOT NULL, kind INTEGER NOT NULL, digest TEXT NOT NULL,
  size INTEGER NOT NULL, media_type TEXT NOT NULL, PRIMARY KEY (manifest, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reference_digest ON reference (digest, manifest);
CREATE TABLE IF NOT EXISTS binding (repository INTEGER NOT NULL, digest TEXT NOT NULL, publisher TEXT NOT NULL, at INTEGER NOT NULL,
  takedown INTEGER NOT NULL, PRIMARY KEY (repository, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS binding_digest ON binding (digest);
CREATE INDEX IF NOT EXISTS binding_publisher ON binding (publisher);
CREATE TABLE IF NOT EXISTS blob (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, created INTEGER NOT NULL,
  diff_id TEXT NOT NULL DEFAULT '', files TEXT NOT NULL DEFAULT '', base INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob_link (repository INTEGER NOT NULL, digest TEXT NOT NULL, publisher TEXT NOT NULL, at INTEGER NOT NULL,
  takedown INTEGER NOT NULL, PRIMARY KEY (repository, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blob_link_digest ON blob_link (digest);
CREATE INDEX IF NOT EXISTS blob_link_publisher ON blob_link (publisher);
CREATE INDEX IF NOT EXISTS blob_link_at ON blob_link (at);
CREATE TABLE IF NOT EXISTS alias (name TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag (repository INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, released TEXT NOT NULL,
  publisher TEXT NOT NULL, at INTEGER NOT NULL, takedown INTEGER NOT NULL, PRIMARY KEY (repository, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tag_digest ON tag (digest);
CREATE TABLE IF NOT EXISTS tag_alias (repository INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, used TEXT NOT NULL,
  PRIMARY KEY (repository, name, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tag_publisher ON tag (publisher);
CREATE TABLE IF NOT EXISTS upload (id TEXT PRIMARY KEY, repository TEXT NOT NULL, publisher TEXT NOT NULL, algorithm INTEGER NOT NULL,
  started INTEGER NOT NULL, touched INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdict (digest TEXT NOT NULL, ruleset TEXT NOT NULL, state INTEGER NOT NULL, verdict TEXT NOT NULL,
  score INTEGER NOT NULL, titles TEXT NOT NULL, at INTEGER NOT NULL, report TEXT NOT NULL, PRIMARY KEY (digest, ruleset));
CREATE TABLE IF NOT EXISTS tombstone (kind INTEGER NOT NULL, value TEXT NOT NULL, takedown INTEGER NOT NULL, reason TEXT NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (kind, value, takedown)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstone_takedown ON tombstone (takedown) WHERE takedown <> 0;
CREATE TABLE IF NOT EXISTS carried_file (content BLOB NOT NULL, blob TEXT NOT NULL, path TEXT NOT NULL, convicts INTEGER NOT NULL, claimed INTEGER NOT NULL,
  PRIMARY KEY (content, blob)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS carried_file_blob ON carried_file (blob);
CREATE TABLE IF NOT EXISTS file_tombstone (content BLOB NOT NULL, takedown INTEGER NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL,
  condemns INTEGER NOT NULL, PRIMARY KEY (content, takedown)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_tombstone_takedown ON file_tombstone (takedown);
CREATE TABLE IF NOT EXISTS takedown (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL, actor TEXT NOT NULL,
  reason TEXT NOT NULL, at INTEGER NOT NULL, undone INTEGER NOT NULL, closes_account INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS user_case (id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL, state INTEGER NOT NULL, opened INTEGER NOT NULL,
  closed INTEGER NOT NULL, closed_by TEXT NOT NULL, note TEXT NOT NULL, reports INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS user_case_digest ON user_case (digest);
CREATE INDEX IF NOT EXISTS user_case_open ON user_case (opened) WHERE state = 0;
CREATE TABLE IF NOT EXISTS user_report (id INTEGER PRIMARY KEY, "of" INTEGER NOT NULL, at INTEGER NOT NULL, reporter TEXT NOT NULL, address TEXT NOT NULL,
  repository TEXT NOT NULL, tag TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS user_report_of ON user_report ("of");
CREATE TABLE IF NOT EXISTS kept_state (takedown INTEGER NOT NULL, digest TEXT NOT NULL, state INTEGER NOT NULL, ruleset TEXT NOT NULL,
  pinned INTEGER NOT NULL, PRIMARY KEY (takedown, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS takedown_subject ON takedown (kind, subject);
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
  repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_digest ON event (digest) WHERE digest <> '';
CREATE INDEX IF NOT EXISTS event_kind ON event (kind);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, event INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS manifest_created ON manifest (created, digest);
)sql";

Digest digest_of(std::string_view text) { return Digest::parse(text).value_or(Digest()); }

FileContent content_of(Bytes bytes) {
  FileContent content{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), content.size()), content.begin());
  return content;
}

class Session final : public Writer, public SqliteSession {
 public:
  using SqliteSession::SqliteSession;

  // What the transaction did that keeps content out, in order.
  const std::vector<JournalEntry>& condemnations() const { return condemnations_; }

  // --- repositories
  std::optional<Repository> repository(std::string_view name) override {
    return first<Repository>("SELECT id, name, publisher, created, takedown FROM repository WHERE name = ?", read_repository, name);
  }
  std::optional<Repository> repository(std::int64_t id) override {
    return first<Repository>("SELECT id, name, publisher, created, takedown FROM repository WHERE id = ?", read_repository, id);
  }
  std::vector<Repository> repositories(std::string_view after, std::size_t limit) override {
    return all<Repository>("SELECT id, name, publisher, created, takedown FROM repository WHERE name > ? ORDER BY name LIMIT ?", read_repository, after,
                           count(limit));
  }
  bool repository_visible(std::int64_t id) override {
    return first<std::int64_t>("SELECT 1 FROM repository r JOIN binding b ON b.repository = r.id JOIN manifest m ON m.digest = b.digest"
                               " WHERE r.id = ? AND r.takedown = 0 AND b.takedown = 0 AND m.state = 1 LIMIT 1",
                               read_integer, id)
        .has_value();
  }
  std::int64_t add_repository(std::string_view name, std::string_view publisher, Time at) override {
    run("INSERT INTO repository (name, publisher, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", name, publisher, at);
    const auto made = repository(name);
    return made ? made->id : 0;
  }

  // --- tags
  std::optional<Tag> tag(std::int64_t repository, std::string_view name) override {
    return first<Tag>("SELECT name, digest, released, publisher, at, takedown FROM tag WHERE repository = ? AND name = ?", read_tag, repository, name);
  }
  std::vector<Tag> tags(std::int64_t repository, std::string_view after, std::size_t limit, bool released) override {
    if (!released) {
      return all<Tag>("SELECT name, digest, released, publisher, at, takedown FROM tag WHERE repository = ? AND name > ? ORDER BY name LIMIT ?", read_tag,
                      repository, after, count(limit));
    }
    return all<Tag>(
        "SELECT t.name, t.digest, t.released, t.publisher, t.at, t.takedown FROM tag t JOIN manifest m ON m.digest = t.released"
        " JOIN binding b ON b.repository = t.repository AND b.digest = t.released"
        " WHERE t.repository = ? AND t.name > ? AND t.takedown = 0 AND b.takedown = 0 AND m.state = 1 ORDER BY t.name LIMIT ?",
        read_tag, repository, after, count(limit));
  }
  std::vector<Tag> tags_of(std::int64_t repository, const Digest& manifest) override {
    return all<Tag>("SELECT name, digest, released, publisher, at, takedown FROM tag WHERE repository = ? AND (digest = ? OR released = ?) ORDER BY name", read_tag,
                    repository, manifest, manifest);
  }
  void put_tag(std::int64_t repository, const Tag& tag) override {
    run("INSERT OR REPLACE INTO tag (repository, name, digest, released, publisher, at, takedown) VALUES (?, ?, ?, ?, ?, ?, ?)", repository, tag.name,
        tag.digest, tag.released, tag.publisher, tag.at, tag.takedown);
  }
  std::optional<Digest> tag_digest(std::int64_t repository, std::string_view name, const Digest& canonical) override {
    return first<Digest>("SELECT used FROM tag_alias WHERE repository = ? AND name = ? AND digest = ?", read_digest, repository, name, canonical);
  }
  void set_tag_digest(std::int64_t repository, std::string_view name, const Digest& canonical, const Digest& used) override {
    run("DELETE FROM tag_alias WHERE repository = ? AND name = ? AND digest = ?", repository, name, canonical);
    if (used != canonical) run("INSERT INTO tag_alias (repository, name, digest, used) VALUES (?, ?, ?, ?)", repository, name, canonical, used);
  }
  void remove_tag(std::int64_t repository, std::string_view name) override {
    run("DELETE FROM tag WHERE repository = ? AND name = ?", repository, name);
    run("DELETE FROM tag_alias WHERE repository = ? AND name = ?", repository, name);
  }
  void remove_tags_of(std::int64_t repository, const Digest& manifest) override {
    run("DELETE FROM tag WHERE repository = ? AND digest = ?", repository, manifest);
    run("DELETE FROM tag_alias WHERE repository = ? AND digest = ?", repository, manifest);
    run("UPDATE tag SET released = '' WHERE repository = ? AND released = ?", repository, manifest);
  }
  void release_tags_of(const Digest& manifest) override { run("UPDATE tag SET released = digest WHERE digest = ?", manifest); }

  // --- manifests
  std::optional<Manifest> manifest(const Digest& digest) override {
    return first<Manifest>("SELECT digest, media_type, kind, size, subject, artifact_type, state, ruleset, pinned, created FROM manifest WHERE digest = ?",
                           read_manifest, digest);
  }
  std::vector<Manifest> manifests(const ManifestFilter& filter) override {
    const std::int64_t state = filter.state ? static_cast<std::int64_t>(*filter.state) : -1;
    const std::int64_t from_newest = filter.before_digest.empty() ? 1 : 0;
    if (filter.repository == 0) {
      return all<Manifest>("SELECT digest, media_type, kind, size, subject, artifact_type, state, ruleset, pinned, created FROM manifest"
                           " WHERE (? = -1 OR state = ?) AND (? OR (created, digest) < (?, ?)) ORDER BY created DESC, digest DESC LIMIT ?",
                           read_manifest, state, state, from_newest, filter.before, filter.before_digest, count(filter.limit));
    }
    return all<Manifest>("SELECT m.digest, m.media_type, m.kind, m.size, m.subject, m.artifact_type, m.state, m.ruleset, m.pinned, m.created FROM binding b"
                         " JOIN manifest m ON m.digest = b.digest WHERE b.repository = ? AND (? = -1 OR m.state = ?) AND (? OR (m.created, m.digest) < (?, ?))"
                         " ORDER BY m.created DESC, m.digest DESC LIMIT ?",
                         read_manifest, filter.repository, state, state, from_newest, filter.before, filter.before_digest, count(filter.limit));
  }
  std::optional<std::string> manifest_bytes(const Digest& digest) override {
    return first<std::string>("SELECT bytes FROM manifest WHERE digest = ?",
                              [](const SqliteStatement& row) {
                                const Bytes bytes = row.blob(0);
                                return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                              },
                              digest);
  }
  std::vector<Reference> references(const Digest& manifest) override {
    return all<Reference>("SELECT kind, digest, size, media_type FROM reference WHERE manifest = ? ORDER BY position",
                          [](const SqliteStatement& row) {
                            return Reference{static_cast<ReferenceKind>(row.integer(0)), digest_of(row.text(1)), static_cast<std::uint64_t>(row.integer(2)),
                                             std::string(row.text(3))};
                          },
                          manifest);
  }
  std::vector<Digest> parents(const Digest& manifest) override {
    return all<Digest>("SELECT DISTINCT manifest FROM reference WHERE digest = ? AND kind = 2", read_digest, manifest);
  }
  std::vector<Digest> manifests_in(State state, std::size_t limit) override {
    return all<Digest>("SELECT digest FROM manifest WHERE state = ? ORDER BY created LIMIT ?", read_digest, static_cast<std::int64_t>(state), count(limit));
  }
  std::array<std::uint64_t, 4> manifests_by_state() override {
    std::array<std::uint64_t, 4> counts{};
    for (const auto& [state, number] : all<std::pair<std::int64_t, std::int64_t>>(
             "SELECT state, count(*) FROM manifest GROUP BY state", [](const SqliteStatement& row) { return std::pair(row.integer(0), row.integer(1)); })) {
      if (state >= 0 && state < 4) counts[static_cast<std::size_t>(state)] = static_cast<std::uint64_t>(number);
    }
    return counts;
  }
  std::vector<Digest> manifests_judged_otherwise(std::string_view ruleset, std::size_t limit) override {
    return all<Digest>("SELECT digest FROM manifest WHERE ruleset <> ? AND pinned = 0 ORDER BY created DESC LIMIT ?", read_digest, ruleset, count(limit));
  }
  void add_manifest(const Manifest& manifest, std::string_view bytes, const std::vector<Reference>& references) override {
    if (this->manifest(manifest.digest)) return;
    run("INSERT INTO manifest (digest, media_type, kind, size, subject, artifact_type, state, ruleset, pinned, created, bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        manifest.digest, manifest.media_type, static_cast<std::int64_t>(manifest.kind), static_cast<std::int64_t>(bytes.size()), manifest.subject,
        manifest.artifact_type, static_cast<std::int64_t>(manifest.state), manifest.ruleset, std::int64_t{manifest.pinned}, manifest.created,
        as_bytes(bytes));
    std::int64_t position = 0;
    for (const Reference& reference : references) {
      run("INSERT INTO reference (manifest, position, kind, digest, size, media_type) VALUES (?, ?, ?, ?, ?, ?)", manifest.digest, position++,
          static_cast<std::int64_t>(reference.kind), reference.digest, static_cast<std::int64_t>(reference.size), reference.media_type);
    }
  }
  void set_state(const Digest& manifest, State state, std::string_view ruleset, bool pinned) override {
    run("UPDATE manifest SET state = ?, ruleset = ?, pinned = ? WHERE digest = ?", static_cast<std::int64_t>(state), ruleset, std::int64_t{pinned}, manifest);
  }
  void remove_manifest(const Digest& manifest) override {
    run("DELETE FROM manifest WHERE digest = ?", manifest);
    run("DELETE FROM reference WHERE manifest = ?", manifest);
  }

  std::optional<Binding> binding(std::int64_t repository, const Digest& manifest) override {
    return first<Binding>("SELECT publisher, at, takedown FROM binding WHERE repository = ? AND digest = ?", read_binding, repository, manifest);
  }
  bool manifest_visible_somewhere(const Digest& manifest) override {
    return first<std::int64_t>("SELECT 1 FROM binding b JOIN repository r ON r.id = b.repository WHERE b.digest = ? AND b.takedown = 0 AND r.takedown = 0 LIMIT 1",
                               read_integer, manifest)
        .has_value();
  }
  std::vector<std::int64_t> repositories_with(const Digest& manifest) override {
    return all<std::int64_t>("SELECT repository FROM binding WHERE digest = ?", read_integer, manifest);
  }
  std::vector<Digest> manifests_of(std::int64_t repository) override {
    return all<Digest>("SELECT digest FROM binding WHERE repository = ? ORDER BY digest", read_digest, repository);
  }
  std::vector<Digest> manifests_of_publisher(std::string_view publisher) override {
    return all<Digest>("SELECT DISTINCT digest FROM binding WHERE publisher = ?1 OR repository IN (SELECT id FROM repository WHERE publisher = ?1) ORDER BY digest", read_digest,
                       publisher);
  }
  std::vector<Manifest> referrers(std::int64_t repository, const Digest& subject) override {
    return all<Manifest>(
        "SELECT m.digest, m.media_type, m.kind, m.size, m.subject, m.artifact_type, m.state, m.ruleset, m.pinned, m.created FROM manifest m"
        " JOIN binding b ON b.repository = ? AND b.digest = m.digest WHERE m.subject = ? AND m.subject <> '' AND b.takedown = 0 ORDER BY m.digest",
        read_manifest, repository, subject);
  }
  void bind(std::int64_t repository, const Digest& manifest, const Binding& binding) override {
    run("INSERT INTO binding (repository, digest, publisher, at, takedown) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET at = excluded.at",
        repository, manifest, binding.publisher, binding.at, binding.takedown);
  }
  void unbind(std::int64_t repository, const Digest& manifest) override {
    run("DELETE FROM binding WHERE repository = ? AND digest = ?", repository, manifest);
  }

  // --- blobs
  std::optional<std::uint64_t> blob_size(const Digest& digest) override {
    return first<std::uint64_t>("SELECT size FROM blob WHERE digest = ?",
                                [](const SqliteStatement& row) { return static_cast<std::uint64_t>(row.integer(0)); }, digest);
  }
  std::optional<Binding> blob_link(std::int64_t repository, const Digest& digest) override {
    return first<Binding>("SELECT publisher, at, takedown FROM blob_link WHERE repository = ? AND digest = ?", read_binding, repository, digest);
  }
  bool blob_released(std::int64_t repository, const Digest& digest) override {
    return first<std::int64_t>(
               "SELECT 1 FROM blob_link l JOIN reference r ON r.digest = l.digest AND r.kind <> 2"
               " JOIN binding b ON b.repository = l.repository AND b.digest = r.manifest JOIN manifest m ON m.digest = b.digest"
               " WHERE l.repository = ? AND l.digest = ? AND l.takedown = 0 AND b.takedown = 0 AND m.state = 1 LIMIT 1",
               read_integer, repository, digest)
        .has_value();
  }
  bool blob_released_somewhere(const Digest& digest) override {
    return first<std::int64_t>("SELECT 1 FROM reference r JOIN binding b ON b.digest = r.manifest JOIN manifest m ON m.digest = b.digest"
                               " WHERE r.digest = ? AND r.kind <> 2 AND b.takedown = 0 AND m.state = 1 LIMIT 1",
                               read_integer, digest)
        .has_value();
  }
  std::optional<BlobContent> content(const Digest& blob) override {
    return first<BlobContent>("SELECT diff_id, files, base FROM blob WHERE digest = ? AND diff_id <> ''",
                              [](const SqliteStatement& row) { return BlobContent{digest_of(row.text(0)), digest_of(row.text(1)), row.integer(2) != 0}; }, blob);
  }
  void set_content(const Digest& blob, const BlobContent& content) override {
    run("UPDATE blob SET diff_id = ?, files = ?, base = ? WHERE digest = ?", content.diff_id, content.files, std::int64_t{content.base}, blob);
  }
  bool blob_in_use(std::int64_t repository, const Digest& digest) override {
    return first<std::int64_t>("SELECT 1 FROM reference r JOIN binding b ON b.repository = ? AND b.digest = r.manifest WHERE r.digest = ? LIMIT 1",
                               read_integer, repository, digest)
        .has_value();
  }
  std::vector<std::int64_t> repositories_with_blob(const Digest& digest, std::size_t limit) override {
    return all<std::int64_t>("SELECT repository FROM blob_link WHERE digest = ? AND takedown = 0 LIMIT ?", read_integer, digest, count(limit));
  }
  std::vector<Digest> manifests_naming(const Digest& digest) override {
    return all<Digest>("SELECT DISTINCT manifest FROM reference WHERE digest = ? AND kind <> 2", read_digest, digest);
  }
  void add_blob(const Digest& digest, std::uint64_t size, Time at) override {
    run("INSERT INTO blob (digest, size, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", digest, static_cast<std::int64_t>(size), at);
  }
  void remove_blob(const Digest& digest) override {
    run("DELETE FROM blob WHERE digest = ?", digest);
    run("DELETE FROM carried_file WHERE blob = ?", digest);
  }
  void link_blob(std::int64_t repository, const Digest& digest, const Binding& binding) override {
    run("INSERT INTO blob_link (repository, digest, publisher, at, takedown) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at", repository,
        digest, binding.publisher, binding.at, binding.takedown);
  }
  void touch_blob(std::int64_t repository, const Digest& digest, Time at) override {
    run("UPDATE blob_link SET at = ? WHERE repository = ? AND digest = ?", at, repository, digest);
  }
  void unlink_blob(std::int64_t repository, const Digest& digest) override {
    run("DELETE FROM blob_link WHERE repository = ? AND digest = ?", repository, digest);
  }
  std::optional<Digest> canonical(const Digest& name) override {
    if (name.algorithm() == HashAlgorithm::sha256) return name;
    return first<Digest>("SELECT digest FROM alias WHERE name = ?", read_digest, name);
  }
  void add_alias(const Digest& name, const Digest& canonical) override {
    run("INSERT INTO alias (name, digest) VALUES (?, ?) ON CONFLICT DO NOTHING", name, canonical);
  }

  // --- uploads
  std::optional<Upload> upload(std::string_view id) override {
    return first<Upload>("SELECT id, repository, publisher, algorithm, started, touched FROM upload WHERE id = ?", read_upload, id);
  }
  std::vector<Upload> uploads() override {
    return all<Upload>("SELECT id, repository, publisher, algorithm, started, touched FROM upload ORDER BY id", read_upload);
  }
  void put_upload(const Upload& upload) override {
    run("INSERT OR REPLACE INTO upload (id, repository, publisher, algorithm, started, touched) VALUES (?, ?, ?, ?, ?, ?)", upload.id, upload.repository,
        upload.publisher, static_cast<std::int64_t>(upload.algorithm), upload.started, upload.touched);
  }
  void remove_upload(std::string_view id) override { run("DELETE FROM upload WHERE id = ?", id); }

  // --- verdicts, tombstones, takedowns, events
  std::optional<Verdict> verdict(const Digest& manifest, std::string_view ruleset) override {
    return first<Verdict>(
        "SELECT digest, ruleset, state, verdict, score, titles, at, report FROM verdict WHERE digest = ? AND (ruleset = ? OR ? = '')"
        " ORDER BY at DESC LIMIT 1",
        [](const SqliteStatement& row) {
          Verdict verdict{digest_of(row.text(0)), std::string(row.text(1)), static_cast<State>(row.integer(2)), std::string(row.text(3)),
                          static_cast<int>(row.integer(4)), {}, std::string(row.text(7)), row.integer(6)};
          for (const std::string_view title : split(row.text(5), '\n')) {
            if (!title.empty()) verdict.titles.emplace_back(title);
          }
          return verdict;
        },
        manifest, ruleset, ruleset);
  }
  void put_verdict(const Verdict& verdict) override {
    std::string titles;
    for (const std::string& title : verdict.titles) titles += title + "\n";
    run("INSERT OR REPLACE INTO verdict (digest, ruleset, state, verdict, score, titles, at, report) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", verdict.digest,
        verdict.ruleset, static_cast<std::int64_t>(verdict.state), verdict.verdict, std::int64_t{verdict.score}, titles, verdict.at, verdict.report);
  }
  void remove_verdict(const Digest& manifest, std::string_view ruleset) override {
    run("DELETE FROM verdict WHERE digest = ? AND ruleset = ?", manifest, ruleset);
  }
  std::vector<Tombstone> tombstones(TombstoneKind kind, const Digest& value) override {
    return all<Tombstone>("SELECT kind, value, takedown, reason, at FROM tombstone WHERE kind = ? AND value = ? ORDER BY takedown",
                          read_tombstone, static_cast<std::int64_t>(kind), value);
  }
  bool has_tombstones(TombstoneKind kind) override {
    return first<std::int64_t>("SELECT 1 FROM tombstone WHERE kind = ? LIMIT 1", read_integer, static_cast<std::int64_t>(kind)).has_value();
  }
  void add_tombstone(const Tombstone& tombstone) override {
    run("INSERT INTO tombstone (kind, value, takedown, reason, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", static_cast<std::int64_t>(tombstone.kind),
        tombstone.value, tombstone.takedown, tombstone.reason, tombstone.at);
    note(JournalEntry::Act::tombstone).tombstone = tombstone;
  }
  void remove_tombstones(std::int64_t takedown) override {
    run("DELETE FROM tombstone WHERE takedown = ? AND takedown <> 0", takedown);
    run("DELETE FROM file_tombstone WHERE takedown = ?", takedown);
    note(JournalEntry::Act::tombstones_removed).tombstone.takedown = takedown;
  }
  std::vector<CarriedFile> carried_files(const Digest& blob) override {
    return all<CarriedFile>("SELECT content, path, convicts, claimed FROM carried_file WHERE blob = ? ORDER BY content",
                            [](const SqliteStatement& row) {
                              return CarriedFile{content_of(row.blob(0)), std::string(row.text(1)), row.integer(2) != 0, row.integer(3) != 0};
                            },
                            blob);
  }
  bool file_released_somewhere(const FileContent& content) override {
    return first<std::int64_t>("SELECT 1 FROM carried_file f JOIN reference r ON r.digest = f.blob AND r.kind <> 2 JOIN binding b ON b.digest = r.manifest"
                               " JOIN manifest m ON m.digest = b.digest WHERE f.content = ? AND b.takedown = 0 AND m.state = 1 LIMIT 1",
                               read_integer, Bytes(content))
        .has_value();
  }
  std::vector<FileTombstone> file_tombstones(const Digest& blob) override {
    return all<FileTombstone>(
        "SELECT t.content, t.takedown, t.path, t.reason, t.condemns FROM carried_file f CROSS JOIN file_tombstone t ON t.content = f.content WHERE f.blob = ?"
        " ORDER BY t.condemns DESC, t.takedown, t.content",
        read_file_tombstone, blob);
  }
  std::vector<FileContent> buried_files() override {
    return all<FileContent>("SELECT DISTINCT content FROM file_tombstone", [](const SqliteStatement& row) { return content_of(row.blob(0)); });
  }
  void set_carried_files(const Digest& blob, const std::vector<CarriedFile>& files) override {
    run("DELETE FROM carried_file WHERE blob = ?", blob);
    for (const CarriedFile& file : files) {
      run("INSERT INTO carried_file (content, blob, path, convicts, claimed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET convicts = MAX(convicts, excluded.convicts)",
          Bytes(file.content), blob, file.path, std::int64_t{file.convicts}, std::int64_t{file.claimed});
    }
  }
  void add_file_tombstone(const FileTombstone& tombstone) override {
    run("INSERT INTO file_tombstone (content, takedown, path, reason, condemns) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET condemns = MAX(condemns, excluded.condemns)",
        Bytes(tombstone.content), tombstone.takedown, tombstone.path, tombstone.reason, std::int64_t{tombstone.condemns});
    note(JournalEntry::Act::file_tombstone).file = tombstone;
  }
  void remove_file_tombstones(const Digest& blob) override {
    run("DELETE FROM file_tombstone WHERE content IN (SELECT content FROM carried_file WHERE blob = ?)", blob);
    note(JournalEntry::Act::file_tombstones_removed).blob = blob;
  }
  void remove_tombstone(TombstoneKind kind, const Digest& value) override {
    run("DELETE FROM tombstone WHERE kind = ? AND value = ? AND takedown = 0", static_cast<std::int64_t>(kind), value);
    Tombstone& removed = note(JournalEntry::Act::tombstone_removed).tombstone;
    removed.kind = kind;
    removed.value = value;
  }
  std::optional<Takedown> takedown(std::int64_t id) override {
    return first<Takedown>("SELECT id, kind, subject, actor, reason, at, undone, closes_account FROM takedown WHERE id = ?", read_takedown, id);
  }
  std::optional<Takedown> takedown_of(std::string_view kind, std::string_view subject) override {
    return first<Takedown>("SELECT id, kind, subject, actor, reason, at, undone, closes_account FROM takedown WHERE kind = ? AND subject = ? AND undone = 0 ORDER BY id LIMIT 1",
                           read_takedown, kind, subject);
  }
  std::int64_t add_takedown(const Takedown& takedown) override {
    run("INSERT INTO takedown (kind, subject, actor, reason, at, undone, closes_account) VALUES (?, ?, ?, ?, ?, 0, ?)", takedown.kind, takedown.subject,
        takedown.actor, takedown.reason, takedown.at, std::int64_t{takedown.closes_account});
    Takedown& noted = note(JournalEntry::Act::takedown).takedown;
    noted = takedown;
    noted.id = first<std::int64_t>("SELECT last_insert_rowid()", read_integer).value_or(0);
    return noted.id;
  }
  void put_takedown(const Takedown& takedown) override {
    run("INSERT INTO takedown (id, kind, subject, actor, reason, at, undone, closes_account) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", takedown.id, takedown.kind, takedown.subject,
        takedown.actor, takedown.reason, takedown.at, takedown.undone, std::int64_t{takedown.closes_account});
    note(JournalEntry::Act::takedown).takedown = takedown;
  }
  void set_undone(std::int64_t takedown, Time at) override {
    run("UPDATE takedown SET undone = ? WHERE id = ?", at, takedown);
    Takedown& undone = note(JournalEntry::Act::takedown_undone).takedown;
    undone.id = takedown;
    undone.undone = at;
  }
  void hide_publisher(std::string_view publisher, std::int64_t takedown) override {
    run("UPDATE repository SET takedown = ? WHERE publisher = ? AND takedown = 0", takedown, publisher);
    run("UPDATE binding SET takedown = ? WHERE (publisher = ? OR repository IN (SELECT id FROM repository WHERE takedown = ?)) AND takedown = 0", takedown,
        publisher, takedown);
    run("UPDATE blob_link SET takedown = ? WHERE (publisher = ? OR repository IN (SELECT id FROM repository WHERE takedown = ?)) AND takedown = 0", takedown,
        publisher, takedown);
    run("UPDATE tag SET takedown = ? WHERE (publisher = ? OR repository IN (SELECT id FROM repository WHERE takedown = ?)) AND takedown = 0", takedown,
        publisher, takedown);
  }
  void hide_repository(std::int64_t repository, std::int64_t takedown) override {
    run("UPDATE repository SET takedown = ? WHERE id = ? AND takedown = 0", takedown, repository);
    run("UPDATE binding SET takedown = ? WHERE repository = ? AND takedown = 0", takedown, repository);
    run("UPDATE blob_link SET takedown = ? WHERE repository = ? AND takedown = 0", takedown, repository);
    run("UPDATE tag SET takedown = ? WHERE repository = ? AND takedown = 0", takedown, repository);
  }
  void hide_manifest(std::int64_t repository, const Digest& manifest, std::int64_t takedown) override {
    run("UPDATE binding SET takedown = ? WHERE repository = ? AND digest = ? AND takedown = 0", takedown, repository, manifest);
    run("UPDATE tag SET takedown = ? WHERE repository = ? AND digest = ? AND takedown = 0", takedown, repository, manifest);
  }
  void keep_state(const Digest& manifest, std::int64_t takedown) override {
    run("INSERT OR REPLACE INTO kept_state (takedown, digest, state, ruleset, pinned) SELECT ?, digest, state, ruleset, pinned FROM manifest WHERE digest = ?",
        takedown, manifest);
  }
  void restore_states(std::int64_t takedown) override {
    run("UPDATE manifest SET (state, ruleset, pinned) = (SELECT k.state, k.ruleset, k.pinned FROM kept_state k WHERE k.takedown = ? AND k.digest = manifest.digest)"
        " WHERE digest IN (SELECT digest FROM kept_state WHERE takedown = ?)",
        takedown, takedown);
    run("DELETE FROM kept_state WHERE takedown = ?", takedown);
  }
  void show(std::int64_t takedown) override {
    if (takedown == 0) return;
    run("UPDATE repository SET takedown = 0 WHERE takedown = ?", takedown);
    run("UPDATE binding SET takedown = 0 WHERE takedown = ?", takedown);
    run("UPDATE blob_link SET takedown = 0 WHERE takedown = ?", takedown);
    run("UPDATE tag SET takedown = 0 WHERE takedown = ?", takedown);
  }
  std::vector<Digest> manifests_hidden_by(std::int64_t takedown) override {
    return all<Digest>("SELECT DISTINCT digest FROM binding WHERE takedown = ? ORDER BY digest", read_digest, takedown);
  }
  std::vector<Takedown> takedowns(std::int64_t before, std::size_t limit) override {
    return all<Takedown>("SELECT id, kind, subject, actor, reason, at, undone, closes_account FROM takedown WHERE id < ? ORDER BY id DESC LIMIT ?", read_takedown, before,
                         count(limit));
  }
  std::vector<Digest> blobs_condemned_by(std::int64_t takedown) override {
    return all<Digest>("SELECT value FROM tombstone WHERE takedown = ? AND kind = ? ORDER BY value", read_digest, takedown, static_cast<std::int64_t>(TombstoneKind::blob));
  }
  std::vector<Tombstone> tombstones_of(std::int64_t takedown) override {
    return all<Tombstone>("SELECT kind, value, takedown, reason, at FROM tombstone WHERE takedown = ? ORDER BY kind, value", read_tombstone, takedown);
  }
  std::vector<FileTombstone> file_tombstones_of(std::int64_t takedown) override {
    return all<FileTombstone>("SELECT content, takedown, path, reason, condemns FROM file_tombstone WHERE takedown = ? ORDER BY content", read_file_tombstone, takedown);
  }

  // --- what users report
  std::optional<UserCase> user_case(std::int64_t id) override {
    return first<UserCase>("SELECT id, digest, state, opened, closed, closed_by, note, reports FROM user_case WHERE id = ?", read_case, id);
  }
  std::vector<UserCase> user_cases(std::optional<CaseState> state, std::int64_t after, std::size_t limit) override {
    return all<UserCase>("SELECT id, digest, state, opened, closed, closed_by, note, reports FROM user_case WHERE id > ? AND (? < 0 OR state = ?) ORDER BY id LIMIT ?", read_case,
                         after, state ? static_cast<std::int64_t>(*state) : std::int64_t{-1}, state ? static_cast<std::int64_t>(*state) : std::int64_t{-1}, count(limit));
  }
  std::vector<UserReport> user_reports(std::int64_t of) override {
    return all<UserReport>("SELECT \"of\", at, reporter, address, repository, tag, reason FROM user_report WHERE \"of\" = ? ORDER BY id",
                           [](const SqliteStatement& row) {
                             return UserReport{row.integer(0),           row.integer(1),           std::string(row.text(2)), std::string(row.text(3)),
                                               std::string(row.text(4)), std::string(row.text(5)), std::string(row.text(6))};
                           },
                           of);
  }
  std::pair<std::uint64_t, Time> open_cases() override {
    return first<std::pair<std::uint64_t, Time>>("SELECT COUNT(*), COALESCE(MIN(opened), 0) FROM user_case WHERE state = 0",
                                                 [](const SqliteStatement& row) { return std::pair(static_cast<std::uint64_t>(row.integer(0)), row.integer(1)); })
        .value_or(std::pair<std::uint64_t, Time>());
  }
  std::int64_t open_case(const Digest& manifest, Time at) override {
    const auto known = first<std::int64_t>("SELECT id FROM user_case WHERE digest = ? AND state = 0", read_integer, manifest);
    if (known) return *known;
    run("INSERT INTO user_case (digest, state, opened, closed, closed_by, note, reports) VALUES (?, 0, ?, 0, '', '', 0)", manifest, at);
    return first<std::int64_t>("SELECT last_insert_rowid()", read_integer).value_or(0);
  }
  void add_user_report(const UserReport& report) override {
    run("UPDATE user_case SET reports = reports + 1 WHERE id = ?", report.of);
    run("INSERT INTO user_report (\"of\", at, reporter, address, repository, tag, reason) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
        " WHERE (SELECT COUNT(*) FROM user_report WHERE \"of\" = ?1) < 1000",
        report.of, report.at, report.reporter, report.address, report.repository, report.tag, report.reason);
  }
  void close_case(std::int64_t id, CaseState state, Time at, std::string_view actor, std::string_view note) override {
    run("UPDATE user_case SET state = ?, closed = ?, closed_by = ?, note = ? WHERE id = ?", static_cast<std::int64_t>(state), at, actor, note, id);
  }

  std::vector<Event> events(std::int64_t after, std::size_t limit) override {
    return all<Event>("SELECT id, at, kind, actor, repository, tag, digest, detail FROM event WHERE id > ? ORDER BY id LIMIT ?", read_event, after, count(limit));
  }
  std::vector<Event> events_of(const Digest& manifest, std::size_t limit) override {
    return all<Event>("SELECT id, at, kind, actor, repository, tag, digest, detail FROM event WHERE digest = ? AND digest <> '' ORDER BY id LIMIT ?", read_event, manifest, count(limit));
  }
  std::optional<std::int64_t> mark(std::string_view name) override { return first<std::int64_t>("SELECT event FROM mark WHERE name = ?", read_integer, name); }
  void set_mark(std::string_view name, std::int64_t event) override { run("INSERT OR REPLACE INTO mark (name, event) VALUES (?, ?)", name, event); }
  std::vector<Event> newest_events(const EventFilter& filter) override {
    const std::int64_t before = filter.before == 0 ? INT64_MAX : filter.before;
    if (!filter.digest.empty()) {
      return all<Event>("SELECT id, at, kind, actor, repository, tag, digest, detail FROM event WHERE digest = ? AND digest <> '' AND id < ? AND (? = '' OR kind = ?)"
                        " AND (? = '' OR repository = ?) ORDER BY id DESC LIMIT ?",
                        read_event, filter.digest, before, filter.kind, filter.kind, filter.repository, filter.repository, count(filter.limit));
    }
    if (!filter.kind.empty()) {
      return all<Event>("SELECT id, at, kind, actor, repository, tag, digest, detail FROM event WHERE kind = ? AND id < ? AND (? = '' OR repository = ?)"
                        " ORDER BY id DESC LIMIT ?",
                        read_event, filter.kind, before, filter.repository, filter.repository, count(filter.limit));
    }
    return all<Event>("SELECT id, at, kind, actor, repository, tag, digest, detail FROM event WHERE id < ? AND (? = '' OR repository = ?) ORDER BY id DESC LIMIT ?",
                      read_event, before, filter.repository, filter.repository, count(filter.limit));
  }
  void add_event(const Event& event) override {
    run("INSERT INTO event (at, kind, actor, repository, tag, digest, detail) VALUES (?, ?, ?, ?, ?, ?, ?)", event.at, event.kind, event.actor,
        event.repository, event.tag, event.digest, event.detail);
  }

  // --- collection
  std::size_t collect_links(Time before, std::size_t limit) override {
    const auto found = all<std::pair<std::int64_t, Digest>>(
        "SELECT repository, digest FROM blob_link l WHERE at < ? AND takedown = 0 AND NOT EXISTS (SELECT 1 FROM reference r JOIN binding b"
        " ON b.digest = r.manifest AND b.repository = l.repository WHERE r.digest = l.digest) LIMIT ?",
        [](const SqliteStatement& row) { return std::pair(row.integer(0), digest_of(row.text(1))); }, before, count(limit));
    for (const auto& [repository, digest] : found) unlink_blob(repository, digest);
    return found.size();
  }
  std::vector<Digest> collect_manifests(Time before, std::size_t limit) override {
    auto found = all<Digest>("SELECT digest FROM manifest m WHERE created < ? AND NOT EXISTS (SELECT 1 FROM binding b WHERE b.digest = m.digest) LIMIT ?",
                             read_digest, before, count(limit));
    for (const Digest& digest : found) remove_manifest(digest);
    return found;
  }
  std::vector<Digest> collect_blobs(std::size_t limit) override {
    auto found = all<Digest>("SELECT digest FROM blob b WHERE NOT EXISTS (SELECT 1 FROM blob_link l WHERE l.digest = b.digest) LIMIT ?", read_digest,
                             count(limit));
    for (const Digest& digest : found) remove_blob(digest);
    return found;
  }

 private:
  static std::int64_t count(std::size_t limit) { return static_cast<std::int64_t>(std::min<std::size_t>(limit, 1ull << 40)); }

  static Repository read_repository(const SqliteStatement& row) {
    return {row.integer(0), std::string(row.text(1)), std::string(row.text(2)), row.integer(3), row.integer(4)};
  }
  static Tag read_tag(const SqliteStatement& row) {
    return {std::string(row.text(0)), digest_of(row.text(1)), digest_of(row.text(2)), std::string(row.text(3)), row.integer(4), row.integer(5)};
  }
  static Manifest read_manifest(const SqliteStatement& row) {
    return {digest_of(row.text(0)),
            std::string(row.text(1)),
            static_cast<ManifestKind>(row.integer(2)),
            static_cast<std::uint64_t>(row.integer(3)),
            digest_of(row.text(4)),
            std::string(row.text(5)),
            static_cast<State>(row.integer(6)),
            std::string(row.text(7)),
            row.integer(8) != 0,
            row.integer(9)};
  }
  static Binding read_binding(const SqliteStatement& row) { return {std::string(row.text(0)), row.integer(1), row.integer(2)}; }
  static Upload read_upload(const SqliteStatement& row) {
    return {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), static_cast<HashAlgorithm>(row.integer(3)), row.integer(4),
            row.integer(5)};
  }
  static Takedown read_takedown(const SqliteStatement& row) {
    return {row.integer(0),           std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)),
            std::string(row.text(4)), row.integer(5),           row.integer(6),           row.integer(7) != 0};
  }
  static Tombstone read_tombstone(const SqliteStatement& row) {
    return {static_cast<TombstoneKind>(row.integer(0)), digest_of(row.text(1)), row.integer(2), std::string(row.text(3)), row.integer(4)};
  }
  static FileTombstone read_file_tombstone(const SqliteStatement& row) {
    return {content_of(row.blob(0)), row.integer(1), std::string(row.text(2)), std::string(row.text(3)), row.integer(4) != 0};
  }
  static UserCase read_case(const SqliteStatement& row) {
    return {row.integer(0),           digest_of(row.text(1)),   static_cast<CaseState>(row.integer(2)),        row.integer(3), row.integer(4),
            std::string(row.text(5)), std::string(row.text(6)), static_cast<std::uint64_t>(row.integer(7))};
  }
  static Event read_event(const SqliteStatement& row) {
    return {row.integer(0),           row.integer(1),           std::string(row.text(2)), std::string(row.text(3)),
            std::string(row.text(4)), std::string(row.text(5)), digest_of(row.text(6)),   std::string(row.text(7))};
  }
  static Digest read_digest(const SqliteStatement& row) { return digest_of(row.text(0)); }
  static std::int64_t read_integer(const SqliteStatement& row) { return row.integer(0); }

  JournalEntry& note(JournalEntry::Act act) {
    condemnations_.emplace_back().act = act;
    return condemnations_.back();
  }

  std::vector<JournalEntry> condemnations_;
};

class SqliteMetadataStore final : public MetadataStore {
 public:
  SqliteMetadataStore(std::string path, SqliteConnection writer, std::unique_ptr<CondemnationJournal> journal)
      : path_(std::move(path)), journal_(std::move(journal)), writer_(std::move(writer)) {}

  Result<void> read(const std::function<void(Reader&)>& work) override {
    if (path_.empty()) {
      const std::lock_guard lock(write_mutex_);
      return transaction<Session>(writer_, "BEGIN", [&](Session& session) {
        work(session);
        return Result<void>();
      });
    }
    auto connection = take_reader();
    if (!connection) return connection.error();
    const auto done = transaction<Session>(**connection, "BEGIN", [&](Session& session) {
      work(session);
      return Result<void>();
    });
    const std::lock_guard lock(reader_mutex_);
    readers_.push_back(std::move(*connection));
    return done;
  }

  Result<void> write(const std::function<Result<void>(Writer&)>& work, Durability durability) override {
    const std::lock_guard lock(write_mutex_);
    if (durability != durability_) {
      // A durable commit writes out the whole log, with the relaxed ones before it.
      const auto set = writer_.database().execute(durability == Durability::durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
      if (!set) return set.error();
      durability_ = durability;
    }
    // What cannot be written to the journal is not done.
    return transaction<Session>(writer_, "BEGIN IMMEDIATE", work, [&](Session& session) {
      return journal_ == nullptr || session.condemnations().empty() ? Result<void>() : journal_->append(session.condemnations());
    });
  }

  Result<std::vector<std::string>> check() override {
    const std::lock_guard lock(write_mutex_);
    auto statement = writer_.database().prepare("PRAGMA quick_check");
    if (!statement) return statement.error();
    std::vector<std::string> problems;
    for (;;) {
      const auto row = statement->step();
      if (!row) return row.error();
      if (!*row) return problems;
      if (statement->text(0) != "ok") problems.emplace_back(statement->text(0));
    }
  }

  Result<void> backup(const std::string& path) override {
    const std::lock_guard lock(write_mutex_);
    auto statement = writer_.database().prepare("VACUUM INTO ?");
    if (!statement) return statement.error();
    return statement->bind(1, std::string_view(path)).run();
  }

 private:
  Result<std::unique_ptr<SqliteConnection>> take_reader() {
    {
      const std::lock_guard lock(reader_mutex_);
      if (!readers_.empty()) {
        auto connection = std::move(readers_.back());
        readers_.pop_back();
        return connection;
      }
    }
    auto database = SqliteDatabase::open(path_, 10'000);
    if (!database) return database.error();
    if (const auto ready = database->execute("PRAGMA wal_autocheckpoint=0; PRAGMA query_only=1"); !ready) return ready.error();
    return std::make_unique<SqliteConnection>(std::move(*database));
  }

  const std::string path_;
  const std::unique_ptr<CondemnationJournal> journal_;
  std::mutex write_mutex_;
  SqliteConnection writer_;
  Durability durability_ = Durability::durable;  // that the writer is set to
  std::mutex reader_mutex_;
  std::vector<std::unique_ptr<SqliteConnection>> readers_;  // after the writer, so that they are closed first and the writer checkpoints
};

}  // namespace

namespace {

// What the store holds already, for a journal that begins now.
Result<std::vector<JournalEntry>> condemnations_of(SqliteDatabase& database) {
  std::vector<JournalEntry> entries;
  const auto each = [&](const char* sql, const auto& add) -> Result<void> {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error();
    for (;;) {
      const auto row = statement->step();
      if (!row) return row.error();
      if (!*row) return {};
      add(*statement);
    }
  };
  const auto acts = each("SELECT id, kind, subject, actor, reason, at, undone, closes_account FROM takedown ORDER BY id", [&](const SqliteStatement& row) {
    Takedown takedown{row.integer(0), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4)), row.integer(5), 0, row.integer(7) != 0};
    JournalEntry& entry = entries.emplace_back();
    entry.act = JournalEntry::Act::takedown;
    entry.takedown = takedown;
    if (row.integer(6) == 0) return;
    JournalEntry& undone = entries.emplace_back();
    undone.act = JournalEntry::Act::takedown_undone;
    undone.takedown.id = takedown.id;
    undone.takedown.undone = row.integer(6);
  });
  if (!acts) return acts.error();
  const auto tombstones = each("SELECT kind, value, takedown, reason, at FROM tombstone", [&](const SqliteStatement& row) {
    entries.emplace_back().tombstone = {static_cast<TombstoneKind>(row.integer(0)), digest_of(row.text(1)), row.integer(2), std::string(row.text(3)), row.integer(4)};
  });
  if (!tombstones) return tombstones.error();
  const auto files = each("SELECT content, takedown, path, reason, condemns FROM file_tombstone", [&](const SqliteStatement& row) {
    JournalEntry& entry = entries.emplace_back();
    entry.act = JournalEntry::Act::file_tombstone;
    entry.file.takedown = row.integer(1);
    entry.file.path = row.text(2);
    entry.file.reason = row.text(3);
    entry.file.condemns = row.integer(4) != 0;
    const Bytes content = row.blob(0);
    if (content.size() == entry.file.content.size()) std::copy(content.begin(), content.end(), entry.file.content.begin());
  });
  if (!files) return files.error();
  return entries;
}

}  // namespace

Result<std::unique_ptr<MetadataStore>> open_sqlite_metadata_store(const std::string& path, const std::string& journal_path) {
  auto database = SqliteDatabase::open(path.empty() ? ":memory:" : path, 10'000);
  if (!database) return database.error();
  const std::string name = "the metadata store " + path;
  const auto ready = open_schema(*database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", schema, schema_version, name);
  if (!ready) return ready.error();
  std::unique_ptr<CondemnationJournal> journal;
  if (!journal_path.empty()) {
    auto opened = CondemnationJournal::open(journal_path);
    if (!opened) return opened.error();
    journal = std::move(*opened);
    if (journal->empty()) {
      const auto entries = condemnations_of(*database);
      if (!entries) return Error{entries.error().code, fmt::format("cannot use {}: {}", name, entries.error().message)};
      if (const auto written = journal->append(*entries); !written) return written.error();
    }
  }
  return std::unique_ptr<MetadataStore>(new SqliteMetadataStore(path, SqliteConnection(std::move(*database)), std::move(journal)));
}

}  // namespace lazaret::store
