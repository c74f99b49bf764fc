#include "base/hash_each.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace lazaret {
namespace {

class HashEach : public testing::TestWithParam<HashAlgorithm> {};

// Against OpenSSL, one at a time.
void expect_right(HashAlgorithm algorithm, const std::vector<std::vector<std::uint8_t>>& files) {
  std::vector<Bytes> inputs(files.begin(), files.end());
  for (const Instructions best : {Instructions::avx512, Instructions::sha_and_avx2, Instructions::none}) {
    std::vector<Digest> out(files.size());
    hash_each(algorithm, inputs, out, best);
    for (std::size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ(out[i], hash(algorithm, files[i])) << i << ": " << files[i].size() << " bytes, instructions " << static_cast<int>(best);
    }
  }
}

std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

TEST_P(HashEach, EveryLengthAroundTheBlocks) {
  std::mt19937 random(1);
  std::vector<std::vector<std::uint8_t>> files;
  for (std::size_t size = 0; size < 200; ++size) files.push_back(random_bytes(random, size));
  expect_right(GetParam(), files);
}

TEST_P(HashEach, LongAndShortTogether) {
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::vector<std::uint8_t>> files;
    const std::size_t count = random() % 20;
    for (std::size_t i = 0; i < count; ++i) files.push_back(random_bytes(random, random() % 3 == 0 ? random() % 100'000 : random() % 130));
    expect_right(GetParam(), files);
  }
}

TEST_P(HashEach, NoneAndOne) {
  expect_right(GetParam(), {});
  expect_right(GetParam(), {{}});
  expect_right(GetParam(), {{'a', 'b', 'c'}});
}

INSTANTIATE_TEST_SUITE_P(Algorithms, HashEach,
                         testing::Values(HashAlgorithm::sha256, HashAlgorithm::md5, HashAlgorithm::sha1, HashAlgorithm::sha512));

}  // namespace
}  // namespace lazaret
