// Both algorithms are Merkle-Damgard chains over blocks of 64 bytes whose last block or two hold the end of the input, one bit, zeros, and the
// length in bits (FIPS 180-4, 5.1.1; RFC 1321, 3.1). Lanes<> keeps a set of inputs going: it advances all of them by as many blocks as the
// shortest still has, then gives the free place to the next input. Inputs of any sizes mix, and the loop over blocks knows nothing of ends.
#include "base/hash_each.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "base/sha256_instructions.h"

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

// --- SHA-256, two chains of SHA-NI instructions. ----------------------------------------------------------------------------------------

struct Sha256Pair {
  static constexpr std::size_t lanes = 2;
  static constexpr bool big_endian_length = true;
  static constexpr HashAlgorithm algorithm = HashAlgorithm::sha256;

  void reset(std::size_t lane) { states[lane] = {}; }
  void run(const std::array<const std::uint8_t*, lanes>& at, std::size_t blocks) { sha256_run<lanes>({&states[0], &states[1]}, at, blocks); }
  std::array<std::uint8_t, 32> value(std::size_t lane) const { return states[lane].value(); }

  std::array<Sha256State, lanes> states;
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

// Eight lanes and what does not depend on the instructions there are.
struct Md5Lanes {
  static constexpr std::size_t lanes = 8;
  static constexpr bool big_endian_length = false;
  static constexpr HashAlgorithm algorithm = HashAlgorithm::md5;

  void reset(std::size_t lane) {
    for (std::size_t i = 0; i < 4; ++i) state[i][lane] = md5_start[i];
  }
  std::array<std::uint8_t, 16> value(std::size_t lane) const {
    std::array<std::uint8_t, 16> bytes;
    for (std::size_t i = 0; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(state[i / 4][lane] >> (i % 4 * 8));
    return bytes;
  }
  // Word i of the block of each lane side by side: the columns of eight rows of eight words, twice.
  __attribute__((target("avx2"))) static void load_words(const std::array<const std::uint8_t*, lanes>& at, std::size_t block, __m256i (&words)[16]) {
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      __m256i rows[8], pairs[8], fours[8];
#pragma GCC unroll 8
      for (std::size_t l = 0; l < lanes; ++l) rows[l] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at[l] + block * block_bytes + half * 32));
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
        words[half * 8 + i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        words[half * 8 + i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
      }
    }
  }
  // Which word of the block step `i` takes.
  static constexpr std::size_t word_of(std::size_t i) { return (i < 16 ? i : i < 32 ? 5 * i + 1 : i < 48 ? 3 * i + 5 : 7 * i) % 16; }

  alignas(32) std::uint32_t state[4][lanes];
};

struct Md5Avx2 : Md5Lanes {
  __attribute__((target("avx2"))) void run(const std::array<const std::uint8_t*, lanes>& at, std::size_t blocks) {
    __m256i* const own = reinterpret_cast<__m256i*>(state);
    __m256i a = own[0], b = own[1], c = own[2], d = own[3];
    const __m256i ones = _mm256_set1_epi32(-1);
    for (std::size_t block = 0; block < blocks; ++block) {
      __m256i words[16];
      load_words(at, block, words);
      const __m256i a0 = a, b0 = b, c0 = c, d0 = d;
#pragma GCC unroll 64
      for (std::size_t i = 0; i < 64; ++i) {
        const __m256i f = i < 16   ? _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)))
                          : i < 32 ? _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)))
                          : i < 48 ? _mm256_xor_si256(_mm256_xor_si256(b, c), d)
                                   : _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, ones)));
        const __m256i constant = _mm256_add_epi32(words[word_of(i)], _mm256_set1_epi32(static_cast<int>(md5_sines[i])));
        __m256i early = _mm256_add_epi32(a, constant);
        __asm__("" : "+x"(early));  // see Md5Avx512
        const __m256i sum = _mm256_add_epi32(early, f);
        const int shift = md5_shifts[i / 16][i % 4];
        a = d;
        d = c;
        c = b;
        b = _mm256_add_epi32(b, _mm256_or_si256(_mm256_slli_epi32(sum, shift), _mm256_srli_epi32(sum, 32 - shift)));
      }
      a = _mm256_add_epi32(a, a0);
      b = _mm256_add_epi32(b, b0);
      c = _mm256_add_epi32(c, c0);
      d = _mm256_add_epi32(d, d0);
    }
    own[0] = a;
    own[1] = b;
    own[2] = c;
    own[3] = d;
  }
};

