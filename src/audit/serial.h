// The binary form in which layer audits are cached: little numbers as LEB128, strings with their length in front.
// Reading never trusts a length: a damaged cache gives `ok() == false`, not a crash.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace lazaret::audit {

class SerialWriter {
 public:
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class SerialReader {
 public:
  explicit SerialReader(Bytes bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (position_ >= bytes_.size()) break;
      const std::uint8_t byte = bytes_[position_++];
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::uint8_t byte() {
    if (position_ < bytes_.size()) return bytes_[position_++];
    ok_ = false;
    return 0;
  }
  std::string_view text() {
    const std::uint64_t size = number();
    const auto piece = slice(bytes_, position_, size);
    if (!piece) {
      ok_ = false;
      return {};
    }
    position_ += piece->size();
    return as_text(*piece);
  }
  // A count of items that each take at least one byte, so that a damaged one cannot ask for endless work.
  std::uint64_t count() {
    const std::uint64_t value = number();
    if (value > bytes_.size() - position_) ok_ = false;
    return ok_ ? value : 0;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return position_ == bytes_.size(); }
  std::size_t position() const { return position_; }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace lazaret::audit
