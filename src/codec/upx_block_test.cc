#include "codec/upx_block.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "codec/nrv.h"

namespace lazaret::codec {
namespace {

// Writes the formats as nrv.cc describes them, with the simplest choice of matches: the nearest earlier place of the next bytes.
class Encoder {
 public:
  Encoder(NrvMethod method, NrvUnit unit) : method_(method), unit_(static_cast<unsigned>(unit)) {}

  std::string encode(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
      std::size_t length = 0, distance = 0;
      for (std::size_t d = 1; d <= std::min<std::size_t>(at, 70000) && length < 300; d = d < 600 ? d + 1 : d * 2) {
        std::size_t l = 0;
        while (at + l < text.size() && text[at + l - d] == text[at + l]) ++l;
        if (l > length) length = l, distance = d;
      }
      const std::size_t far = method_ == NrvMethod::nrv2b ? 0xd00 : 0x500;
      if (length < (distance > far ? 4u : 3u)) {
        bit(1);
        byte(text[at++]);
        continue;
      }
      bit(0);
      match(distance, length - 1 - (distance > far ? 1 : 0));
      at += length;
    }
    bit(0);
    distance_field(0xffffffff);
    while (used_ % unit_ != 0) bit(0);
    return out_;
  }

 private:
  void bit(unsigned value) {
    if (used_ % unit_ == 0) {
      unit_at_ = out_.size();
      out_.append(unit_ / 8, '\0');
    }
    const unsigned place = unit_ - 1 - used_ % unit_;
    if (value != 0) out_[unit_at_ + place / 8] = static_cast<char>(static_cast<unsigned char>(out_[unit_at_ + place / 8]) | 1u << (place % 8));
    ++used_;
  }
  void byte(int value) { out_.push_back(static_cast<char>(value)); }

  // The bits of `high` behind its leading 1, as the format separates them.
  void high(std::uint32_t value) {
    if (method_ == NrvMethod::nrv2b) {
      int top = 31;
      while ((value >> top & 1) == 0) --top;
      for (int i = top - 1; i >= 0; --i) {
        bit(value >> i & 1);
        bit(i == 0 ? 1 : 0);
      }
      return;
    }
    // 2D and 2E: value = (x - 1) * 2 + b for the digits in between.
    std::vector<unsigned> bits;
    std::uint32_t rest = value;
    bits.push_back(rest & 1);
    rest >>= 1;
    while (rest != 1) {
      bits.push_back(rest & 1);
      rest = (rest >> 1) + 1;
      bits.push_back(rest & 1);
      rest >>= 1;
    }
    for (std::size_t i = bits.size(); i-- > 0;) {
      bit(bits[i]);
      if (i == 0) bit(1);
      else if (i % 2 == 0) bit(0);
    }
  }
  void distance_field(std::uint32_t field) {
    high((field >> 8) + 3);
    byte(static_cast<int>(field & 0xff));
  }
  void number(std::uint32_t value) {  // long form
    int top = 31;
    while ((value >> top & 1) == 0) --top;
    for (int i = top - 1; i >= 0; --i) {
      bit(value >> i & 1);
      bit(i == 0 ? 1 : 0);
    }
  }
  void match(std::size_t distance, std::size_t length) {
    const std::uint32_t value = static_cast<std::uint32_t>(length);
    bool first = false;
    if (method_ == NrvMethod::nrv2b) {
      first = value == 2 || value == 3;
    } else if (method_ == NrvMethod::nrv2d) {
      first = value == 2 || value == 3;
    } else {
      first = value == 1 || value == 2;
    }
    const bool again = distance == last_;
    if (again) {
      high(2);
      if (method_ != NrvMethod::nrv2b) bit(first);
    } else if (method_ == NrvMethod::nrv2b) {
      distance_field(static_cast<std::uint32_t>(distance - 1));
    } else {
      distance_field(static_cast<std::uint32_t>(distance - 1) << 1 | (first ? 0 : 1));
    }
    last_ = distance;
    if (method_ == NrvMethod::nrv2e) {
      if (first) return bit(value - 1);
      if (value == 3 || value == 4) {
        bit(1);
        return bit(value - 3);
      }
      bit(0);
      return number(value - 3);
    }
    if (method_ == NrvMethod::nrv2b) bit(first);
    bit(value < 4 ? value & 1 : 0);
    if (value >= 4) number(value - 2);
  }

