#include <gtest/gtest.h>

#include <algorithm>

#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"

namespace lazaret::detect {

extern const Detector miner_hash_function_detector;

namespace {

using Ids = std::vector<std::string>;

std::string bytes(std::initializer_list<std::uint64_t> values, bool big_endian = false, std::string_view between = "") {
  std::string text;
  for (const std::uint64_t value : values) {
    std::string one;
    for (int i = 0; i < 8; ++i) one += static_cast<char>(value >> (8 * i));
    if (big_endian) std::reverse(one.begin(), one.end());
    text += one;
    text += between;
  }
  return text;
}
const std::string skein = bytes({0xCCD044A12FDB3E13, 0xE83590301A79A9EB});
const std::string jh = bytes({0xeb98a3412c20d3eb, 0x92cdbe7b9cb245c1}, true);
const std::string groestl = bytes({0xc6a597f4a5f432c6, 0xf884eb9784976ff8});
const std::string ethash = bytes({1073739904, 1082130304, 1090514816});
const std::string zero(1, '\0');
const std::string client = "stratum+tcp://" + zero + "hashrate" + zero;

test::Outcome look(const std::string& data, const std::string& path = "/usr/bin/x") {
  test::ElfSample elf;
  elf.data = data;
  return test::inspect(miner_hash_function_detector, {.path = path, .content = elf.build()});
}

TEST(MinerHashFunction, CryptoNightNeedsItsParts) {
  EXPECT_EQ(look(skein).rules(), Ids{});
  EXPECT_EQ(look(skein + groestl).rules(), Ids{}) << "two may stand in a library of hash functions";
  EXPECT_EQ(look(skein + groestl + jh).rules(), Ids{"miner.hash-function"});
  EXPECT_EQ(look(skein + groestl + client).rules(), Ids{"miner.program-with-hash"});
  EXPECT_EQ(look(skein + client).rules(), Ids{});
  const auto declared = look(skein + groestl + jh + client, "/opt/xmrig/xmrig");
  ASSERT_EQ(declared.rules(), Ids{"miner.program-with-hash"});
  EXPECT_EQ(test::severity_of(declared.findings[0]), Severity::high);
}

TEST(MinerHashFunction, OtherLayouts) {
  // As immediates: mov rax, imm64; mov [rsp+n], rax.
  const std::string moved = "\x48\xb8" + bytes({0xCCD044A12FDB3E13, 0xE83590301A79A9EB}, false, "\x48\x89\x44\x24\x10\x48\xb8");
  EXPECT_EQ(look(moved + jh + groestl).rules(), Ids{"miner.hash-function"});
  const std::string turned = bytes({0xCCD044A12FDB3E13, 0xE83590301A79A9EB}, true) + bytes({0xeb98a3412c20d3eb, 0x92cdbe7b9cb245c1}) +
                             bytes({0xc632f4a5f497a5c6, 0xf86f978497eb84f8});
  EXPECT_EQ(look(turned).rules(), Ids{"miner.hash-function"}) << "the other byte order, 64-bit columns";
  EXPECT_EQ(look(bytes({0x72d5dea2df15f867, 0x7b84150ab7231557}, true) + skein + groestl).rules(), Ids{"miner.hash-function"}) << "round constants of JH";
  EXPECT_EQ(look(skein.substr(0, 8) + std::string(200, 'x') + skein.substr(8) + jh + groestl).rules(), Ids{}) << "far apart: chance";
}

TEST(MinerHashFunction, EthashKawPowEquihash) {
  const auto node = look(ethash);
  ASSERT_EQ(node.rules(), Ids{"miner.hash-function"});
  EXPECT_EQ(test::severity_of(node.findings[0]), Severity::low) << "a node of the coin";
  EXPECT_EQ(look(ethash + "eth_submitLogin" + zero + "EthereumStratum/1.0.0").rules(), Ids{"miner.program-with-hash"});
  std::string kawpow;
  for (const char letter : std::string("rAVENCOINKAWPOW")) kawpow += std::string(1, letter) + std::string(3, '\0');
  EXPECT_EQ(look(kawpow + client).rules(), Ids{"miner.program-with-hash"});
  EXPECT_EQ(look("ZcashPoW" + client).rules(), Ids{"miner.program-with-hash"});
  EXPECT_EQ(look("ZcashPoW").rules(), Ids{"miner.hash-function"});
  EXPECT_EQ(look(client).rules(), Ids{});
}

TEST(MinerHashFunction, KernelsForGraphicsCards) {
  EXPECT_EQ(look("ethash_search" + zero + "progpow_search").rules(), Ids{"miner.gpu-kernel"});
  EXPECT_EQ(look("ethash_search").rules(), Ids{}) << "one word";
  EXPECT_EQ(look("ethash_search" + client).rules(), Ids{"miner.program-with-hash"});
  const auto text = [](std::string content) {
    return test::inspect(miner_hash_function_detector, {.path = "/opt/k.cl", .content = std::move(content)}).rules();
  };
  EXPECT_EQ(text("__kernel void ethash_search(__global volatile uint* restrict g_output) { }\n"), Ids{"miner.gpu-kernel"});
  EXPECT_EQ(text("The function ethash_search() is described in ZcashPoW.\n"), Ids{});
}

}  // namespace
}  // namespace lazaret::detect
