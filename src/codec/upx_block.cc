#include "codec/upx_block.h"

#include <lzma.h>

#include <algorithm>
#include <memory>

#include "codec/decoder.h"
#include "codec/nrv.h"

namespace lazaret::codec {
namespace {

// LZMA as UPX writes it: two bytes of properties (lc + lp and pb; lp and lc), then the raw stream without an end mark.
bool decode_lzma(Bytes in, std::span<std::uint8_t> out, std::uint64_t memory) {
  if (in.size() < 3) return false;
  const unsigned sum = in[0] >> 3, pb = in[0] & 7, lp = in[1] >> 4, lc = in[1] & 15;
  if (sum != lc + lp || lc + lp > 4 || pb > 4) return false;
  lzma_options_lzma options{};
  options.dict_size = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(out.size(), LZMA_DICT_SIZE_MIN, 1u << 30));
  options.lc = lc;
  options.lp = lp;
  options.pb = pb;
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  if (lzma_raw_decoder_memusage(filters) > memory) return false;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_raw_decoder(&stream, filters) != LZMA_OK) return false;
  stream.next_in = in.data() + 2;
  stream.avail_in = in.size() - 2;
  stream.next_out = out.data();
  stream.avail_out = out.size();
  lzma_ret code = LZMA_OK;
  while (code == LZMA_OK && stream.avail_out > 0) {
    const std::size_t before_in = stream.avail_in, before_out = stream.avail_out;
    code = lzma_code(&stream, LZMA_RUN);
    if (stream.avail_in == before_in && stream.avail_out == before_out) break;
  }
  const bool whole = stream.avail_out == 0 && (code == LZMA_OK || code == LZMA_STREAM_END);
  lzma_end(&stream);
  return whole;
}

bool decode_deflate(Bytes in, std::span<std::uint8_t> out) {
  const auto decoder = make_raw_deflate_decoder({out.size(), 0, 0, 0}, nullptr);
  std::size_t at = 0;
  while (at < out.size()) {
    const std::size_t written = decoder->decode(in, out.subspan(at));
    at += written;
    if (written == 0) break;
  }
  return at == out.size();
}

}  // namespace

bool decode_upx_block(std::uint8_t method, Bytes in, std::span<std::uint8_t> out, std::uint64_t memory) {
  if (method >= 2 && method <= 10) {
    constexpr NrvMethod methods[] = {NrvMethod::nrv2b, NrvMethod::nrv2d, NrvMethod::nrv2e};
    constexpr NrvUnit units[] = {NrvUnit::bits_32, NrvUnit::bits_8, NrvUnit::bits_16};
    const NrvResult result = decode_nrv(methods[(method - 2) / 3], units[(method - 2) % 3], in, out);
    return result.complete && result.written == out.size();
  }
  if (method == 14) return decode_lzma(in, out, memory);
  if (method == 15) return decode_deflate(in, out);
  return false;
}

}  // namespace lazaret::codec
