#include "codec/decoder.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "codec/decoders.h"

namespace lazaret::codec {
namespace {

// Bytes that are not encoded pass through.
class PlainDecoder final : public LimitedDecoder {
 public:
  using LimitedDecoder::LimitedDecoder;

 private:
  std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) override {
    const std::size_t size = std::min(in.size(), out.size());
    std::copy_n(in.begin(), size, out.begin());
    take(in, size);
    return size;
  }
  void end_of_stream() override {}
};

bool begins_with(Bytes head, std::initializer_list<std::uint8_t> magic) {
  return head.size() >= magic.size() && std::equal(magic.begin(), magic.end(), head.begin());
}

}  // namespace

Encoding sniff(Bytes head) {
  if (begins_with(head, {0x1f, 0x8b, 0x08})) return Encoding::gzip;
  if (begins_with(head, {0x28, 0xb5, 0x2f, 0xfd})) return Encoding::zstd;
  // A zstd stream may begin with a skippable frame (0x184D2A50 to 5F, little-endian).
  if (head.size() >= 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18) return Encoding::zstd;
  if (begins_with(head, {0xfd, '7', 'z', 'X', 'Z', 0x00})) return Encoding::xz;
  if (begins_with(head, {'B', 'Z', 'h'}) && head.size() >= 4 && head[3] >= '1' && head[3] <= '9') return Encoding::bzip2;
  // lzma-alone has no magic: properties 0x5d, then a dictionary size that is a power of two (or of the form 2^n + 2^(n-1)).
  if (begins_with(head, {0x5d, 0x00, 0x00}) && head.size() >= 5 && head[4] < 0x10) return Encoding::lzma;
  return Encoding::plain;
}

std::string_view name_of(Encoding encoding) {
  static constexpr std::array<std::string_view, 6> names = {"plain", "gzip", "zstd", "xz", "lzma", "bzip2"};
  return names[static_cast<std::size_t>(encoding)];
}

std::size_t LimitedDecoder::decode(Bytes& in, std::span<std::uint8_t> out) {
  std::size_t written = 0;
  while (written < out.size()) {
    if (stopped_) {
      discard(in);
      break;
    }
    std::span<std::uint8_t> room = out.subspan(written);
    if (limits_.bytes_out != 0) {
      const std::uint64_t left = limits_.bytes_out - std::min(limits_.bytes_out, bytes_out_);
      if (left == 0 && !in.empty()) {
        stop("anomaly.compression-bomb", "the stream decodes to more than " + std::to_string(limits_.bytes_out) + " bytes; the rest was not audited");
        continue;
      }
      if (room.size() > left) room = room.first(static_cast<std::size_t>(left));
      if (room.empty()) break;
    }
    const std::size_t size = decode_some(in, room);
    written += size;
    bytes_out_ += size;
    if (limits_.ratio != 0 && bytes_out_ > limits_.ratio_grace && bytes_out_ / limits_.ratio > bytes_in_) {
      stop("anomaly.compression-bomb", "the stream expands more than " + std::to_string(limits_.ratio) + " times; the rest was not audited");
    }
    if (size == 0 && in.empty()) break;
  }
  return written;
}

void LimitedDecoder::end_of_input() {
  if (!stopped_) end_of_stream();
}

void LimitedDecoder::stop(std::string rule, std::string message, Bytes returned) {
  stopped_ = true;
  untake(returned);
  diagnostics_.push_back({std::move(rule), std::move(message), bytes_in_, true, 0});
  if (!returned.empty()) discard(returned);
}

void LimitedDecoder::note(std::string rule, std::string message) {
  diagnostics_.push_back({std::move(rule), std::move(message), bytes_in_, false, 0});
}

void LimitedDecoder::emit_side(std::string_view what, Bytes piece, bool first) {
  if (side_ != nullptr && !piece.empty()) side_->side_bytes(what, bytes_in_, piece, first);
}

// What comes after the decoder gave up is not decoded, but it is looked at as it is.
void LimitedDecoder::discard(Bytes& in) {
  emit_side("undecodable", in, !discarding_);
  discarding_ = true;
  diagnostics_.back().bytes += in.size();
  take(in, in.size());
}

bool LimitedDecoder::take_trailing(Bytes& in) {
  // Zero padding behind the end is what tape tools and block devices leave; anything else is somebody's data.
  std::size_t zeros = 0;
  if (!trailing_) {
    while (zeros < in.size() && in[zeros] == 0) ++zeros;
    take(in, zeros);
    if (in.empty()) return true;
    trailing_ = true;
    note("hidden-content.trailing-data", "there are bytes behind the end of the compressed stream");
    emit_side("trailing-bytes", in, true);
  } else {
    emit_side("trailing-bytes", in, false);
  }
  take(in, in.size());
  return true;
}

std::unique_ptr<Decoder> make_decoder(Encoding encoding, const DecoderLimits& limits, SideContent* side) {
  switch (encoding) {
    case Encoding::plain: return std::make_unique<PlainDecoder>(limits, side);
    case Encoding::gzip: return make_gzip_decoder(limits, side);
    case Encoding::zstd: return make_zstd_decoder(limits, side);
    case Encoding::xz: return make_xz_decoder(limits, side);
    case Encoding::lzma: return make_lzma_decoder(limits, side);
    case Encoding::bzip2: return make_bzip2_decoder(limits, side);
  }
  assert(false);
  return nullptr;
}

}  // namespace lazaret::codec
