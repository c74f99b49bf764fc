#include "format/wallet.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/digest.h"
#include "format/keccak.h"

namespace lazaret::format {
namespace {

constexpr std::string_view base58_alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view bech32_alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

constexpr std::array<std::int8_t, 256> make_table(std::string_view alphabet) {
  std::array<std::int8_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}
constexpr auto base58_table = make_table(base58_alphabet);
constexpr auto bech32_table = make_table(bech32_alphabet);

int base58_value(char c) { return base58_table[static_cast<std::uint8_t>(c)]; }

// --- CryptoNote -----------------------------------------------------------------------------------------------------------------------------

struct Tag {
  std::uint64_t tag;
  const char *coin, *network, *form;
};
constexpr Tag tags[] = {
    {0x12, "monero", "main", "standard"},     {0x13, "monero", "main", "integrated"},   {0x2a, "monero", "main", "subaddress"},
    {0x35, "monero", "test", "standard"},     {0x36, "monero", "test", "integrated"},   {0x3f, "monero", "test", "subaddress"},
    {0x18, "monero", "stage", "standard"},    {0x19, "monero", "stage", "integrated"},  {0x24, "monero", "stage", "subaddress"},
    {0x1032, "wownero", "main", "standard"},  {0x1a9a, "wownero", "main", "integrated"}, {0x2fb0, "wownero", "main", "subaddress"},
    {0x2bb39a, "sumokoin", "main", "standard"}, {0x29339a, "sumokoin", "main", "integrated"}, {0x8319a, "sumokoin", "main", "subaddress"},
    {0x2cca, "arqma", "main", "standard"},    {0x116bc7, "arqma", "main", "integrated"}, {0x6847, "arqma", "main", "subaddress"},
    {0x5a, "graft", "main", "standard"},      {0x5b, "graft", "main", "integrated"},    {0x66, "graft", "main", "subaddress"},
    {0x8dd58c0, "zephyr", "main", "standard"},
};

// monero src/common/base58.cpp: encoded sizes of 0..8 bytes.
constexpr std::array<int, 12> decoded_sizes = {0, -1, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8};

std::optional<std::string> decode_cryptonote(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const std::string_view block = text.substr(0, 11);
    text.remove_prefix(block.size());
    const int size = decoded_sizes[block.size()];
    if (size <= 0) return std::nullopt;
    __extension__ unsigned __int128 value = 0;  // 58^11 needs 65 bits
    for (const char c : block) {
      const int digit = base58_value(c);
      if (digit < 0) return std::nullopt;
      value = value * 58 + static_cast<unsigned>(digit);
    }
    if (value >> (8 * size) != 0) return std::nullopt;  // more than fits: two spellings of one address would be possible
    for (int i = size - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  }
  return bytes;
}

std::optional<Wallet> cryptonote(std::string_view text) {
  // 1 to 6 bytes of tag, 64 or 72 of body, 4 of checksum.
  if (text.size() < 95 || text.size() > 114) return std::nullopt;
  const auto bytes = decode_cryptonote(text);
  if (!bytes || bytes->size() < 69) return std::nullopt;
  std::uint64_t tag = 0;
  std::size_t at = 0;
  for (unsigned shift = 0; shift < 42; shift += 7) {
    const auto byte = static_cast<std::uint8_t>((*bytes)[at++]);
    tag |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) break;
  }
  const std::size_t body = bytes->size() - 4 - at;
  if (body != 64 && body != 72) return std::nullopt;
  const auto hash = keccak256(as_bytes(std::string_view(*bytes).substr(0, bytes->size() - 4)));
  if (std::memcmp(hash.data(), bytes->data() + bytes->size() - 4, 4) != 0) return std::nullopt;
  Wallet wallet{"wallet.cryptonote", std::string(text), "", body == 72 ? "integrated" : "standard"};
  for (const Tag& known : tags) {
    if (known.tag != tag) continue;
    if (std::string_view(known.coin) == "monero") wallet.type = "wallet.monero";
    wallet.network = known.network;
    wallet.form = known.form;
  }
  return wallet;
}

// --- Bitcoin --------------------------------------------------------------------------------------------------------------------------------

std::optional<Wallet> base58check(std::string_view text) {
  if (text.size() < 26 || text.size() > 35) return std::nullopt;
  std::array<std::uint8_t, 25> bytes{};
  for (const char c : text) {
    int carry = base58_value(c);
    if (carry < 0) return std::nullopt;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      carry += 58 * bytes[i];
      bytes[i] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) return std::nullopt;
  }
  // Each leading '1' is a zero byte, and each leading zero byte a '1'.
  std::size_t ones = 0, zeros = 0;
  while (ones < text.size() && text[ones] == '1') ++ones;
  while (zeros < bytes.size() && bytes[zeros] == 0) ++zeros;
  if (ones != zeros) return std::nullopt;
  const Digest check = sha256(sha256(Bytes(bytes.data(), 21)).bytes());
  if (std::memcmp(check.bytes().data(), bytes.data() + 21, 4) != 0) return std::nullopt;
  // Versions: BIP-13 and Bitcoin's chain parameters. Other coins share the form with versions of their own, which are not taken.
  switch (bytes[0]) {
    case 0x00: return Wallet{"wallet.bitcoin", std::string(text), "main", "p2pkh"};
    case 0x05: return Wallet{"wallet.bitcoin", std::string(text), "main", "p2sh"};
    case 0x6f: return Wallet{"wallet.bitcoin", std::string(text), "test", "p2pkh"};
    case 0xc4: return Wallet{"wallet.bitcoin", std::string(text), "test", "p2sh"};
    default: return std::nullopt;
  }
}

