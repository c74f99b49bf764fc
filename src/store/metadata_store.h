// What the registry knows besides bytes: repositories, tags, manifests, who pushed what, verdicts, tombstones, events.
//
// Small operations on records, put together into transactions by the gate. A transaction sees one state of the store and happens wholly or not at
// all. An operation that the database refuses gives nothing, and then the whole transaction fails: read() and write() return the error, and
// whatever the caller concluded from the missing values is thrown away. So nothing is released by a failed query.
//
// Digests here are canonical, that is sha256; a sha512 name is an alias. Times are milliseconds since 1970 and given by the caller, so that tests
// and the demo have a clock of their own. `takedown` 0 means visible; otherwise it is the act that hides the record, so that undoing the act
// restores exactly what it hid.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace lazaret::store {

using Time = std::int64_t;

// Of an image in the gate (DESIGN 2). Belongs to the digest of a manifest.
enum class State : std::uint8_t { pending, released, held, condemned };
std::string_view name_of(State state);
std::optional<State> parse_state(std::string_view name);

struct Repository {
  std::int64_t id = 0;
  std::string name, publisher;
  Time created = 0;
  std::int64_t takedown = 0;
};

enum class ManifestKind : std::uint8_t { image, index, artifact };

struct Manifest {
  Digest digest;
  std::string media_type;
  ManifestKind kind = ManifestKind::image;
  std::uint64_t size = 0;
  Digest subject;            // as written; empty when there is none
  std::string artifact_type;  // its own, else the media type of its config
  State state = State::pending;
  std::string ruleset;  // that the state was judged under; "" before the first verdict
  // By hand or by takedown: a new verdict does not change the state.
  bool pinned = false;
  Time created = 0;
};

enum class ReferenceKind : std::uint8_t { config, layer, manifest };

// What a manifest names. The order is that of the document.
struct Reference {
  ReferenceKind kind = ReferenceKind::layer;
  Digest digest;  // canonical where the content is known, as written otherwise
  std::uint64_t size = 0;
  std::string media_type;
};

// That a manifest or a blob is part of a repository, and who brought it there.
struct Binding {
  std::string publisher;
  Time at = 0;
  std::int64_t takedown = 0;
};

struct Tag {
  std::string name;
  Digest digest;    // what was pushed last
  Digest released;  // what is served: the last that was released; empty when none was
  std::string publisher;
  Time at = 0;
  std::int64_t takedown = 0;
};

struct Upload {
  std::string id, repository, publisher;
  HashAlgorithm algorithm = HashAlgorithm::sha256;
  Time started = 0, touched = 0;
};

// What an audit said of a manifest under one ruleset.
struct Verdict {
  Digest digest;
  std::string ruleset;
  State state = State::pending;  // what policy made of it
  std::string verdict;           // clean, suspicious, malicious, incomplete
  int score = 0;
  std::vector<std::string> titles;  // of the findings that weigh most, for people
  std::string report;               // lazaret.report/v1
  Time at = 0;
};

// What an audit computed of a layer, which names its content whatever it is packed in.
struct BlobContent {
  Digest diff_id;  // of the decoded bytes
  Digest files;    // of the names and contents of its files, in order of names: the same for any tar that unpacks to the same; empty without files
  bool base = false;  // a layer of a known base image
};

// The first half of a file's sha256.
using FileContent = std::array<std::uint8_t, 16>;

// A program or script that a publisher brought along in a layer, or a file in which something was found that convicts its image.
struct CarriedFile {
  FileContent content{};
  std::string path;
  bool convicts = false;
  bool claimed = false;  // a package of the image says that it is as it brought it
};

// What makes a file known again in another layer of another image.
struct FileTombstone {
  FileContent content{};
  std::int64_t takedown = 0;  // the act that set it
  std::string path, reason;   // where it was, and why that was taken down
  bool condemns = false;      // otherwise an image that has it is held, for a person to look
};

// What keeps condemned content out, whatever it is called or packed in. `diff_id` and `files` as in BlobContent.
enum class TombstoneKind : std::uint8_t { manifest, blob, diff_id, files };
std::string_view name_of(TombstoneKind kind);

struct Tombstone {
  TombstoneKind kind = TombstoneKind::manifest;
  Digest value;
  std::int64_t takedown = 0;  // the act that set it; 0: a verdict
  std::string reason;
  Time at = 0;
};

struct Takedown {
  std::int64_t id = 0;
  std::string kind;     // publisher, repository, image
  std::string subject;  // its name; for images "repository@digest"
  std::string actor, reason;
  Time at = 0, undone = 0;
  bool closes_account = false;  // the account of the publisher was open before, and is closed as long as the act stands
};

