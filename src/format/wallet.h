// Addresses of cryptocurrencies, recognised by their checksums and not by their looks.
//
// CryptoNote (Monero's family): base58 in blocks of 11 characters for 8 bytes; varint tag, 32 + 32 bytes of keys, perhaps 8 of a payment id, and 4 bytes of Keccak-256. Any tag is
// taken when the rest fits, since forks choose their own (Zephyr, Wownero). Bitcoin: base58check (double SHA-256), bech32 (BIP-173) and bech32m (BIP-350).
// Ethereum: EIP-55; an address in one case carries no checksum and proves nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::format {

struct Wallet {
  std::string type;     // indicator type: "wallet.monero", "wallet.cryptonote", "wallet.bitcoin", "wallet.ethereum"
  std::string value;    // the address
  std::string network;  // "main", "test", "stage", "" when the tag is not known
  std::string form;     // "standard", "integrated", "subaddress", "p2pkh", "p2sh", "segwit-v0", ...
};

// The whole text is an address whose checksum holds.
std::optional<Wallet> validate_wallet(std::string_view text);

// The text begins with an address that ends where its alphabet ends: "<address>.worker", "<address>+5000", "<address>/mail".
std::optional<Wallet> find_wallet_at_start(std::string_view text);

struct FoundWallet {
  std::uint64_t offset = 0;
  Wallet wallet;
};
// All addresses in a text or in the strings of a binary, up to `limit`. Linear.
std::vector<FoundWallet> find_wallets(std::string_view text, std::size_t limit);

}  // namespace lazaret::format
