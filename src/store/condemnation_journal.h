// What keeps condemned content out, once more beside the metadata store: an append-only file that outlives a restore.
//
// A backup is older than the day: what was condemned since is not in it, and restoring it would bring that back. So each tombstone, takedown and undoing
// is written here before its transaction is committed, and a restore does to the restored store what the journal says. An act that is in the journal
// and whose commit failed keeps something out that it need not; the other way round would be worse.
//
// The form: one line an act, fields divided by tabs, with %XX for '%', tabs, line ends and NUL. A line without its end is of a crash and does not count.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "store/metadata_store.h"

namespace lazaret::store {

// One act. Which of the others are used depends on `act`.
struct JournalEntry {
  enum class Act : std::uint8_t { tombstone, tombstone_removed, tombstones_removed, file_tombstone, file_tombstones_removed, takedown, takedown_undone };
  Act act = Act::tombstone;
  Tombstone tombstone;            // tombstone; tombstone_removed: kind and value; tombstones_removed: takedown
  FileTombstone file;             // file_tombstone
  Digest blob;                    // file_tombstones_removed
  Takedown takedown;              // takedown; takedown_undone: id and undone
};

std::string to_line(const JournalEntry& entry);  // with its end
// The entries of whole lines, in order. Lines that are none are left out and counted.
struct JournalText {
  std::vector<JournalEntry> entries;
  std::size_t unreadable = 0;
};
JournalText read_journal(std::string_view text);

// Thread-safe.
class CondemnationJournal {
 public:
  // Makes the file, readable by its owner alone, when it is not there. What a crash left of a line is cut off.
  static Result<std::unique_ptr<CondemnationJournal>> open(const std::string& path);

  // Durable on return.
  Result<void> append(const std::vector<JournalEntry>& entries);
  // It was not there before, or holds nothing.
  bool empty() const { return empty_; }

 private:
  CondemnationJournal(FileDescriptor file, std::string path, bool empty) : file_(std::move(file)), path_(std::move(path)), empty_(empty) {}

  std::mutex mutex_;
  const FileDescriptor file_;
  const std::string path_;
  bool empty_;
};

// What a restored store did not know.
struct JournalReplay {
  std::uint64_t takedowns = 0;    // acts that came after the backup
  std::uint64_t undone = 0;       // and those that were taken back since
  std::uint64_t condemned = 0;    // images that are not given out any more
};
// Does to the store what the entries say, in their order; what it knows already stays as it is. Images that hold condemned content are judged anew at the
// next start.
JournalReplay replay(const std::vector<JournalEntry>& entries, Writer& writer);

}  // namespace lazaret::store
