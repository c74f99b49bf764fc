// bzip2, by libbz2. Streams follow each other without padding.
#include <bzlib.h>

#include "codec/decoders.h"

namespace lazaret::codec {
namespace {

class Bzip2Decoder final : public LimitedDecoder {
 public:
  Bzip2Decoder(const DecoderLimits& limits, SideContent* side) : LimitedDecoder(limits, side) { begin(); }
  ~Bzip2Decoder() override { BZ2_bzDecompressEnd(&stream_); }

 private:
  void begin() {
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) stop("anomaly.undecodable", "the bzip2 decoder could not be started");
    done_ = begun_ = false;
  }

  std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) override {
    if (done_) {
      if (in.empty()) return 0;
      if (in[0] != 'B') {
        take_trailing(in);
        return 0;
      }
      begin();
    }
    if (!in.empty()) begun_ = true;
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(in.data()));
    stream_.avail_in = static_cast<unsigned>(std::min<std::size_t>(in.size(), 1u << 30));
    const unsigned given = stream_.avail_in;
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = static_cast<unsigned>(std::min<std::size_t>(out.size(), 1u << 30));
    const unsigned room = stream_.avail_out;
    const int code = BZ2_bzDecompress(&stream_);
    const std::size_t written = room - stream_.avail_out;
    take(in, given - stream_.avail_in);
    if (code == BZ_STREAM_END) {
      done_ = true;
    } else if (code != BZ_OK) {
      stop("anomaly.undecodable", "the bzip2 stream is damaged");
    }
    return written;
  }

  void end_of_stream() override {
    if (!done_ && begun_) stop("anomaly.truncated-stream", "the bzip2 stream ends before its end");
  }

  bz_stream stream_{};
  bool done_ = false, begun_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_bzip2_decoder(const DecoderLimits& limits, SideContent* side) { return std::make_unique<Bzip2Decoder>(limits, side); }

}  // namespace lazaret::codec
