// xz and lzma-alone, by liblzma. Streams follow each other, with zero padding in multiples of four between them (xz file format 1.1.0, 2).
#include <lzma.h>

#include "codec/decoders.h"

namespace lazaret::codec {
namespace {

class XzDecoder final : public LimitedDecoder {
 public:
  XzDecoder(const DecoderLimits& limits, SideContent* side, bool alone) : LimitedDecoder(limits, side), alone_(alone) { begin(); }
  ~XzDecoder() override { lzma_end(&stream_); }

 private:
  void begin() {
    lzma_end(&stream_);
    stream_ = LZMA_STREAM_INIT;
    // The decoder needs a little more than the dictionary.
    const std::uint64_t memory = limits_.window + (2ull << 20);
    const lzma_ret code = alone_ ? lzma_alone_decoder(&stream_, memory) : lzma_stream_decoder(&stream_, memory, 0);
    if (code != LZMA_OK) stop("anomaly.undecodable", "the xz decoder could not be started");
    done_ = false;
    begun_ = false;
  }

  std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) override {
    if (done_) {
      // Another stream, padding, or something else.
      while (!in.empty() && in[0] == 0) take(in, 1);
      if (in.empty()) return 0;
      if (alone_ || in[0] != 0xfd) {
        take_trailing(in);
        return 0;
      }
      begin();
    }
    if (!in.empty()) begun_ = true;
    stream_.next_in = in.data();
    stream_.avail_in = in.size();
    stream_.next_out = out.data();
    stream_.avail_out = out.size();
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    const std::size_t written = out.size() - stream_.avail_out;
    take(in, in.size() - stream_.avail_in);
    if (code == LZMA_STREAM_END) {
      done_ = true;
    } else if (code == LZMA_MEMLIMIT_ERROR) {
      stop("anomaly.decoder-window", "the xz stream asks for more memory than the limit");
    } else if (code != LZMA_OK && code != LZMA_BUF_ERROR) {
      stop("anomaly.undecodable", "the xz stream is damaged");
    }
    return written;
  }

  void end_of_stream() override {
    if (!done_ && begun_) stop("anomaly.truncated-stream", "the xz stream ends before its end");
  }

  const bool alone_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool done_ = false, begun_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_xz_decoder(const DecoderLimits& limits, SideContent* side) { return std::make_unique<XzDecoder>(limits, side, false); }
std::unique_ptr<Decoder> make_lzma_decoder(const DecoderLimits& limits, SideContent* side) { return std::make_unique<XzDecoder>(limits, side, true); }

}  // namespace lazaret::codec
