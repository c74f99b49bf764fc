// Every pull: who was given which bytes, when, and what was known of them then.
//
// Apart from the metadata store, since it grows with pulls and not with pushes and is written in batches. Kept by months, each in a file of its own, so
// that what is too old goes as a whole and costs nothing.
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

// One entry. A transfer that ended early has two: one of its beginning, with the bytes that were asked for, and one that says how many did not go out.
struct Pull {
  std::int64_t id = 0;
  Time at = 0;
  std::string identity, address, agent;
  std::string repository, tag;  // tag: "" when asked for by digest
  Digest digest;
  bool manifest = false;    // otherwise a blob
  int status = 200;         // 200, 206 or 304
  std::uint64_t bytes = 0;  // given out
  // At that moment. Of blobs the state alone, which is "released" when a released manifest there names it: a verdict belongs to a manifest.
  std::string state, verdict, ruleset;
  bool complete = true;        // false: this entry says how a transfer ended early, with what had gone out
  std::uint64_t missing = 0;   // then: what had not
  // Equal pulls that were written together under load.
  std::uint64_t count = 1;
  Time last = 0;  // of several; 0: `at`
};

struct PullFilter {
  Digest digest;           // empty: any
  std::string repository;  // "": any
  std::string identity;
  Time from = 0, until = 0;  // 0: no bound; `until` itself is out
  std::int64_t after = 0;    // ids greater than this
  std::size_t limit = 1000;
};

// The pulls of one thing by one client, summed up.
struct PullSummary {
  std::string identity, address, agent, repository, tag;
  Digest digest;
  bool manifest = false;
  Time first = 0, last = 0;
  std::uint64_t pulls = 0;         // 200, 206 and 304
  std::uint64_t not_modified = 0;  // of them 304: the client had it already
  std::uint64_t cut = 0;           // of them ended early
  std::uint64_t late = 0;          // of them at or after the moment that was asked about
  std::uint64_t bytes = 0;         // that went out
};

struct PullCount {
  Digest digest;
  std::uint64_t pulls = 0;
  Time last_day = 0;  // beginning of the last day (UTC) with a pull
};

// Thread-safe. Reading does not keep appending waiting.
class LedgerStore {
 public:
  virtual ~LedgerStore() = default;
  // Durable on return. Of a large batch, equal pulls become one entry with their number. After an error some may have been written; written again, they
  // are there twice, which tells of too many pulls and never of too few.
  virtual Result<void> append(const std::vector<Pull>& pulls) = 0;
  // By month, and in a month in the order in which they were written.
  virtual Result<std::vector<Pull>> find(const PullFilter& filter) = 0;
  // What was pulled of these digests from `from` on, by client and thing, in no order; a client may come once a month. `moment` 0: none is asked about.
  virtual Result<void> summarise(const std::vector<Digest>& digests, Time from, Time moment, const std::function<void(const PullSummary&)>& visit) = 0;
  // How often each manifest was pulled since the day of `since`; most pulled first.
  virtual Result<std::vector<PullCount>> pull_counts(Time since, std::size_t limit) = 0;
  // Forgets the months that ended before. Returns how many entries.
  virtual Result<std::uint64_t> forget(Time before) = 0;
};

// SQLite in the folder, which is made when it does not exist, or in memory for "".
Result<std::unique_ptr<LedgerStore>> open_sqlite_ledger(const std::string& folder);

}  // namespace lazaret::store
