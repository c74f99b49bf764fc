#include "base/sha256_stream.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace lazaret {

#if defined(__x86_64__)

namespace {

constexpr std::size_t block_bytes = 64;

}  // namespace

Sha256Stream::Sha256Stream() {
  if (!has_sha256_instructions()) other_.emplace();
}

// Completes the block that is waiting, if there is one and there is enough.
void Sha256Stream::fill(Bytes& bytes) {
  if (tail_size_ == 0) return;
  const std::size_t part = std::min(block_bytes - tail_size_, bytes.size());
  if (part > 0) std::memcpy(tail_.data() + tail_size_, bytes.data(), part);
  tail_size_ += part;
  bytes = bytes.subspan(part);
  if (tail_size_ < block_bytes) return;
  sha256_run<1>({&state_}, {tail_.data()}, 1);
  tail_size_ = 0;
}

void Sha256Stream::run(Bytes& bytes) {
  const std::size_t blocks = bytes.size() / block_bytes;
  if (blocks > 0) sha256_run<1>({&state_}, {bytes.data()}, blocks);
  bytes = bytes.subspan(blocks * block_bytes);
}

void Sha256Stream::keep(Bytes rest) {
  if (rest.empty()) return;
  assert(tail_size_ == 0 && rest.size() < block_bytes);
  std::memcpy(tail_.data(), rest.data(), rest.size());
  tail_size_ = rest.size();
}

void Sha256Stream::update(Bytes bytes) {
  if (other_) return other_->update(bytes);
  size_ += bytes.size();
  fill(bytes);
  run(bytes);
  keep(bytes);
}

void Sha256Stream::update_both(Sha256Stream& a, Bytes x, Sha256Stream& b, Bytes y) {
  assert(&a != &b);
  if (a.other_) {
    a.update(x);
    b.update(y);
    return;
  }
  a.size_ += x.size();
  b.size_ += y.size();
  a.fill(x);
  b.fill(y);
  const std::size_t blocks = std::min(x.size(), y.size()) / block_bytes;
  if (blocks > 0) sha256_run<2>({&a.state_, &b.state_}, {x.data(), y.data()}, blocks);
  x = x.subspan(blocks * block_bytes);
  y = y.subspan(blocks * block_bytes);
  a.run(x);
  b.run(y);
  a.keep(x);
  b.keep(y);
}

Digest Sha256Stream::finish() {
  if (other_) return other_->finish();
  // One bit, zeros, and the length in bits (FIPS 180-4, 5.1.1).
  const std::size_t blocks = tail_size_ + 9 <= block_bytes ? 1 : 2;
  std::memset(tail_.data() + tail_size_, 0, blocks * block_bytes - tail_size_);
  tail_[tail_size_] = 0x80;
  const std::uint64_t bits = size_ * 8;
  for (std::size_t i = 0; i < 8; ++i) tail_[blocks * block_bytes - 1 - i] = static_cast<std::uint8_t>(bits >> 8 * i);
  sha256_run<1>({&state_}, {tail_.data()}, blocks);
  const Digest digest(HashAlgorithm::sha256, state_.value());
  state_ = {};
  tail_size_ = 0;
  size_ = 0;
  return digest;
}

#else

Sha256Stream::Sha256Stream() { other_.emplace(); }
void Sha256Stream::update(Bytes bytes) { other_->update(bytes); }
void Sha256Stream::update_both(Sha256Stream& a, Bytes x, Sha256Stream& b, Bytes y) {
  a.update(x);
  b.update(y);
}
Digest Sha256Stream::finish() { return other_->finish(); }

#endif

}  // namespace lazaret
