// Streaming decompression: bytes in, bytes out, with constant memory and without trusting the
// input.
//
// A container runtime and an auditor that disagree about what a compressed stream contains are a
// hole, so a decoder goes on to the very last byte: all gzip members, all zstd frames, all xz and
// bzip2 streams, and what stands between and behind them is handed out too ("side content"), since
// some reader may look at it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/diagnostic.h"
#include "base/limits.h"

namespace lazaret::codec {

enum class Encoding : std::uint8_t { plain, gzip, zstd, xz, lzma, bzip2 };

// By the magic number in the first bytes (six are enough); `plain` when none fits.
Encoding sniff(Bytes head);
std::string_view name_of(Encoding encoding);  // "gzip"

// Takes bytes that belong to the stream but not to its content: gzip header fields, zstd skippable
// frames, bytes behind the end.
class SideContent {
 public:
  virtual ~SideContent() = default;
  // `what`: "gzip-extra", "gzip-name", "gzip-comment", "zstd-skippable-frame", "trailing-bytes",
  // ... The pieces of one item come in order; `first` marks its first piece. `offset` is that of
  // the piece in the encoded stream.
  virtual void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) = 0;
};

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Decodes from the front of `in`, advancing it, into `out`; returns how many bytes were written.
  // Returns fewer than out.size() only when `in` was used up or nothing more can be decoded (then
  // `in` is emptied: the rest is side content "undecodable").
  virtual std::size_t decode(Bytes& in, std::span<std::uint8_t> out) = 0;

  // No more input will come. Adds diagnostics for what is missing (truncation). May still hold
  // decoded bytes: call decode() with an empty `in` until it returns 0 before this.
  virtual void end_of_input() = 0;

  // What was wrong or ambiguous so far, e.g. anomaly.gzip-extra-member (not unaudited),
  // anomaly.gzip-checksum, anomaly.truncated-stream (unaudited), anomaly.undecodable (unaudited),
  // anomaly.decoder-window (unaudited), anomaly.compression-bomb (unaudited, when limits.ratio or
  // the byte limit stopped it).
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }

 protected:
  std::vector<Diagnostic> diagnostics_;
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
};

struct DecoderLimits {
  std::uint64_t bytes_out = 0;  // stop after this many decoded bytes
  std::uint64_t ratio = 0;      // stop when out > ratio * in, once `ratio_grace` bytes came out
  std::uint64_t ratio_grace = 0;
  std::uint64_t window = 0;  // memory that a zstd, xz or lzma stream may ask for
};

// `side` may be null (side content is then dropped, diagnostics stay) and must outlive the decoder.
std::unique_ptr<Decoder> make_decoder(Encoding encoding, const DecoderLimits& limits,
                                      SideContent* side);

// Raw deflate (RFC 1951) as in zip and PDF, without header.
std::unique_ptr<Decoder> make_raw_deflate_decoder(const DecoderLimits& limits, SideContent* side);

}  // namespace lazaret::codec
