// Writes down every pull, in batches.
//
// An entry is on the disk no later than `window` after it was given here, and at an orderly end. When the disk does not keep up, full() says so, and pulls
// are to be refused: what cannot be written down is not given out.
#pragma once

#include <condition_variable>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "store/ledger.h"

namespace lazaret::gate {

// Thread-safe.
class Ledger {
 public:
  static constexpr std::chrono::milliseconds window{200};

  explicit Ledger(store::LedgerStore& store);
  ~Ledger();

  // Writes nothing down from now on, for registries that must not know who pulls. Before the first record().
  void disable() { enabled_ = false; }
  // Does not block.
  void record(store::Pull pull);
  bool full() const;
  // Everything recorded before is on the disk, or could not be written.
  void flush();
  // Entries that could not be written yet and are tried again.
  std::uint64_t waiting() const;

 private:
  void write_forever();

  store::LedgerStore& store_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::vector<store::Pull> pulls_;
  std::uint64_t given_ = 0, done_ = 0;
  bool stopping_ = false, hurry_ = false, enabled_ = true;
  std::thread thread_;
};

}  // namespace lazaret::gate
