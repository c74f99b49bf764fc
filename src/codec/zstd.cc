// zstd (RFC 8878), by libzstd. Frames follow each other; skippable frames between them carry data that decoders ignore (zstd:chunked keeps its
// table of contents there), so they are handed out as side content.
#include <zstd.h>

#include <array>

#include "codec/decoders.h"

namespace lazaret::codec {
namespace {

class ZstdDecoder final : public LimitedDecoder {
 public:
  ZstdDecoder(const DecoderLimits& limits, SideContent* side) : LimitedDecoder(limits, side), stream_(ZSTD_createDStream()) {
    int log = 10;
    while (log < 31 && (1ull << (log + 1)) <= limits.window) ++log;
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, log);
  }
  ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }

 private:
  enum class State { magic, frame, skippable, trailing };

  std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) override {
    switch (state_) {
      case State::magic: return read_magic(in);
      case State::frame: return read_frame(in, out);
      case State::skippable: return read_skippable(in);
      case State::trailing: take_trailing(in); return 0;
    }
    return 0;
  }

  // Four bytes tell a frame from a skippable one (which has four more, its size); they may come in pieces, so they are collected.
  std::size_t read_magic(Bytes& in) {
    const std::size_t wanted = head_size_ >= 4 && is_skippable() ? 8 : 4;
    while (head_size_ < wanted && !in.empty()) {
      head_[head_size_++] = in[0];
      take(in, 1);
    }
    if (head_size_ < 4) return 0;
    if (is_skippable()) {
      if (head_size_ < 8) return 0;
      skip_left_ = *read_le<std::uint32_t>(head_, 4);
      skip_first_ = true;
      head_size_ = 0;
      state_ = State::skippable;
      return 0;
    }
    if (*read_le<std::uint32_t>(head_, 0) != 0xfd2fb528u) {
      state_ = State::trailing;
      Bytes head(head_.data(), head_size_);
      bytes_in_ -= head_size_;
      head_size_ = 0;
      take_trailing(head);
      return 0;
    }
    ZSTD_DCtx_reset(stream_, ZSTD_reset_session_only);
    head_used_ = 0;
    state_ = State::frame;
    return 0;
  }

  std::size_t read_frame(Bytes& in, std::span<std::uint8_t> out) {
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const bool from_head = head_used_ < head_size_;
    ZSTD_inBuffer input = from_head ? ZSTD_inBuffer{head_.data() + head_used_, head_size_ - head_used_, 0} : ZSTD_inBuffer{in.data(), in.size(), 0};
    const std::size_t code = ZSTD_decompressStream(stream_, &output, &input);
    if (from_head) {
      head_used_ += input.pos;
      if (head_used_ == head_size_) head_size_ = head_used_ = 0;
    } else {
      take(in, input.pos);
    }
    if (ZSTD_isError(code)) {
      const bool window = std::string_view(ZSTD_getErrorName(code)).find("memory") != std::string_view::npos;
      stop(window ? "anomaly.decoder-window" : "anomaly.undecodable", window ? "the zstd frame asks for a larger window than the limit"
                                                                            : std::string("the zstd frame is damaged: ") + ZSTD_getErrorName(code));
      return output.pos;
    }
    if (code == 0) {
      state_ = State::magic;
      head_size_ = head_used_ = 0;
    }
    return output.pos;
  }

  std::size_t read_skippable(Bytes& in) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(skip_left_, in.size()));
    if (skip_first_ && !skipped_) note("hidden-content.zstd-skippable-frame", "there are frames in the zstd stream that decoders pass over");
    skipped_ = true;
    emit_side("zstd-skippable-frame", in.first(size), skip_first_);
    skip_first_ = false;
    take(in, size);
    skip_left_ -= size;
    if (skip_left_ == 0) state_ = State::magic;
    return 0;
  }

  void end_of_stream() override {
    if (state_ == State::frame || state_ == State::skippable || (state_ == State::magic && head_size_ > 0)) {
      stop("anomaly.truncated-stream", "the zstd stream ends before its end");
    }
  }

  bool is_skippable() const { return (*read_le<std::uint32_t>(head_, 0) & 0xfffffff0u) == 0x184d2a50u; }

  ZSTD_DStream* const stream_;
  State state_ = State::magic;
  std::array<std::uint8_t, 8> head_{};
  std::size_t head_size_ = 0, head_used_ = 0;
  std::uint64_t skip_left_ = 0;
  bool skip_first_ = false, skipped_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder(const DecoderLimits& limits, SideContent* side) { return std::make_unique<ZstdDecoder>(limits, side); }

}  // namespace lazaret::codec
