// Manifests as they are given out, in memory, so that a pull of something popular asks no database.
//
// What is here can be wrong for no longer than it takes to say so: each entry carries the numbers of its repository and of the whole store as they
// were BEFORE the database was read. Whoever changes what may be seen commits, then raises a number, then answers; from that moment no older
// entry is used, also not one that is put in afterwards by a reader who was slow.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/digest.h"

namespace lazaret::gate {

// A released manifest as it is given out.
struct Served {
  Digest digest;
  Digest used;  // the digest its publisher pushed it under by this tag; empty: the canonical one
  std::string media_type;
  std::shared_ptr<const std::string> bytes;
  std::string warning;  // for a Warning header; "" when there is nothing to say
  std::string state, verdict, ruleset;  // for the ledger
};

// Thread-safe.
class ServedCache {
 public:
  struct Version {
    std::uint64_t repository = 0, store = 0;
    bool operator==(const Version&) const = default;
  };
  // To be taken before the database is read.
  Version version(std::string_view repository) const;
  void put(std::string_view repository, std::string_view reference, const Version& version, std::shared_ptr<const Served> served);
  std::shared_ptr<const Served> find(std::string_view repository, std::string_view reference) const;

  // After the change is committed.
  void forget(std::string_view repository);
  void forget_all();

 private:
  static constexpr std::size_t shards = 16, counters = 1024;
  static constexpr std::size_t shard_bytes = 8 << 20;
  struct Entry {
    Version version;
    std::shared_ptr<const Served> served;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;  // repository, NUL, reference
    std::size_t bytes = 0;
  };
  static std::string key_of(std::string_view repository, std::string_view reference);

  std::array<Shard, shards> shards_;
  std::array<std::atomic<std::uint64_t>, counters> repositories_{};  // by the hash of the name: a clash only forgets too much
  std::atomic<std::uint64_t> store_{0};
};

}  // namespace lazaret::gate
