// Both algorithms are Merkle-Damgard chains over blocks of 64 bytes whose last block or two hold the end of the input, one bit, zeros, and the
// length in bits (FIPS 180-4, 5.1.1; RFC 1321, 3.1). Lanes<> keeps a set of inputs going: it advances all of them by as many blocks as the
// shortest still has, then gives the free place to the next input. Inputs of any sizes mix, and the loop over blocks knows nothing of ends.
#include "base/hash_each.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lazaret {
namespace {

#if defined(__x86_64__)

constexpr std::size_t block_bytes = 64;

// One input on its way: whole blocks of the input itself, then one or two blocks made up of its end.
struct Lane {
  std::size_t input = 0;
  const std::uint8_t* at = nullptr;
  std::size_t blocks = 0;  // left at `at`
  bool in_end = false;
  std::array<std::uint8_t, 2 * block_bytes> end{};
  std::size_t end_blocks = 0;

  void begin(std::size_t number, Bytes bytes, bool big_endian_length) {
    input = number;
    at = bytes.data();
    blocks = bytes.size() / block_bytes;
    in_end = false;
    const std::size_t rest = bytes.size() % block_bytes;
    end.fill(0);
    if (rest > 0) std::memcpy(end.data(), bytes.data() + blocks * block_bytes, rest);
    end[rest] = 0x80;
    end_blocks = rest + 9 <= block_bytes ? 1 : 2;
    const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
    std::uint8_t* length = end.data() + end_blocks * block_bytes - 8;
    for (int i = 0; i < 8; ++i) length[i] = static_cast<std::uint8_t>(bits >> 8 * (big_endian_length ? 7 - i : i));
    if (blocks == 0) to_end();
  }
  void to_end() {
    in_end = true;
    at = end.data();
    blocks = end_blocks;
  }
};

// Core: `lanes` (how many), `big_endian_length`, `algorithm`, reset(lane), run(pointers, blocks), value(lane).
template <typename Core>
void run_lanes(std::span<const Bytes> inputs, std::span<Digest> out) {
  Core core;
  std::array<Lane, Core::lanes> lanes;
  std::array<bool, Core::lanes> busy{};
  std::size_t next = 0, running = 0;
  const auto refill = [&](std::size_t lane) {
    busy[lane] = next < inputs.size();
    if (!busy[lane]) return;
    core.reset(lane);
    lanes[lane].begin(next, inputs[next], Core::big_endian_length);
    ++next;
    ++running;
  };
  for (std::size_t lane = 0; lane < Core::lanes; ++lane) refill(lane);
  while (running > 0) {
    std::size_t blocks = ~std::size_t{0};
    const std::uint8_t* any = nullptr;
    for (std::size_t lane = 0; lane < Core::lanes; ++lane) {
      if (!busy[lane]) continue;
      blocks = std::min(blocks, lanes[lane].blocks);
      any = lanes[lane].at;
    }
    // Lanes without an input go over the bytes of another: what they compute is not used.
    std::array<const std::uint8_t*, Core::lanes> at;
    for (std::size_t lane = 0; lane < Core::lanes; ++lane) at[lane] = busy[lane] ? lanes[lane].at : any;
    core.run(at, blocks);
    for (std::size_t lane = 0; lane < Core::lanes; ++lane) {
      if (!busy[lane]) continue;
      lanes[lane].at += blocks * block_bytes;
      lanes[lane].blocks -= blocks;
      if (lanes[lane].blocks > 0) continue;
      if (!lanes[lane].in_end) {
        lanes[lane].to_end();
        continue;
      }
      const auto value = core.value(lane);
      out[lanes[lane].input] = Digest(Core::algorithm, value);
      --running;
      refill(lane);
    }
  }
}

// --- SHA-256 (FIPS 180-4, 6.2.2), two chains of SHA-NI instructions. The instructions want the state as (ABEF, CDGH). ---------------------

alignas(64) constexpr std::uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

struct Sha256Pair {
  static constexpr std::size_t lanes = 2;
  static constexpr bool big_endian_length = true;
  static constexpr HashAlgorithm algorithm = HashAlgorithm::sha256;

