// Many patterns in one pass over the bytes (Hyperscan).
//
// Hyperscan and not Vectorscan: Debian 12's Vectorscan 5.4.9 silently misses matches. A self-test
// with known lines runs when a database is made and fails it, so that a broken library cannot audit
// anything. `hs_compile_lit` is not used: in Hyperscan 5.4.0 it fails on long literals.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/pattern.h"

namespace lazaret::engine {

struct Hit {
  std::uint32_t pattern = 0;  // index in the list the database was made from
  std::uint64_t end = 0;      // offset of the first byte after the match
};

enum class ScanStatus {
  complete,
  too_many_hits,
  failed
};  // anything but complete: the bytes count as not scanned

// Immutable and thread-safe. Scratch space is kept per thread.
class PatternDatabase {
 public:
  // An expression that does not compile is named in the error.
  static Result<std::unique_ptr<PatternDatabase>> compile(std::span<const Pattern> patterns);
  // From what save() gave, in a tenth of the time. Nothing when the bytes are damaged or of another library version.
  static std::unique_ptr<PatternDatabase> load(Bytes saved);
  virtual ~PatternDatabase() = default;

  virtual std::string save() const = 0;  // "" when it cannot be saved

  // Appends the hits in `bytes`, ordered by (end, pattern), each (end, pattern) pair once, up to
  // `max_hits`.
  virtual ScanStatus scan(Bytes bytes, std::uint64_t max_hits, std::vector<Hit>& hits) const = 0;
  virtual std::size_t memory_bytes() const = 0;
};

}  // namespace lazaret::engine
