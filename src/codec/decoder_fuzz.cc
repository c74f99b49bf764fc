// Any bytes in any encoding: the output does not depend on how the input is cut, and stays within the limits. Of a damaged stream (which makes
// the audit incomplete) more or less may come out before the damage is seen.
//
// The first byte chooses the encoding, the second the size of the pieces.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "codec/decoder.h"
#include "codec/text_encoding.h"

using namespace lazaret;
using namespace lazaret::codec;

namespace {

constexpr std::uint64_t output_limit = 1 << 20;

struct Side final : SideContent {
  std::string text;
  void side_bytes(std::string_view what, std::uint64_t, Bytes piece, bool first) override {
    if (first) text += what;
    text += as_text(piece);
  }
};

struct Output {
  std::string bytes;
  bool damaged = false;
};

Output decode(int form, Bytes content, std::size_t piece) {
  const DecoderLimits limits{output_limit, 1000, 1 << 16, 8 << 20};
  constexpr std::array encodings = {Encoding::plain, Encoding::gzip, Encoding::zstd, Encoding::xz, Encoding::lzma, Encoding::bzip2};
  Side side;
  const auto decoder = form == 6 ? make_raw_deflate_decoder(limits, &side) : make_decoder(encodings[static_cast<std::size_t>(form)], limits, &side);
  Output output;
  std::array<std::uint8_t, 4096> buffer;
  const auto drain = [&](Bytes in) {
    for (;;) {
      const std::size_t written = decoder->decode(in, buffer);
      output.bytes.append(reinterpret_cast<const char*>(buffer.data()), written);
      if (written < buffer.size() && in.empty()) return;
    }
  };
  for (std::size_t at = 0; at < content.size(); at += piece) drain(clamp(content, at, piece));
  drain({});
  decoder->end_of_input();
  if (decoder->bytes_out() != output.bytes.size()) std::abort();
  for (const Diagnostic& diagnostic : decoder->diagnostics()) output.damaged |= diagnostic.unaudited;
  return output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Bytes content(data + 2, size - 2);
  const int form = data[0] % 7;
  const Output whole = decode(form, content, std::max<std::size_t>(content.size(), 1));
  if (whole.bytes.size() > output_limit + (1 << 17)) std::abort();
  const Output pieces = decode(form, content, std::size_t{data[1]} + 1);
  if (whole.damaged != pieces.damaged) std::abort();
  if (!whole.damaged && whole.bytes != pieces.bytes) std::abort();
  bool cut = false;
  (void)find_encoded_runs(as_text(content), 24, 64, 1 << 16, [](std::string_view) { return true; }, &cut);
  return 0;
}
