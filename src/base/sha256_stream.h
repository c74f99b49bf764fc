// Running SHA-256 hashes that can be advanced two at a time.
//
// SHA-256 is a chain: each step waits for the one before, and the processor's units stand idle meanwhile. Two chains that advance together take
// little longer than one. A stream that is hashed anyway (the layer's diff_id) thus pays for the hash of what lies in it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/digest.h"
#include "base/sha256_instructions.h"

namespace lazaret {

// Not thread-safe; reusable after finish(). Without SHA-NI it is a Hasher.
class Sha256Stream {
 public:
  Sha256Stream();

  void update(Bytes bytes);
  // The same as a.update(x) and b.update(y). `a` and `b` are different.
  static void update_both(Sha256Stream& a, Bytes x, Sha256Stream& b, Bytes y);
  // The hash of everything since construction or the last finish(); starts anew.
  Digest finish();

 private:
#if defined(__x86_64__)
  void fill(Bytes& bytes);
  void run(Bytes& bytes);
  void keep(Bytes rest);

  Sha256State state_;
  std::array<std::uint8_t, 128> tail_;  // what is there of a block that is not complete; room for the end
  std::size_t tail_size_ = 0;
  std::uint64_t size_ = 0;
#endif
  std::optional<Hasher> other_;  // where there are no instructions for it
};

}  // namespace lazaret
