#include "format/keccak.h"

namespace lazaret::format {
namespace {

constexpr std::uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

std::uint64_t rotate(std::uint64_t value, unsigned by) { return by == 0 ? value : value << by | value >> (64 - by); }

void permute(std::uint64_t (&state)[25]) {
  for (const std::uint64_t constant : round_constants) {
    std::uint64_t c[5], d[5];
    for (unsigned x = 0; x < 5; ++x) c[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20];
    for (unsigned x = 0; x < 5; ++x) d[x] = c[(x + 4) % 5] ^ rotate(c[(x + 1) % 5], 1);
    for (unsigned i = 0; i < 25; ++i) state[i] ^= d[i % 5];
    unsigned x = 1, y = 0;
    std::uint64_t current = state[1];
    for (unsigned step = 0; step < 24; ++step) {
      const unsigned next = (2 * x + 3 * y) % 5;
      x = y;
      y = next;
      const std::uint64_t old = state[x + 5 * y];
      state[x + 5 * y] = rotate(current, (step + 1) * (step + 2) / 2 % 64);
      current = old;
    }
    for (unsigned row = 0; row < 25; row += 5) {
      std::uint64_t line[5];
      for (unsigned i = 0; i < 5; ++i) line[i] = state[row + i];
      for (unsigned i = 0; i < 5; ++i) state[row + i] = line[i] ^ (~line[(i + 1) % 5] & line[(i + 2) % 5]);
    }
    state[0] ^= constant;
  }
}

}  // namespace

std::array<std::uint8_t, 32> keccak256(Bytes bytes) {
  constexpr std::size_t rate = 136;
  std::uint64_t state[25] = {};
  const auto absorb = [&](const std::uint8_t* block) {
    for (std::size_t i = 0; i < rate; ++i) state[i / 8] ^= static_cast<std::uint64_t>(block[i]) << (8 * (i % 8));
    permute(state);
  };
  while (bytes.size() >= rate) {
    absorb(bytes.data());
    bytes = bytes.subspan(rate);
  }
  std::uint8_t last[rate] = {};
  for (std::size_t i = 0; i < bytes.size(); ++i) last[i] = bytes[i];
  last[bytes.size()] ^= 0x01;
  last[rate - 1] ^= 0x80;
  absorb(last);
  std::array<std::uint8_t, 32> digest;
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(state[i / 8] >> (8 * (i % 8)));
  return digest;
}

}  // namespace lazaret::format
