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

#include <string>
#include <string_view>

#include "store/ledger.h"

namespace lazaret::gate {

// An address that nobody can read who does not have the key, but that stays the same, and so does its network: "~<network>.<address>", each 16 hex digits
// of HMAC-SHA256. What pulled the same image twice, and what did from one network (/24 or /48), can still be told.
std::string hashed_address(std::string_view key, std::string_view address);
// The network of an address, of which households and companies have one: "203.0.113.0/24", "2001:db8:1::/48", "~<network>" of a hashed one.
std::string network_of(std::string_view address);

// Thread-safe.
class Ledger {
 public:
  static constexpr std::chrono::milliseconds window{200};

  // `address_key`: addresses are written down hashed with it; "" as they are.
  explicit Ledger(store::LedgerStore& store, std::string address_key = "");
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
  store::LedgerStore& store() { return store_; }

 private:
  void write_forever();

  store::LedgerStore& store_;
  const std::string address_key_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::vector<store::Pull> pulls_;
  std::uint64_t given_ = 0, done_ = 0;
  bool stopping_ = false, hurry_ = false, enabled_ = true;
  std::thread thread_;
};

}  // namespace lazaret::gate