  __attribute__((target("sha,sse4.1"))) void reset(std::size_t lane) {
    abef[lane] = _mm_set_epi32(0x6a09e667, static_cast<int>(0xbb67ae85), 0x510e527f, static_cast<int>(0x9b05688c));
    cdgh[lane] = _mm_set_epi32(0x3c6ef372, static_cast<int>(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19);
  }

  __attribute__((target("sha,sse4.1"))) void run(const std::array<const std::uint8_t*, lanes>& at, std::size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    for (std::size_t block = 0; block < blocks; ++block) {
      __m128i s0[lanes], s1[lanes], w[lanes][4];
#pragma GCC unroll 2
      for (std::size_t l = 0; l < lanes; ++l) {
        s0[l] = abef[l];
        s1[l] = cdgh[l];
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) {
          w[l][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at[l] + block * block_bytes + i * 16)), big_endian);
        }
      }
#pragma GCC unroll 16
      for (std::size_t i = 0; i < 16; ++i) {  // four rounds each
        const __m128i k = _mm_load_si128(reinterpret_cast<const __m128i*>(sha256_constants + i * 4));
#pragma GCC unroll 2
        for (std::size_t l = 0; l < lanes; ++l) {
          if (i >= 4) {
            const __m128i part = _mm_add_epi32(_mm_sha256msg1_epu32(w[l][i & 3], w[l][(i + 1) & 3]),
                                               _mm_alignr_epi8(w[l][(i + 3) & 3], w[l][(i + 2) & 3], 4));
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
  }

  std::array<std::uint8_t, 32> value(std::size_t lane) const {
    // Words of the state from the highest: A B E F and C D G H.
    std::uint32_t first[4], second[4];
    std::memcpy(first, &abef[lane], sizeof first);
    std::memcpy(second, &cdgh[lane], sizeof second);
    const std::uint32_t words[8] = {first[3], first[2], second[3], second[2], first[1], first[0], second[1], second[0]};
    std::array<std::uint8_t, 32> bytes;
    for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::uint8_t>(words[i / 4] >> (24 - i % 4 * 8));
    return bytes;
  }

  __m128i abef[lanes], cdgh[lanes];
};

// --- MD5 (RFC 1321), eight lanes: one 32-bit word of each in an AVX2 register. ----------------------------------------------------------

constexpr std::uint32_t md5_sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
    0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
    0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
    0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
    0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
    0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr int md5_shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
constexpr std::uint32_t md5_start[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

struct Md5Eight {
  static constexpr std::size_t lanes = 8;
  static constexpr bool big_endian_length = false;
  static constexpr HashAlgorithm algorithm = HashAlgorithm::md5;

  void reset(std::size_t lane) {
    for (std::size_t i = 0; i < 4; ++i) state[i][lane] = md5_start[i];
  }

  // The columns of eight rows of eight words: word i of each lane side by side.
  __attribute__((target("avx2"))) static void transpose(__m256i (&rows)[8]) {
    __m256i pairs[8], fours[8];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      pairs[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
      pairs[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (std::size_t i = 0; i < 2; ++i) {
      fours[4 * i] = _mm256_unpacklo_epi64(pairs[4 * i], pairs[4 * i + 2]);
      fours[4 * i + 1] = _mm256_unpackhi_epi64(pairs[4 * i], pairs[4 * i + 2]);
      fours[4 * i + 2] = _mm256_unpacklo_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
      fours[4 * i + 3] = _mm256_unpackhi_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      rows[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
      rows[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
  }

  __attribute__((target("avx2"))) void run(const std::array<const std::uint8_t*, lanes>& at, std::size_t blocks) {
    __m256i a = load(0), b = load(1), c = load(2), d = load(3);
    for (std::size_t block = 0; block < blocks; ++block) {
      __m256i low[8], high[8];
#pragma GCC unroll 8
      for (std::size_t l = 0; l < lanes; ++l) {
        const std::uint8_t* from = at[l] + block * block_bytes;
        low[l] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        high[l] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
      }
      transpose(low);
      transpose(high);
      const __m256i a0 = a, b0 = b, c0 = c, d0 = d;
      const __m256i ones = _mm256_set1_epi32(-1);
#pragma GCC unroll 64
      for (std::size_t i = 0; i < 64; ++i) {
        __m256i f;
        std::size_t g;
        if (i < 16) {
          f = _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)));
          g = i;
        } else if (i < 32) {
          f = _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)));
          g = (5 * i + 1) % 16;
        } else if (i < 48) {
          f = _mm256_xor_si256(_mm256_xor_si256(b, c), d);
          g = (3 * i + 5) % 16;
        } else {
          f = _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, ones)));
          g = 7 * i % 16;
        }
        const __m256i word = g < 8 ? low[g & 7] : high[g & 7];
        const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(a, f), _mm256_add_epi32(word, _mm256_set1_epi32(static_cast<int>(md5_sines[i]))));
        const int shift = md5_shifts[i / 16][i % 4];
        const __m256i turned = _mm256_or_si256(_mm256_slli_epi32(sum, shift), _mm256_srli_epi32(sum, 32 - shift));
        a = d;
        d = c;
        c = b;
        b = _mm256_add_epi32(b, turned);
      }
      a = _mm256_add_epi32(a, a0);
      b = _mm256_add_epi32(b, b0);
      c = _mm256_add_epi32(c, c0);
      d = _mm256_add_epi32(d, d0);
    }
    store(0, a);
    store(1, b);
    store(2, c);
    store(3, d);
  }

  std::array<std::uint8_t, 16> value(std::size_t lane) const {
    std::array<std::uint8_t, 16> bytes;
    for (std::size_t i = 0; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(state[i / 4][lane] >> (i % 4 * 8));
    return bytes;
  }

  __attribute__((target("avx2"))) __m256i load(std::size_t i) const {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(state[i]));
  }
  __attribute__((target("avx2"))) void store(std::size_t i, __m256i value) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(state[i]), value);
  }

  alignas(32) std::uint32_t state[4][lanes];
};

#endif

}  // namespace

void hash_each(HashAlgorithm algorithm, std::span<const Bytes> inputs, std::span<Digest> out) {
  assert(inputs.size() == out.size());
#if defined(__x86_64__)
  static const bool has_sha = __builtin_cpu_supports("sse4.1") && [] {
    // CPUID leaf 7, EBX bit 29: SHA extensions (g++ 12's __builtin_cpu_supports does not know them).
    unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ebx >> 29 & 1) != 0;
  }();
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (algorithm == HashAlgorithm::sha256 && has_sha && inputs.size() > 1) return run_lanes<Sha256Pair>(inputs, out);
  if (algorithm == HashAlgorithm::md5 && has_avx2 && inputs.size() > 1) return run_lanes<Md5Eight>(inputs, out);
#endif
  for (std::size_t i = 0; i < inputs.size(); ++i) out[i] = hash(algorithm, inputs[i]);
}

}  // namespace lazaret
