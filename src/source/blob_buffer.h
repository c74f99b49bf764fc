// Small writes gathered into large pieces: headers of a tar stream that is made here are 512 bytes
// each, and handing each to another thread would cost more than it is worth.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/blob_stream.h"
#include "base/bytes.h"

namespace lazaret::source {

class BlobBuffer {
 public:
  explicit BlobBuffer(BlobWriter& writer) : writer_(writer) { buffer_.reserve(piece); }

  // False once the consumer wants no more.
  bool write(Bytes bytes) {
    while (wanted_ && !bytes.empty()) {
      if (buffer_.empty() && bytes.size() >= piece) {
        wanted_ = writer_.write(bytes);
        return wanted_;
      }
      const std::size_t size = std::min(bytes.size(), piece - buffer_.size());
      buffer_.insert(buffer_.end(), bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(size));
      bytes = bytes.subspan(size);
      if (buffer_.size() == piece) flush();
    }
    return wanted_;
  }
  bool write(std::string_view text) { return write(as_bytes(text)); }
  bool write_zeros(std::uint64_t size) {
    static constexpr std::uint8_t zeros[64 * 1024] = {};
    while (wanted_ && size > 0) {
      const std::uint64_t now = std::min<std::uint64_t>(size, sizeof zeros);
      write(Bytes(zeros, static_cast<std::size_t>(now)));
      size -= now;
    }
    return wanted_;
  }
  bool flush() {
    if (wanted_ && !buffer_.empty()) wanted_ = writer_.write(buffer_);
    buffer_.clear();
    return wanted_;
  }

 private:
  static constexpr std::size_t piece = 256 * 1024;
  BlobWriter& writer_;
  std::vector<std::uint8_t> buffer_;
  bool wanted_ = true;
};

}  // namespace lazaret::source
