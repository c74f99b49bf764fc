#include "server/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "audit/ruleset.h"
#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/json_writer.h"
#include "base/sqlite.h"
#include "base/text.h"
#include "base/time.h"
#include "format/json.h"
#include "server/server.h"
#include "store/blob_store.h"
#include "store/condemnation_journal.h"
#include "store/metadata_store.h"

namespace lazaret::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view schema = "lazaret.backup/v1";
constexpr int attempts = 5;
constexpr std::size_t piece = 1 << 20;

Error cannot(std::string_view what, const std::string& path) {
  return {ErrorCode::io, fmt::format("cannot {} {}: check that it is there, that the folder may be written, and that the disk is not full", what, path)};
}

Result<void> make_folder(const std::string& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) return cannot("make the folder", path);
  fs::permissions(path, fs::perms::owner_all, problem);
  return {};
}

void sync_folder(const std::string& path) {
  const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) (void)::fsync(folder.get());
}

Result<std::string> read_small(const std::string& path, std::uint64_t most = 1ull << 30) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return cannot("read", path);
  if (static_cast<std::uint64_t>(info.st_size) > most) return Error{ErrorCode::limit, fmt::format("{} is larger than {}", path, format_bytes(most))};
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t got = ::read(file.get(), text.data() + done, text.size() - done);
    if (got <= 0) return cannot("read", path);
    done += static_cast<std::size_t>(got);
  }
  return text;
}

Result<void> write_all(int file, Bytes bytes, const std::string& path) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::write(file, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return cannot("write", path);
    done += static_cast<std::size_t>(put);
  }
  return {};
}

// Copies a file under another name first, then to its place. Returns the sha256 of the bytes.
Result<Digest> copy_file(const std::string& from, const std::string& to) {
  const FileDescriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return cannot("read", from);
  const std::string draft = to + ".new";
  ::unlink(draft.c_str());
  const FileDescriptor target(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!target) return cannot("write", draft);
  Hasher hasher;
  std::vector<std::uint8_t> buffer(piece);
  for (;;) {
    const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read", from);
    if (got == 0) break;
    const Bytes bytes(buffer.data(), static_cast<std::size_t>(got));
    hasher.update(bytes);
    if (const auto written = write_all(target.get(), bytes, draft); !written) return written.error();
  }
  if (::fsync(target.get()) != 0 || std::rename(draft.c_str(), to.c_str()) != 0) return cannot("write", to);
  return hasher.finish();
}

Result<Digest> hash_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return cannot("read", path);
  Hasher hasher;
  std::vector<std::uint8_t> buffer(piece);
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read", path);
    if (got == 0) return hasher.finish();
    hasher.update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

