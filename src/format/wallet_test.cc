#include "format/wallet.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "format/keccak.h"

namespace lazaret::format {
namespace {

TEST(Keccak, KnownValues) {
  const auto hex = [](std::string_view text) {
    const auto hash = keccak256(as_bytes(text));
    return to_hex(hash);
  };
  EXPECT_EQ(hex(""), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(hex("abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

// A test-network address, nobody's money (made by tests/lib/images.py from the seed "docker123321").
constexpr std::string_view test_address = "9ztAF7kEkbj5iE6tXQ37Wb9M28ctpA9FCbjyozBNYfrZbewmKZHhfkw5Y5G2TuxDqPQ3QeQjnDPnEfnRvcUsG8d2C7gemz4";

TEST(Wallet, CryptoNoteChecksumDecides) {
  const auto wallet = validate_wallet(test_address);
  ASSERT_TRUE(wallet);
  EXPECT_EQ(wallet->type, "wallet.monero");
  EXPECT_EQ(wallet->network, "test");
  std::string wrong(test_address);
  wrong[40] = wrong[40] == 'a' ? 'b' : 'a';
  EXPECT_FALSE(validate_wallet(wrong));
  EXPECT_FALSE(validate_wallet(std::string(95, '4')));
}

TEST(Wallet, LoginsCarryTails) {
  for (const char* tail : {".worker1", "+5000", "/mail@host.example", "", " -p x"}) {
    const auto wallet = find_wallet_at_start(std::string(test_address) + tail);
    ASSERT_TRUE(wallet) << tail;
    EXPECT_EQ(wallet->value, test_address);
  }
  EXPECT_FALSE(find_wallet_at_start("u" + std::string(test_address)));
}

TEST(Wallet, Bip173AndBip350Vectors) {
  EXPECT_EQ(validate_wallet("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4")->form, "segwit-v0");
  EXPECT_EQ(validate_wallet("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7")->network, "test");
  EXPECT_EQ(validate_wallet("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0")->form, "segwit-v1");
  EXPECT_FALSE(validate_wallet("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"));
  EXPECT_FALSE(validate_wallet("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd")) << "version 1 with the old constant";
  EXPECT_FALSE(validate_wallet("tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47")) << "version 0 with the new constant";
  EXPECT_FALSE(validate_wallet("bc1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4")) << "mixed case";
}

TEST(Wallet, Base58Check) {
  EXPECT_EQ(validate_wallet("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")->form, "p2pkh");
  EXPECT_EQ(validate_wallet("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy")->form, "p2sh");
  EXPECT_FALSE(validate_wallet("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"));
  EXPECT_FALSE(validate_wallet("11BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"));
}

TEST(Wallet, Eip55Vectors) {
  for (const char* address : {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"}) {
    EXPECT_TRUE(validate_wallet(address)) << address;
  }
  EXPECT_FALSE(validate_wallet("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")) << "no checksum";
  EXPECT_FALSE(validate_wallet("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"));
}

TEST(Wallet, FoundInText) {
  const std::string text = "\"user\": \"" + std::string(test_address) + "\", xx 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2;";
  EXPECT_EQ(find_wallets(text, 10).size(), 2u);
  EXPECT_EQ(find_wallets(text, 1).size(), 1u);
  for (std::size_t size = 0; size < text.size(); ++size) find_wallets(std::string_view(text).substr(0, size), 10);
}

}  // namespace
}  // namespace lazaret::format