// What users reported of one image, together.
enum class CaseState : std::uint8_t { open, confirmed, rejected };
std::string_view name_of(CaseState state);
std::optional<CaseState> parse_case_state(std::string_view name);

struct UserCase {
  std::int64_t id = 0;
  Digest digest;  // of the manifest
  CaseState state = CaseState::open;
  Time opened = 0, closed = 0;
  std::string closed_by, note;
  std::uint64_t reports = 0;  // all that came, also those that are not kept
};

struct UserReport {
  std::int64_t of = 0;  // the case
  Time at = 0;
  std::string reporter, address, repository, tag, reason;
};

// An entry of the log of everything that was decided or done.
struct Event {
  std::int64_t id = 0;
  Time at = 0;
  std::string kind;  // pushed, released, held, condemned, deleted, takedown, ...
  std::string actor, repository, tag;
  Digest digest;
  std::string detail;
};

// Which manifests are wanted, newest first. `before` and `before_digest`: where the last list ended; an empty digest begins at the newest.
struct ManifestFilter {
  std::optional<State> state;
  std::int64_t repository = 0;  // 0: any
  Time before = 0;
  Digest before_digest;
  std::size_t limit = 100;
};

// Which events are wanted, newest first. Empty members: any.
struct EventFilter {
  std::string kind, repository;
  Digest digest;
  std::int64_t before = 0;  // ids less than this; 0: from the newest
  std::size_t limit = 100;
};

class Reader {
 public:
  virtual ~Reader() = default;

  virtual std::optional<Repository> repository(std::string_view name) = 0;
  virtual std::optional<Repository> repository(std::int64_t id) = 0;
  // By name, beginning after `after`.
  virtual std::vector<Repository> repositories(std::string_view after, std::size_t limit) = 0;
  // Whether somebody else than the publisher can see something in it: a released manifest that no takedown hides.
  virtual bool repository_visible(std::int64_t id) = 0;

  virtual std::optional<Tag> tag(std::int64_t repository, std::string_view name) = 0;
  // The digest that the publisher uses for this manifest under this tag, where it is not the canonical one.
  virtual std::optional<Digest> tag_digest(std::int64_t repository, std::string_view name, const Digest& canonical) = 0;
  // By name, beginning after `after`. `released`: only those that serve something that is released now.
  virtual std::vector<Tag> tags(std::int64_t repository, std::string_view after, std::size_t limit, bool released) = 0;

  // Tags of the repository that name the manifest, as what was pushed or as what is served.
  virtual std::vector<Tag> tags_of(std::int64_t repository, const Digest& manifest) = 0;

  virtual std::optional<Manifest> manifest(const Digest& digest) = 0;
  virtual std::vector<Manifest> manifests(const ManifestFilter& filter) = 0;
  virtual std::optional<std::string> manifest_bytes(const Digest& digest) = 0;
  virtual std::vector<Reference> references(const Digest& manifest) = 0;
  // Indexes that name the manifest.
  virtual std::vector<Digest> parents(const Digest& manifest) = 0;
  virtual std::vector<Digest> manifests_in(State state, std::size_t limit) = 0;
  // How many are in each state, in the order of State.
  virtual std::array<std::uint64_t, 4> manifests_by_state() = 0;
  // Judged under another ruleset and not pinned; newest first.
  virtual std::vector<Digest> manifests_judged_otherwise(std::string_view ruleset, std::size_t limit) = 0;

  virtual std::optional<Binding> binding(std::int64_t repository, const Digest& manifest) = 0;
  // Some repository holds it, is not hidden and does not hide it.
  virtual bool manifest_visible_somewhere(const Digest& manifest) = 0;
  // Repositories that hold the manifest.
  virtual std::vector<std::int64_t> repositories_with(const Digest& manifest) = 0;
  virtual std::vector<Digest> manifests_of(std::int64_t repository) = 0;
  // That it pushed, or that lie in its repositories; hidden or not.
  virtual std::vector<Digest> manifests_of_publisher(std::string_view publisher) = 0;
  // Manifests of the repository whose subject is `subject`, by digest.
  virtual std::vector<Manifest> referrers(std::int64_t repository, const Digest& subject) = 0;

