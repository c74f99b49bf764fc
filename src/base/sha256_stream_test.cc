#include "base/sha256_stream.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace lazaret {
namespace {

std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

TEST(Sha256Stream, EveryLengthAroundTheBlocksInOnePieceAndInTwo) {
  std::mt19937 random(1);
  Sha256Stream stream;
  for (std::size_t size = 0; size < 260; ++size) {
    const auto bytes = random_bytes(random, size);
    const Digest expected = sha256(bytes);
    stream.update(bytes);
    EXPECT_EQ(stream.finish(), expected) << size;
    for (const std::size_t cut : {std::size_t{1}, size / 2, size - std::min<std::size_t>(size, 1)}) {
      stream.update(clamp(bytes, 0, cut));
      stream.update(clamp(bytes, cut, size));
      EXPECT_EQ(stream.finish(), expected) << size << " cut at " << cut;
    }
  }
}

TEST(Sha256Stream, BothAdvanceByPiecesOfAnySize) {
  std::mt19937 random(2);
  Sha256Stream a, b;
  for (int round = 0; round < 300; ++round) {
    const auto first = random_bytes(random, random() % (round % 10 == 0 ? 100'000 : 700)), second = random_bytes(random, random() % 700);
    std::size_t at = 0, other_at = 0;
    while (at < first.size() || other_at < second.size()) {
      const std::size_t part = random() % 200, other_part = random() % 3 == 0 ? 0 : random() % 300;
      Sha256Stream::update_both(a, clamp(first, at, part), b, clamp(second, other_at, other_part));
      at += part;
      other_at += other_part;
      if (random() % 4 == 0) {
        const std::size_t alone = random() % 130;
        a.update(clamp(first, at, alone));
        at += alone;
      }
    }
    EXPECT_EQ(a.finish(), sha256(first)) << first.size();
    EXPECT_EQ(b.finish(), sha256(second)) << second.size();
  }
}

TEST(Sha256Stream, EveryPairOfShortLengths) {
  std::mt19937 random(3);
  const auto bytes = random_bytes(random, 400);
  Sha256Stream a, b;
  for (std::size_t x = 0; x < 200; x += 3) {
    for (std::size_t y = 0; y < 200; ++y) {
      Sha256Stream::update_both(a, clamp(bytes, 0, x), b, clamp(bytes, 7, y));
      ASSERT_EQ(a.finish(), sha256(clamp(bytes, 0, x)));
      ASSERT_EQ(b.finish(), sha256(clamp(bytes, 7, y)));
    }
  }
}

}  // namespace
}  // namespace lazaret
