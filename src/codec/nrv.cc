// The formats are LZ77 with two kinds of things in one stream: bits, gathered in units, and whole bytes. Bits say what comes next; literals and
// the low parts of distances are bytes. Numbers are written as a binary number without its leading 1, each digit followed (2B) or each pair
// separated (2D, 2E) by a bit that says whether another follows. From the behaviour that UCL documents for ucl_nrv2x_decompress_*:
//
//   item       = 1 literal | 0 match
//   match      = high part of the distance, then unless it is the escape "same distance as before" (2) its low byte, then the length
//   2D, 2E     the lowest bit of the distance field is the first bit of the length
//   end mark   = a distance field of 32 ones
#include "codec/nrv.h"

#include <algorithm>
#include <optional>

namespace lazaret::codec {
namespace {

class Reader {
 public:
  Reader(Bytes in, NrvUnit unit) : in_(in), unit_(static_cast<unsigned>(unit)) {}

  // All reads give 0 behind the end; failed() tells.
  std::uint32_t bit() {
    if (left_ == 0) {
      const std::size_t size = unit_ / 8;
      if (in_.size() - at_ < size) {
        failed_ = true;
        return 0;
      }
      bits_ = 0;
      for (std::size_t i = 0; i < size; ++i) bits_ |= std::uint32_t{in_[at_ + i]} << (8 * i);
      at_ += size;
      left_ = unit_;
    }
    --left_;
    return bits_ >> left_ & 1;
  }
  std::uint32_t byte() {
    if (at_ == in_.size()) {
      failed_ = true;
      return 0;
    }
    return in_[at_++];
  }
  bool failed() const { return failed_; }

 private:
  const Bytes in_;
  const unsigned unit_;
  std::size_t at_ = 0;
  std::uint32_t bits_ = 0;
  unsigned left_ = 0;
  bool failed_ = false;
};

constexpr std::uint32_t number_limit = 1u << 24;  // of the high part of a distance: above, 32 bits overflow

class Decoder {
 public:
  Decoder(NrvMethod method, Reader reader, std::span<std::uint8_t> out) : method_(method), reader_(reader), out_(out) {}

  NrvResult run() {
    for (;;) {
      while (reader_.bit() == 1) {
        const std::uint32_t literal = reader_.byte();
        if (reader_.failed() || at_ == out_.size()) return {at_, false};
        out_[at_++] = static_cast<std::uint8_t>(literal);
      }
      if (reader_.failed()) return {at_, false};
      const auto high = method_ == NrvMethod::nrv2b ? high_2b() : high_2d();
      if (!high) return {at_, false};
      std::uint32_t length = 0;
      bool first_length_bit = false;
      if (*high == 2) {
        if (method_ != NrvMethod::nrv2b) first_length_bit = reader_.bit() == 1;
      } else {
        std::uint32_t field = (*high - 3) << 8 | reader_.byte();
        if (reader_.failed()) return {at_, false};
        if (field == 0xffffffff) return {at_, true};
        if (method_ != NrvMethod::nrv2b) {
          first_length_bit = (field & 1) == 0;
          field >>= 1;
        }
        distance_ = std::uint64_t{field} + 1;
      }
      const auto read = method_ == NrvMethod::nrv2e ? length_2e(first_length_bit) : length_2b(first_length_bit);
      if (!read) return {at_, false};
      length = *read + 1 + (distance_ > (method_ == NrvMethod::nrv2b ? 0xd00u : 0x500u) ? 1 : 0);
      if (!copy(length)) return {at_, false};
    }
  }

 private:
  // The end mark's high part is 0x1000002, so that (high - 3) << 8 has 24 ones; everything above is damage.
  static bool too_high(std::uint32_t value) { return value > number_limit + 2; }

  std::optional<std::uint32_t> high_2b() {
    std::uint32_t value = 1;
    do {
      value = value * 2 + reader_.bit();
      if (reader_.failed() || too_high(value)) return std::nullopt;
    } while (reader_.bit() == 0);
    if (reader_.failed()) return std::nullopt;
    return value;
  }

  std::optional<std::uint32_t> high_2d() {
    std::uint32_t value = 1;
    for (;;) {
      value = value * 2 + reader_.bit();
      if (reader_.failed() || too_high(value)) return std::nullopt;
      if (reader_.bit() == 1) break;
      value = (value - 1) * 2 + reader_.bit();
      if (reader_.failed() || too_high(value)) return std::nullopt;
    }
    if (reader_.failed()) return std::nullopt;
    return value;
  }

  // A number of one digit or more, each but the last followed by 0.
  std::optional<std::uint32_t> long_length() {
    std::uint32_t value = 1;
    do {
      value = value * 2 + reader_.bit();
      if (reader_.failed() || value > 0x7fffffff / 2) return std::nullopt;
    } while (reader_.bit() == 0);
    if (reader_.failed()) return std::nullopt;
    return value;
  }

  std::optional<std::uint32_t> length_2b(bool first) {
    std::uint32_t value = method_ == NrvMethod::nrv2b ? reader_.bit() : (first ? 1 : 0);
    value = value * 2 + reader_.bit();
    if (reader_.failed()) return std::nullopt;
    if (value != 0) return value;
    const auto more = long_length();
    if (!more) return std::nullopt;
    return *more + 2;
  }

  std::optional<std::uint32_t> length_2e(bool first) {
    std::uint32_t value = 0;
    if (first) {
      value = 1 + reader_.bit();
    } else if (reader_.bit() == 1) {
      value = 3 + reader_.bit();
    } else {
      const auto more = long_length();
      if (!more) return std::nullopt;
      value = *more + 3;
    }
    if (reader_.failed()) return std::nullopt;
    return value;
  }

  bool copy(std::uint32_t length) {
    if (distance_ > at_) return false;
    const std::size_t room = out_.size() - at_;
    const std::size_t size = std::min<std::size_t>(length, room);
    // Source and target may overlap: byte by byte repeats what was just written.
    const std::size_t from = at_ - static_cast<std::size_t>(distance_);
    for (std::size_t i = 0; i < size; ++i) out_[at_ + i] = out_[from + i];
    at_ += size;
    return size == length;
  }

  const NrvMethod method_;
  Reader reader_;
  const std::span<std::uint8_t> out_;
  std::size_t at_ = 0;
  std::uint64_t distance_ = 1;
};

}  // namespace

NrvResult decode_nrv(NrvMethod method, NrvUnit unit, Bytes in, std::span<std::uint8_t> out) {
  return Decoder(method, Reader(in, unit), out).run();
}

}  // namespace lazaret::codec