  const NrvMethod method_;
  const unsigned unit_;
  std::string out_;
  std::size_t unit_at_ = 0, used_ = 0, last_ = 1;
};

std::string sample() {
  std::string text;
  std::mt19937 random(3);
  for (int i = 0; i < 400; ++i) {
    text += "the quick brown fox " + std::to_string(random() % 50);
    text.append(random() % 40, static_cast<char>('a' + random() % 3));
    for (unsigned n = random() % 20; n > 0; --n) text += static_cast<char>(random());
  }
  return text;
}

constexpr NrvMethod methods[] = {NrvMethod::nrv2b, NrvMethod::nrv2d, NrvMethod::nrv2e};
constexpr NrvUnit units[] = {NrvUnit::bits_8, NrvUnit::bits_16, NrvUnit::bits_32};

TEST(Nrv, EveryMethodInEveryUnit) {
  const std::string text = sample();
  for (const NrvMethod method : methods) {
    for (const NrvUnit unit : units) {
      const std::string packed = Encoder(method, unit).encode(text);
      EXPECT_LT(packed.size(), text.size() * 3 / 4);
      std::vector<std::uint8_t> out(text.size());
      const NrvResult result = decode_nrv(method, unit, as_bytes(packed), out);
      EXPECT_TRUE(result.complete);
      ASSERT_EQ(result.written, text.size());
      EXPECT_EQ(as_text(out), text);
    }
  }
}

TEST(Nrv, CutOrDamagedInputEndsEarly) {
  const std::string text = sample().substr(0, 2000);
  for (const NrvMethod method : methods) {
    const std::string packed = Encoder(method, NrvUnit::bits_32).encode(text);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      std::vector<std::uint8_t> out(text.size());
      const NrvResult result = decode_nrv(method, NrvUnit::bits_32, as_bytes(packed).first(size), out);
      ASSERT_FALSE(result.complete) << size;
      ASSERT_EQ(as_text(out).substr(0, result.written), text.substr(0, result.written)) << size;
    }
    std::vector<std::uint8_t> small(text.size() / 2);
    const NrvResult result = decode_nrv(method, NrvUnit::bits_32, as_bytes(packed), small);
    EXPECT_FALSE(result.complete);
    EXPECT_LE(result.written, small.size());
  }
  // A match at the very beginning refers to what is not there.
  std::vector<std::uint8_t> out(100);
  EXPECT_EQ(decode_nrv(NrvMethod::nrv2b, NrvUnit::bits_8, as_bytes(std::string(64, '\x55')), out).written, 0u);
}

// The first block of programs packed by UPX 4.2.2: an ELF header and program headers. Form: method, unpacked size, bytes.
TEST(UpxBlock, BlocksThatUpxMade) {
  for (const char* name : {"nrv2b", "nrv2d", "nrv2e", "lzma"}) {
    std::ifstream file(std::string(LAZARET_SOURCE_DIR "/tests/fuzz/upx_block_fuzz/") + name, std::ios::binary);
    const std::string sample((std::istreambuf_iterator<char>(file)), {});
    ASSERT_GT(sample.size(), 5u) << name;
    const Bytes bytes = as_bytes(sample);
    std::vector<std::uint8_t> out(*read_le<std::uint32_t>(bytes, 1));
    ASSERT_TRUE(decode_upx_block(bytes[0], bytes.subspan(5), out, 1 << 26)) << name;
    EXPECT_EQ(as_text(out).substr(0, 4), "\x7f" "ELF") << name;
    EXPECT_EQ(out.size(), 64 + 56 * *read_le<std::uint16_t>(out, 56)) << name;
    EXPECT_NE(as_text(out).find(std::string("\x04\0\0\0\x04\0\0\0", 8)), std::string_view::npos) << "a PT_NOTE with PF_R";
    for (std::size_t size = 5; size < bytes.size(); ++size) {
      const Bytes cut = bytes.subspan(5, size - 5);
      // LZMA may not need its last bytes.
      EXPECT_TRUE(!decode_upx_block(bytes[0], cut, out, 1 << 26) || size + 6 >= bytes.size()) << name;
    }
    std::vector<std::uint8_t> larger(out.size() + 1);
    EXPECT_FALSE(decode_upx_block(bytes[0], bytes.subspan(5), larger, 1 << 26));
    for (const int method : {0, 1, 11, 12, 13, 16, 255}) {
      EXPECT_FALSE(decode_upx_block(static_cast<std::uint8_t>(method), bytes.subspan(5), out, 1 << 26));
    }
  }
}

TEST(UpxBlock, LzmaThatAsksForTooMuchMemory) {
  const std::string bytes("\x1a\x03\0\0\0\0", 6);
  std::vector<std::uint8_t> out(1 << 20);
  EXPECT_FALSE(decode_upx_block(14, as_bytes(bytes), out, 1 << 16));
}

TEST(UpxBlock, Deflate) {
  // A stored block: final, length 5.
  const std::string bytes("\x01\x05\0\xfa\xffhello", 10);
  std::vector<std::uint8_t> out(5);
  ASSERT_TRUE(decode_upx_block(15, as_bytes(bytes), out, 1 << 20));
  EXPECT_EQ(as_text(out), "hello");
}

}  // namespace
}  // namespace lazaret::codec