  virtual std::optional<std::uint64_t> blob_size(const Digest& digest) = 0;
  virtual std::optional<Binding> blob_link(std::int64_t repository, const Digest& digest) = 0;
  // Part of the repository, named by a released manifest there, and neither hidden.
  virtual bool blob_released(std::int64_t repository, const Digest& digest) = 0;
  virtual bool blob_released_somewhere(const Digest& digest) = 0;
  // Nothing before it was audited.
  virtual std::optional<BlobContent> content(const Digest& blob) = 0;
  virtual bool blob_in_use(std::int64_t repository, const Digest& digest) = 0;
  virtual std::vector<std::int64_t> repositories_with_blob(const Digest& digest, std::size_t limit) = 0;
  // Manifests that name the blob.
  virtual std::vector<Digest> manifests_naming(const Digest& digest) = 0;

  // The canonical digest of a name: itself for sha256, what is known of it for others.
  virtual std::optional<Digest> canonical(const Digest& name) = 0;

  virtual std::optional<Upload> upload(std::string_view id) = 0;
  virtual std::vector<Upload> uploads() = 0;

  // Under that ruleset, or the newest for "".
  virtual std::optional<Verdict> verdict(const Digest& manifest, std::string_view ruleset) = 0;
  virtual std::vector<Tombstone> tombstones(TombstoneKind kind, const Digest& value) = 0;
  virtual bool has_tombstones(TombstoneKind kind) = 0;
  virtual std::vector<CarriedFile> carried_files(const Digest& blob) = 0;
  // Something that is released and not hidden has this file in a layer.
  virtual bool file_released_somewhere(const FileContent& content) = 0;
  // Of files that the blob carries; those that condemn first.
  virtual std::vector<FileTombstone> file_tombstones(const Digest& blob) = 0;
  // All files that are known again.
  virtual std::vector<FileContent> buried_files() = 0;
  virtual std::optional<Takedown> takedown(std::int64_t id) = 0;
  // Newest first, of ids less than `before`.
  virtual std::vector<Takedown> takedowns(std::int64_t before, std::size_t limit) = 0;
  virtual std::vector<Digest> manifests_hidden_by(std::int64_t takedown) = 0;
  // Blobs with a tombstone that the act set.
  virtual std::vector<Digest> blobs_condemned_by(std::int64_t takedown) = 0;
  virtual std::vector<Tombstone> tombstones_of(std::int64_t takedown) = 0;
  virtual std::vector<FileTombstone> file_tombstones_of(std::int64_t takedown) = 0;
  virtual std::optional<UserCase> user_case(std::int64_t id) = 0;
  // Longest open first, of ids greater than `after`; nothing: in any state.
  virtual std::vector<UserCase> user_cases(std::optional<CaseState> state, std::int64_t after, std::size_t limit) = 0;
  // Of a case, oldest first.
  virtual std::vector<UserReport> user_reports(std::int64_t of) = 0;
  // Open cases, and when the oldest of them was opened (0: there is none).
  virtual std::pair<std::uint64_t, Time> open_cases() = 0;
  // The act, not undone, that took down this publisher, repository or image.
  virtual std::optional<Takedown> takedown_of(std::string_view kind, std::string_view subject) = 0;
  virtual std::vector<Event> events(std::int64_t after, std::size_t limit) = 0;
  // Of one manifest, oldest first.
  virtual std::vector<Event> events_of(const Digest& manifest, std::size_t limit) = 0;
  // How far somebody who reads the events has come; nothing where that name was never set.
  virtual std::optional<std::int64_t> mark(std::string_view name) = 0;
  virtual std::vector<Event> newest_events(const EventFilter& filter) = 0;
};

class Writer : public Reader {
 public:
  // The id of the repository, which is made when it does not exist.
  virtual std::int64_t add_repository(std::string_view name, std::string_view publisher, Time at) = 0;

  virtual void put_tag(std::int64_t repository, const Tag& tag) = 0;
  // `used`: what tag_digest() will give; the canonical one to forget another.
  virtual void set_tag_digest(std::int64_t repository, std::string_view name, const Digest& canonical, const Digest& used) = 0;
  virtual void remove_tag(std::int64_t repository, std::string_view name) = 0;
  // Tags that point to a manifest that leaves the repository: those that were pushed last as it go, the others serve nothing.
  virtual void remove_tags_of(std::int64_t repository, const Digest& manifest) = 0;
  // All tags whose newest manifest is this one serve it.
  virtual void release_tags_of(const Digest& manifest) = 0;

  // Keeps what is there when the manifest is known.
  virtual void add_manifest(const Manifest& manifest, std::string_view bytes, const std::vector<Reference>& references) = 0;
  virtual void set_state(const Digest& manifest, State state, std::string_view ruleset, bool pinned) = 0;
  virtual void remove_manifest(const Digest& manifest) = 0;
  virtual void bind(std::int64_t repository, const Digest& manifest, const Binding& binding) = 0;
  virtual void unbind(std::int64_t repository, const Digest& manifest) = 0;