// A copy of a database that another process may be writing: one reading transaction, which neither waits for writers nor checkpoints.
Result<void> copy_database(const std::string& from, const std::string& to) {
  if (!fs::exists(from)) return Error{ErrorCode::not_found, fmt::format("{} is not there: is this the data folder of a server?", from)};
  ::unlink(to.c_str());
  auto database = SqliteDatabase::open(from, 30'000);
  if (!database) return database.error();
  if (const auto set = database->execute("PRAGMA wal_autocheckpoint=0"); !set) return set.error();
  auto statement = database->prepare("VACUUM INTO ?");
  if (!statement) return statement.error();
  if (const auto done = statement->bind(1, std::string_view(to)).run(); !done) return Error{done.error().code, fmt::format("cannot copy {}: {}", from, done.error().message)};
  const FileDescriptor file(::open(to.c_str(), O_RDWR | O_CLOEXEC));
  if (!file || ::fchmod(file.get(), 0600) != 0 || ::fsync(file.get()) != 0) return cannot("write", to);
  return {};
}

Result<std::map<Digest, std::uint64_t>> blobs_of(const std::string& database) {
  auto opened = SqliteDatabase::open(database, 10'000);
  if (!opened) return opened.error();
  auto statement = opened->prepare("SELECT digest, size FROM blob");
  if (!statement) return statement.error();
  std::map<Digest, std::uint64_t> blobs;
  for (;;) {
    const auto row = statement->step();
    if (!row) return row.error();
    if (!*row) return blobs;
    const auto digest = Digest::parse(statement->text(0));
    if (!digest) return Error{ErrorCode::corrupt, fmt::format("{} names a blob that is none", database)};
    blobs.emplace(*digest, static_cast<std::uint64_t>(statement->integer(1)));
  }
}

std::string blob_path(const std::string& folder, const Digest& digest) { return fmt::format("{}/blobs/sha256/{}/{}", folder, digest.hex().substr(0, 2), digest.hex()); }

std::vector<std::string> ledger_files(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder + "/ledger", problem)) {
    if (entry.path().extension() == ".sqlite") names.push_back("ledger/" + entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// What one backup consists of besides blobs.
struct Contents {
  std::map<std::string, std::string> files;  // name -> sha256
  std::uint64_t blobs = 0, bytes = 0;
};

Result<void> write_contents(const std::string& folder, const Contents& contents) {
  JsonWriter json;
  json.begin_object().field("schema", schema).field("made", to_rfc3339(milliseconds_now())).field("version", audit::engine_version());
  json.field("blobs", contents.blobs).field("bytes", contents.bytes).key("files").begin_object();
  for (const auto& [name, digest] : contents.files) json.field(name, digest);
  json.end_object().end_object();
  const std::string path = folder + "/backup.json", draft = path + ".new";
  ::unlink(draft.c_str());
  {
    const FileDescriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const std::string text = json.take() + "\n";
    if (!file) return cannot("write", draft);
    if (const auto written = write_all(file.get(), as_bytes(text), draft); !written) return written.error();
    if (::fsync(file.get()) != 0) return cannot("write", draft);
  }
  if (std::rename(draft.c_str(), path.c_str()) != 0) return cannot("write", path);
  sync_folder(folder);
  return {};
}

Result<Contents> read_contents(const std::string& folder) {
  const auto text = read_small(folder + "/backup.json", 16 << 20);
  if (!text) return Error{ErrorCode::not_found, fmt::format("{} is no backup: backup.json is missing or cannot be read", folder)};
  const format::JsonDocument document = format::parse_json(*text);
  const format::JsonValue* files = document.value.find("files");
  if (!document.valid || document.value.text("schema") != schema || files == nullptr || files->as_object() == nullptr) {
    return Error{ErrorCode::unsupported, fmt::format("{}/backup.json is not of a form that this program knows ({})", folder, schema)};
  }
  Contents contents;
  for (const auto& [name, digest] : *files->as_object()) {
    // Names are ours; one that leads out of the folder is somebody else's.
    const bool known = name == "metadata.sqlite" || name == "accounts.sqlite" || name == "condemned.journal" ||
                       (name.starts_with("ledger/") && name.ends_with(".sqlite") && name.find('/', 7) == std::string::npos && name.find("..") == std::string::npos);
    if (!known || digest.as_string() == nullptr) return Error{ErrorCode::corrupt, fmt::format("{}/backup.json names the file {}, which is none of a backup", folder, escape(name))};
    contents.files.emplace(name, *digest.as_string());
  }
  for (const char* needed : {"metadata.sqlite", "accounts.sqlite"}) {
    if (!contents.files.contains(needed)) return Error{ErrorCode::corrupt, fmt::format("{}/backup.json does not name {}", folder, needed)};
  }
  return contents;
}

// `needed`: that it is not there is an error.
Result<std::vector<store::JournalEntry>> read_entries(const std::string& path, bool needed) {
  if (!needed && !fs::exists(path)) return std::vector<store::JournalEntry>();
  const auto text = read_small(path);
  if (!text) return text.error();
  store::JournalText journal = store::read_journal(*text);
  if (journal.unreadable != 0) {
    return Error{ErrorCode::corrupt, fmt::format("{}: {} lines cannot be read; a restore without them could bring back what was condemned: mend or remove them", path, journal.unreadable)};
  }
  return std::move(journal.entries);
}

}  // namespace

Result<BackupResult> back_up(const std::string& data, const std::string& folder) {
  std::error_code problem;
  if (fs::weakly_canonical(folder, problem) == fs::weakly_canonical(data, problem)) return Error{ErrorCode::invalid, "a backup goes into another folder than the data folder"};
  if (const auto made = make_folder(folder); !made) return made.error();
  // Databases of this round; the old ones are in use until the end.
  const std::string draft = folder + "/.new";
  fs::remove_all(draft, problem);
  if (const auto made = make_folder(draft + "/ledger"); !made) return made.error();

  BackupResult result;
  std::map<Digest, std::uint64_t> blobs;
  for (int attempt = 1;; ++attempt) {
    if (const auto copied = copy_database(data + "/metadata.sqlite", draft + "/metadata.sqlite"); !copied) return copied.error();
    auto named = blobs_of(draft + "/metadata.sqlite");
    if (!named) return named.error();
    blobs = std::move(*named);
    bool complete = true;
    for (const auto& [digest, size] : blobs) {
      const std::string to = blob_path(folder, digest);
      std::error_code unknown;
      if (fs::exists(to, unknown) && fs::file_size(to, unknown) == size) continue;
      if (const auto made = make_folder(fs::path(to).parent_path()); !made) return made.error();
      const auto copied = copy_file(blob_path(data, digest), to);
      if (!copied) {
        // Collected since the database was copied: then a later copy does not name it.
        if (!fs::exists(blob_path(data, digest), unknown) && attempt < attempts) {
          complete = false;
          break;
        }
        return copied.error();
      }
      if (*copied != digest) {
        ::unlink(to.c_str());
        return Error{ErrorCode::corrupt, fmt::format("the blob {} of {} is not what its digest names: `lazaret fsck --content` says more", digest.str(), data)};
      }
      ++result.copied;
    }
    if (complete) break;
  }
  // After the metadata: accounts and pulls that they do not know do no harm.
  if (const auto copied = copy_database(data + "/accounts.sqlite", draft + "/accounts.sqlite"); !copied) return copied.error();
  std::vector<std::string> names = {"metadata.sqlite", "accounts.sqlite"};
  for (const std::string& name : ledger_files(data)) {
    if (const auto copied = copy_database(data + "/" + name, draft + "/" + name); !copied) return copied.error();
    names.push_back(name);
  }
  if (fs::exists(data + "/condemned.journal")) {
    if (const auto copied = copy_file(data + "/condemned.journal", draft + "/condemned.journal"); !copied) return copied.error();
    names.push_back("condemned.journal");
  }
  Contents contents;
  for (const std::string& name : names) {
    const auto digest = hash_file(draft + "/" + name);
    if (!digest) return digest.error();
    contents.files.emplace(name, digest->str());
  }
  for (const auto& [digest, size] : blobs) contents.bytes += size;
  contents.blobs = blobs.size();
  // In their places; a backup.json that does not fit them says that this was cut short.
  if (const auto made = make_folder(folder + "/ledger"); !made) return made.error();
  for (const std::string& name : names) {
    if (std::rename((draft + "/" + name).c_str(), (folder + "/" + name).c_str()) != 0) return cannot("write", folder + "/" + name);
  }
  sync_folder(folder + "/ledger");
  if (const auto written = write_contents(folder, contents); !written) return written.error();
  fs::remove_all(draft, problem);
  // What the new databases do not name is not needed any more.
  const auto stored = store::open_folder_blob_store(folder);
  if (!stored) return stored.error();
  std::vector<Digest> old;
  const auto walked = (*stored)->for_each([&](const Digest& digest, std::uint64_t) {
    if (!blobs.contains(digest)) old.push_back(digest);
    return true;
  });
  if (!walked) return walked.error();
  for (const Digest& digest : old) {
    if (const auto removed = (*stored)->remove(digest); !removed) return removed.error();
  }
  result.blobs = contents.blobs;
  result.bytes = contents.bytes;
  return result;
}

Result<RestoreResult> restore(const std::string& folder, const std::string& data, const std::string& journal) {
  // --- all of it is looked at before anything is changed
  const auto contents = read_contents(folder);
  if (!contents) return contents.error();
  for (const auto& [name, digest] : contents->files) {
    const auto found = hash_file(folder + "/" + name);
    if (!found) return found.error();
    if (found->str() != digest) return Error{ErrorCode::corrupt, fmt::format("{}/{} is not what backup.json says: the backup was changed, or cut short; take another one", folder, name)};
  }
  const auto blobs = blobs_of(folder + "/metadata.sqlite");
  if (!blobs) return blobs.error();
  RestoreResult result;
  for (const auto& [digest, size] : *blobs) {
    const auto found = hash_file(blob_path(folder, digest));
    if (!found) return found.error();
    if (*found != digest) return Error{ErrorCode::corrupt, fmt::format("the blob {} of the backup is not what its digest names", digest.str())};
    result.bytes += size;
    ++result.blobs;
  }
  // What other journals know and our own does not comes first: ours is the newest, and what it took back stays taken back.
  const std::string own_journal = data + "/condemned.journal";
  const auto own = read_entries(own_journal, false);
  if (!own) return own.error();
  std::set<std::string> known;
  for (const store::JournalEntry& entry : *own) known.insert(store::to_line(entry));
  std::vector<store::JournalEntry> entries;
  for (const std::string& path : {folder + "/condemned.journal", journal}) {
    const auto others = path.empty() ? Result<std::vector<store::JournalEntry>>(std::vector<store::JournalEntry>()) : read_entries(path, path == journal);
    if (!others) return others.error();
    for (const store::JournalEntry& entry : *others) {
      if (known.insert(store::to_line(entry)).second) entries.push_back(entry);
    }
  }
  entries.insert(entries.end(), own->begin(), own->end());

  // --- the data folder
  if (const auto made = make_folder(data); !made) return made.error();
  const auto lock = DataLock::take(data);
  if (!lock) return lock.error();
  if (fs::exists(data + "/metadata.sqlite")) {
    std::string stamp = to_rfc3339(milliseconds_now());
    std::replace(stamp.begin(), stamp.end(), ':', '-');
    result.kept = data + "/replaced-" + stamp;
    if (const auto made = make_folder(result.kept); !made) return made.error();
    for (const char* name : {"metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm", "accounts.sqlite", "accounts.sqlite-journal", "auditing"}) {
      const std::string from = data + "/" + name;
      if (fs::exists(from) && std::rename(from.c_str(), (result.kept + "/" + name).c_str()) != 0) return cannot("move", from);
    }
  }
  for (const auto& [digest, size] : *blobs) {
    const std::string to = blob_path(data, digest);
    std::error_code unknown;
    if (fs::exists(to, unknown)) {
      const auto found = hash_file(to);
      if (found && *found == digest) continue;
    }
    if (const auto made = make_folder(fs::path(to).parent_path()); !made) return made.error();
    if (const auto copied = copy_file(blob_path(folder, digest), to); !copied) return copied.error();
    sync_folder(fs::path(to).parent_path());
  }
  if (const auto made = make_folder(data + "/ledger"); !made) return made.error();
  for (const auto& [name, digest] : contents->files) {
    if (name == "condemned.journal" || name == "metadata.sqlite") continue;
    // A ledger that is there has all that the backup has, and what was pulled since.
    if (name.starts_with("ledger/") && fs::exists(data + "/" + name)) continue;
    if (const auto copied = copy_file(folder + "/" + name, data + "/" + name); !copied) return copied.error();
  }
  // The metadata under another name until the journal has been done to it: a restore that is cut short leaves no folder that a server would serve.
  const std::string draft = data + "/metadata.sqlite.restoring";
  for (const char* end : {"", "-wal", "-shm"}) ::unlink((draft + end).c_str());
  if (const auto copied = copy_file(folder + "/metadata.sqlite", draft); !copied) return copied.error();
  {
    const std::string merged = own_journal + ".new";
    ::unlink(merged.c_str());
    const auto written = store::CondemnationJournal::open(merged);
    if (!written) return written.error();
    if (const auto appended = (*written)->append(entries); !appended) return appended.error();
    if (std::rename(merged.c_str(), own_journal.c_str()) != 0) return cannot("write", own_journal);
    const auto metadata = store::open_sqlite_metadata_store(draft);
    if (!metadata) return metadata.error();
    const auto done = (*metadata)->write([&](store::Writer& writer) {
      const store::JournalReplay replayed = store::replay(entries, writer);
      result.takedowns = replayed.takedowns;
      result.undone = replayed.undone;
      result.condemned = replayed.condemned;
      writer.add_event({0, milliseconds_now(), "restored", "", "", "", {}, fmt::format("{} blobs; {} takedowns came after the backup", result.blobs, result.takedowns)});
      return Result<void>();
    });
    if (!done) return done.error();
  }
  for (const char* end : {"-wal", "-shm"}) ::unlink((draft + end).c_str());
  if (std::rename(draft.c_str(), (data + "/metadata.sqlite").c_str()) != 0) return cannot("write", data + "/metadata.sqlite");
  sync_folder(data);
  return result;
}

}  // namespace lazaret::server
