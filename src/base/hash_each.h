// Digests of many byte ranges at once, faster than one after the other.
//
// SHA-256 and MD5 are chains: each step waits for the one before, and the processor's units stand idle meanwhile. Two or more independent
// chains fill them. SHA-256 runs in two interleaved chains of SHA-NI instructions (about 1.9 times one), MD5 in eight lanes of AVX2 (5.5 times
// one) or AVX-512 (6.5 times; two lanes 1.6 times). Where the processor lacks them, or for other algorithms, this is hash() in a loop.
#pragma once

#include <cstdint>
#include <span>

#include "base/digest.h"

namespace lazaret {

// What a processor may have, each with those before it.
enum class Instructions : std::uint8_t { none, sha_and_avx2, avx512 };

// out[i] becomes the digest of inputs[i]; both have the same size. No better instructions than `best` are used (for tests). Thread-safe.
void hash_each(HashAlgorithm algorithm, std::span<const Bytes> inputs, std::span<Digest> out, Instructions best = Instructions::avx512);

}  // namespace lazaret