  virtual void add_blob(const Digest& digest, std::uint64_t size, Time at) = 0;
  virtual void remove_blob(const Digest& digest) = 0;
  virtual void set_content(const Digest& blob, const BlobContent& content) = 0;
  // A link that is there already gets the new time and keeps its publisher. touch_blob() does only the first, and nothing where there is no link.
  virtual void link_blob(std::int64_t repository, const Digest& digest, const Binding& binding) = 0;
  virtual void touch_blob(std::int64_t repository, const Digest& digest, Time at) = 0;
  virtual void unlink_blob(std::int64_t repository, const Digest& digest) = 0;
  virtual void add_alias(const Digest& name, const Digest& canonical) = 0;

  virtual void put_upload(const Upload& upload) = 0;
  virtual void remove_upload(std::string_view id) = 0;

  virtual void put_verdict(const Verdict& verdict) = 0;
  virtual void remove_verdict(const Digest& manifest, std::string_view ruleset) = 0;
  virtual void add_tombstone(const Tombstone& tombstone) = 0;
  // Those of files too.
  virtual void remove_tombstones(std::int64_t takedown) = 0;
  // In place of what was known of the blob.
  virtual void set_carried_files(const Digest& blob, const std::vector<CarriedFile>& files) = 0;
  virtual void add_file_tombstone(const FileTombstone& tombstone) = 0;
  // Of files that the blob carries.
  virtual void remove_file_tombstones(const Digest& blob) = 0;
  // The one that a verdict set.
  virtual void remove_tombstone(TombstoneKind kind, const Digest& value) = 0;
  // Returns its id.
  virtual std::int64_t add_takedown(const Takedown& takedown) = 0;
  // With its id, which a restored store does not know; ids given out later are greater.
  virtual void put_takedown(const Takedown& takedown) = 0;
  virtual void set_undone(std::int64_t takedown, Time at) = 0;
  // Hides everything of a publisher, or of a repository, that is not hidden yet, or shows what `takedown` hid.
  virtual void hide_publisher(std::string_view publisher, std::int64_t takedown) = 0;
  virtual void hide_repository(std::int64_t repository, std::int64_t takedown) = 0;
  virtual void hide_manifest(std::int64_t repository, const Digest& manifest, std::int64_t takedown) = 0;
  virtual void show(std::int64_t takedown) = 0;
  // Remembers the state of a manifest before an act changes it, and gives all of them back.
  virtual void keep_state(const Digest& manifest, std::int64_t takedown) = 0;
  virtual void restore_states(std::int64_t takedown) = 0;

  // The open case of an image, which is made when there is none. Returns its id.
  virtual std::int64_t open_case(const Digest& manifest, Time at) = 0;
  // Counts it; the text is kept of the first thousand of a case.
  virtual void add_user_report(const UserReport& report) = 0;
  virtual void close_case(std::int64_t id, CaseState state, Time at, std::string_view actor, std::string_view note) = 0;

  virtual void add_event(const Event& event) = 0;
  virtual void set_mark(std::string_view name, std::int64_t event) = 0;

  // --- collection of what nothing refers to; each at most `limit` records, and what they were
  // Links of blobs older than `before` that no manifest of their repository names.
  virtual std::size_t collect_links(Time before, std::size_t limit) = 0;
  // Manifests older than `before` that no repository holds.
  virtual std::vector<Digest> collect_manifests(Time before, std::size_t limit) = 0;
  // Blobs that no repository holds.
  virtual std::vector<Digest> collect_blobs(std::size_t limit) = 0;
};

enum class Durability : std::uint8_t {
  durable,  // on the disk when write() returns
  relaxed,  // survives the end of the process, perhaps not the loss of power, and is cheap
};

// Thread-safe.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // The work of a reading transaction; may run beside others and beside a writing one.
  virtual Result<void> read(const std::function<void(Reader&)>& work) = 0;
  // The work of a writing transaction; one at a time. Nothing happens when it returns an error, or when the store fails.
  virtual Result<void> write(const std::function<Result<void>(Writer&)>& work, Durability durability = Durability::durable) = 0;
  // Says what is broken inside; nothing when all is well.
  virtual Result<std::vector<std::string>> check() = 0;
  // A copy of the state of now, as a file.
  virtual Result<void> backup(const std::string& path) = 0;
};

// SQLite in one file, or in memory for "". One process at a time: see base/sqlite.h. `journal`: the file of store/condemnation_journal.h, which is filled
// with what the store holds when it is new; "" for none.
Result<std::unique_ptr<MetadataStore>> open_sqlite_metadata_store(const std::string& path, const std::string& journal = "");

}  // namespace lazaret::store