// AVX-512 has a rotation, and any function of three words in one instruction: each step waits for four instructions and not for seven.
struct Md5Avx512 : Md5Lanes {
  __attribute__((target("avx2,avx512f,avx512vl"))) void run(const std::array<const std::uint8_t*, lanes>& at, std::size_t blocks) {
    __m256i* const own = reinterpret_cast<__m256i*>(state);
    __m256i a = own[0], b = own[1], c = own[2], d = own[3];
    for (std::size_t block = 0; block < blocks; ++block) {
      __m256i words[16];
      load_words(at, block, words);
      const __m256i a0 = a, b0 = b, c0 = c, d0 = d;
#pragma GCC unroll 64
      for (std::size_t i = 0; i < 64; ++i) {
        // The last argument is the function's value for each of the eight cases of three bits, the first argument's bit being the highest.
        const __m256i f = i < 16   ? _mm256_ternarylogic_epi32(b, c, d, 0xca)   // b ? c : d
                          : i < 32 ? _mm256_ternarylogic_epi32(d, b, c, 0xca)   // d ? b : c
                          : i < 48 ? _mm256_ternarylogic_epi32(b, c, d, 0x96)   // b ^ c ^ d
                                   : _mm256_ternarylogic_epi32(b, c, d, 0x39);  // c ^ (b | ~d)
        const __m256i constant = _mm256_add_epi32(words[word_of(i)], _mm256_set1_epi32(static_cast<int>(md5_sines[i])));
        // Nothing of this waits for the step before but `f`. The compiler may not add in another order, which would.
        __m256i early = _mm256_add_epi32(a, constant);
        __asm__("" : "+v"(early));
        const __m256i sum = _mm256_add_epi32(early, f);
        a = d;
        d = c;
        c = b;
        b = _mm256_add_epi32(b, rotated(sum, md5_shifts[i / 16][i % 4]));
      }
      a = _mm256_add_epi32(a, a0);
      b = _mm256_add_epi32(b, b0);
      c = _mm256_add_epi32(c, c0);
      d = _mm256_add_epi32(d, d0);
    }
    own[0] = a;
    own[1] = b;
    own[2] = c;
    own[3] = d;
  }
  // The intrinsic wants a constant, which an index of an unrolled loop is too late.
  __attribute__((target("avx2,avx512f,avx512vl"), always_inline)) static __m256i rotated(__m256i value, int bits) {
    return _mm256_rolv_epi32(value, _mm256_set1_epi32(bits));
  }
};

#endif

}  // namespace

void hash_each(HashAlgorithm algorithm, std::span<const Bytes> inputs, std::span<Digest> out, Instructions best) {
  assert(inputs.size() == out.size());
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  static const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
  if (inputs.size() > 1 && best >= Instructions::sha_and_avx2) {
    if (algorithm == HashAlgorithm::sha256 && has_sha256_instructions()) return run_lanes<Sha256Pair>(inputs, out);
    if (algorithm == HashAlgorithm::md5 && has_avx512 && best >= Instructions::avx512) return run_lanes<Md5Avx512>(inputs, out);
    if (algorithm == HashAlgorithm::md5 && has_avx2) return run_lanes<Md5Avx2>(inputs, out);
  }
#else
  static_cast<void>(best);
#endif
  for (std::size_t i = 0; i < inputs.size(); ++i) out[i] = hash(algorithm, inputs[i]);
}

}  // namespace lazaret
