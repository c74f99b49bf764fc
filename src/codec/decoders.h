// What the decoders share: limits, diagnostics, side content. Private to this folder.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "codec/decoder.h"

namespace lazaret::codec {

class LimitedDecoder : public Decoder {
 public:
  LimitedDecoder(const DecoderLimits& limits, SideContent* side) : limits_(limits), side_(side) {}
  std::size_t decode(Bytes& in, std::span<std::uint8_t> out) final;
  void end_of_input() final;

 protected:
  // Decodes some of `in` into `out`. Must consume or produce something unless `in` is empty, or call stop().
  virtual std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) = 0;
  // The input has ended: says what is missing.
  virtual void end_of_stream() = 0;

  void take(Bytes& in, std::size_t size) {
    in = in.subspan(size);
    bytes_in_ += size;
  }
  // Bytes that were taken turn out not to be used.
  void untake(Bytes bytes) { bytes_in_ -= bytes.size(); }
  // Nothing more can be decoded. The rest of the input is handed out as side content, beginning with `returned`: bytes that were taken but
  // not used.
  void stop(std::string rule, std::string message, Bytes returned = {});
  void note(std::string rule, std::string message);
  void emit_side(std::string_view what, Bytes piece, bool first);
  // Takes all of `in` as bytes behind the end of the stream.
  bool take_trailing(Bytes& in);

  const DecoderLimits limits_;

 private:
  void discard(Bytes& in);

  SideContent* const side_;
  bool stopped_ = false, discarding_ = false, trailing_ = false;
};

std::unique_ptr<Decoder> make_gzip_decoder(const DecoderLimits& limits, SideContent* side);
std::unique_ptr<Decoder> make_zstd_decoder(const DecoderLimits& limits, SideContent* side);
std::unique_ptr<Decoder> make_xz_decoder(const DecoderLimits& limits, SideContent* side);
std::unique_ptr<Decoder> make_lzma_decoder(const DecoderLimits& limits, SideContent* side);
std::unique_ptr<Decoder> make_bzip2_decoder(const DecoderLimits& limits, SideContent* side);

}  // namespace lazaret::codec