std::uint32_t bech32_polymod(std::uint32_t checksum, std::uint8_t value) {
  static constexpr std::uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  const std::uint32_t top = checksum >> 25;
  checksum = (checksum & 0x1ffffff) << 5 ^ value;
  for (unsigned i = 0; i < 5; ++i) {
    if ((top >> i & 1) != 0) checksum ^= generator[i];
  }
  return checksum;
}

std::optional<Wallet> segwit(std::string_view text) {
  if (text.size() < 14 || text.size() > 90) return std::nullopt;
  bool upper = false, lower = false;
  std::string plain;
  for (const char c : text) {
    upper |= c >= 'A' && c <= 'Z';
    lower |= c >= 'a' && c <= 'z';
    plain.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  if (upper && lower) return std::nullopt;
  const auto separator = plain.rfind('1');
  if (separator == std::string::npos || separator == 0 || separator + 7 > plain.size()) return std::nullopt;
  const std::string_view prefix = std::string_view(plain).substr(0, separator);
  if (prefix != "bc" && prefix != "tb" && prefix != "bcrt") return std::nullopt;
  std::uint32_t checksum = 1;
  for (const char c : prefix) checksum = bech32_polymod(checksum, static_cast<std::uint8_t>(c >> 5));
  checksum = bech32_polymod(checksum, 0);
  for (const char c : prefix) checksum = bech32_polymod(checksum, static_cast<std::uint8_t>(c & 31));
  std::vector<std::uint8_t> values;
  for (std::size_t i = separator + 1; i < plain.size(); ++i) {
    const int value = bech32_table[static_cast<std::uint8_t>(plain[i])];
    if (value < 0) return std::nullopt;
    checksum = bech32_polymod(checksum, static_cast<std::uint8_t>(value));
    values.push_back(static_cast<std::uint8_t>(value));
  }
  values.resize(values.size() - 6);
  if (values.empty() || values[0] > 16) return std::nullopt;
  const unsigned version = values[0];
  if (checksum != (version == 0 ? 1u : 0x2bc830a3u)) return std::nullopt;
  // Five bits to eight: at most four bits are left over, all zero.
  std::size_t bits = (values.size() - 1) * 5;
  const std::size_t program = bits / 8;
  if (bits % 8 > 4) return std::nullopt;
  if ((values.back() & ((1u << (bits % 8)) - 1)) != 0) return std::nullopt;
  if (program < 2 || program > 40 || (version == 0 && program != 20 && program != 32)) return std::nullopt;
  return Wallet{"wallet.bitcoin", plain, prefix == "bc" ? "main" : "test", "segwit-v" + std::to_string(version)};
}

// --- Ethereum -------------------------------------------------------------------------------------------------------------------------------

std::optional<Wallet> ethereum(std::string_view text) {
  if (text.size() != 42 || text[0] != '0' || text[1] != 'x') return std::nullopt;
  std::string lower;
  bool has_upper = false, has_lower = false;
  for (const char c : text.substr(2)) {
    if (c >= 'A' && c <= 'F') {
      has_upper = true;
      lower.push_back(static_cast<char>(c + 32));
    } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
      has_lower |= c >= 'a';
      lower.push_back(c);
    } else {
      return std::nullopt;
    }
  }
  if (!has_upper || !has_lower) return std::nullopt;
  const auto hash = keccak256(as_bytes(lower));
  for (std::size_t i = 0; i < 40; ++i) {
    const unsigned nibble = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15;
    const char c = text[i + 2];
    if ((c >= 'A' && c <= 'F' && nibble < 8) || (c >= 'a' && c <= 'f' && nibble >= 8)) return std::nullopt;
  }
  return Wallet{"wallet.ethereum", std::string(text), "", "eip-55"};
}

std::size_t run_of_base58(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && base58_value(text[size]) >= 0) ++size;
  return size;
}

}  // namespace

std::optional<Wallet> validate_wallet(std::string_view text) {
  if (text.size() < 14 || text.size() > 114) return std::nullopt;
  if (auto wallet = ethereum(text)) return wallet;
  if (auto wallet = segwit(text)) return wallet;
  if (auto wallet = base58check(text)) return wallet;
  return cryptonote(text);
}

std::optional<Wallet> find_wallet_at_start(std::string_view text) {
  if (text.starts_with("0x")) {
    const auto end = std::min(text.find_first_not_of("0123456789abcdefABCDEF", 2), text.size());
    return end == 42 ? ethereum(text.substr(0, end)) : std::nullopt;
  }
  const auto word = std::min(text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), text.size());
  if (auto wallet = segwit(text.substr(0, word))) return wallet;
  const std::size_t run = run_of_base58(text);
  if (run < 26 || run > 114 || run != word) return std::nullopt;
  if (auto wallet = base58check(text.substr(0, run))) return wallet;
  return cryptonote(text.substr(0, run));
}

std::vector<FoundWallet> find_wallets(std::string_view text, std::size_t limit) {
  std::vector<FoundWallet> found;
  const auto is_word = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (std::size_t at = 0; at < text.size() && found.size() < limit;) {
    if (!is_word(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::size_t size = end - at;
    if (size >= 26 && size <= 114) {
      if (auto wallet = find_wallet_at_start(text.substr(at, size))) found.push_back({at, std::move(*wallet)});
    }
    at = end;
  }
  return found;
}

}  // namespace lazaret::format
