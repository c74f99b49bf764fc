// Copies of a data folder that fit together, made while a server uses it, and their way back.
//
// A backup is a folder: backup.json (what it holds, with digests), metadata.sqlite, accounts.sqlite, ledger/, blobs/ and condemned.journal. Made again in
// the same folder only new blobs are copied. A restore never brings back what was condemned since: see store/condemnation_journal.h and docs/backup.md.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace lazaret::server {

struct BackupResult {
  std::uint64_t blobs = 0, bytes = 0;  // in the backup
  std::uint64_t copied = 0;            // blobs that were not there before
};
// Of the data folder `data` into `folder`, which is made. Databases are copied first, then the blobs they name; each blob is hashed on its way. Until all is
// there, what stood in the folder before stays a whole backup. ErrorCode::corrupt: a blob of the data folder is not what its digest names.
Result<BackupResult> back_up(const std::string& data, const std::string& folder);

struct RestoreResult {
  std::uint64_t blobs = 0, bytes = 0;
  std::uint64_t takedowns = 0, undone = 0, condemned = 0;  // that came after the backup (store::JournalReplay)
  std::string kept;                                        // where what stood in the data folder was moved to; "" when it was empty
};
// Of a backup into the data folder, which no server may use. What stands there is moved aside, but for its journal and ledger, which are newer. `journal`: another copy of the
// journal to go by, for machines that lost theirs; "" for none. Everything is checked before anything is changed.
Result<RestoreResult> restore(const std::string& folder, const std::string& data, const std::string& journal);

}  // namespace lazaret::server
