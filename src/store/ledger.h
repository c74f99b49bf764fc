// Every pull: who was given which bytes, when, and what was known of them then.
//
// Apart from the metadata store, since it grows with pulls and not with pushes and is written in batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "store/metadata_store.h"

namespace lazaret::store {

struct Pull {
  std::int64_t id = 0;
  Time at = 0;
  std::string identity, address, agent;
  std::string repository, tag;  // tag: "" when asked for by digest
  Digest digest;
  bool manifest = false;  // otherwise a blob
  int status = 200;       // 200, 206 or 304
  std::uint64_t bytes = 0;  // given out
  std::string state, ruleset;  // of the manifest at that moment; "" for blobs
  bool complete = true;   // all bytes asked for went out
};

struct PullFilter {
  Digest digest;           // empty: any
  std::string repository;  // "": any
  std::string identity;
  Time from = 0, until = 0;  // 0: no bound
  std::int64_t after = 0;    // ids greater than this
  std::size_t limit = 1000;
};

// Thread-safe.
class LedgerStore {
 public:
  virtual ~LedgerStore() = default;
  // Durable on return.
  virtual Result<void> append(const std::vector<Pull>& pulls) = 0;
  // In the order in which they were written.
  virtual Result<std::vector<Pull>> find(const PullFilter& filter) = 0;
  // Forgets what is older. Returns how many.
  virtual Result<std::uint64_t> forget(Time before) = 0;
};

// SQLite in one file, or in memory for "".
Result<std::unique_ptr<LedgerStore>> open_sqlite_ledger(const std::string& path);

}  // namespace lazaret::store
