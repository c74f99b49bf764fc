// The block function of SHA-256 (FIPS 180-4, 6.2.2) by SHA-NI instructions, for one or more chains at once. Private to this folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>

namespace lazaret {

// CPUID leaf 7, EBX bit 29: SHA extensions (g++ 12's __builtin_cpu_supports does not know them).
inline bool has_sha256_instructions() {
  static const bool has = __builtin_cpu_supports("sse4.1") && [] {
    unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ebx >> 29 & 1) != 0;
  }();
  return has;
}

// The state between two blocks, as the instructions want it: words from the lowest are F E B A and H G D C.
struct Sha256State {
  alignas(16) std::uint32_t words[8] = {0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372};

  std::array<std::uint8_t, 32> value() const {
    static constexpr std::size_t order[8] = {3, 2, 7, 6, 1, 0, 5, 4};
    std::array<std::uint8_t, 32> bytes;
    for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::uint8_t>(words[order[i / 4]] >> (24 - i % 4 * 8));
    return bytes;
  }
};

alignas(64) inline constexpr std::uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// Advances each state by `blocks` blocks of 64 bytes at its `at`. Two chains take about as long as one: the instructions of one fill the waits of
// the other.
template <std::size_t lanes>
__attribute__((target("sha,sse4.1"))) void sha256_run(const std::array<Sha256State*, lanes>& states, const std::array<const std::uint8_t*, lanes>& at,
                                                      std::size_t blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i abef[lanes], cdgh[lanes];
  for (std::size_t l = 0; l < lanes; ++l) {
    abef[l] = _mm_load_si128(reinterpret_cast<const __m128i*>(states[l]->words));
    cdgh[l] = _mm_load_si128(reinterpret_cast<const __m128i*>(states[l]->words + 4));
  }
  for (std::size_t block = 0; block < blocks; ++block) {
    __m128i s0[lanes], s1[lanes], w[lanes][4];
#pragma GCC unroll 2
    for (std::size_t l = 0; l < lanes; ++l) {
      s0[l] = abef[l];
      s1[l] = cdgh[l];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        w[l][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at[l] + block * 64 + i * 16)), big_endian);
      }
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) {  // four rounds each
      const __m128i k = _mm_load_si128(reinterpret_cast<const __m128i*>(sha256_constants + i * 4));
#pragma GCC unroll 2
      for (std::size_t l = 0; l < lanes; ++l) {
        if (i >= 4) {
          const __m128i part = _mm_add_epi32(_mm_sha256msg1_epu32(w[l][i & 3], w[l][(i + 1) & 3]), _mm_alignr_epi8(w[l][(i + 3) & 3], w[l][(i + 2) & 3], 4));
          w[l][i & 3] = _mm_sha256msg2_epu32(part, w[l][(i + 3) & 3]);
        }
        const __m128i message = _mm_add_epi32(w[l][i & 3], k);
        s1[l] = _mm_sha256rnds2_epu32(s1[l], s0[l], message);
        s0[l] = _mm_sha256rnds2_epu32(s0[l], s1[l], _mm_shuffle_epi32(message, 0x0e));
      }
    }
#pragma GCC unroll 2
    for (std::size_t l = 0; l < lanes; ++l) {
      abef[l] = _mm_add_epi32(abef[l], s0[l]);
      cdgh[l] = _mm_add_epi32(cdgh[l], s1[l]);
    }
  }
  for (std::size_t l = 0; l < lanes; ++l) {
    _mm_store_si128(reinterpret_cast<__m128i*>(states[l]->words), abef[l]);
    _mm_store_si128(reinterpret_cast<__m128i*>(states[l]->words + 4), cdgh[l]);
  }
}

}  // namespace lazaret

#endif
