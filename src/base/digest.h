// SHA-256 and its relatives through OpenSSL's EVP, and digests in the OCI form "sha256:<hex>".
//
// The algorithms are fetched once for the process: an implicit fetch per hash costs 200-300 ns and
// contends.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

typedef struct evp_md_ctx_st EVP_MD_CTX;

namespace lazaret {

enum class HashAlgorithm : std::uint8_t { sha256, sha512, sha1, md5 };

// A hash value with its algorithm. Comparable and usable as a key; default-constructed it is empty
// and equals no real one.
class Digest {
 public:
  Digest() = default;
  Digest(HashAlgorithm algorithm, Bytes value);

  // "sha256:<64 lower-case hex>" or "sha512:<128 ...>" (OCI image-spec, descriptor, "Digests").
  // Anything else, upper case and other algorithms included, gives nothing.
  static std::optional<Digest> parse(std::string_view text);

  bool empty() const { return size_ == 0; }
  HashAlgorithm algorithm() const { return algorithm_; }
  Bytes bytes() const { return {value_.data(), size_}; }
  std::string hex() const;
  std::string str() const;  // "sha256:<hex>"; "" when empty

  std::strong_ordering operator<=>(const Digest&) const = default;
  bool operator==(const Digest&) const = default;

 private:
  std::array<std::uint8_t, 64> value_{};
  std::uint8_t size_ = 0;
  HashAlgorithm algorithm_ = HashAlgorithm::sha256;
};

// A running hash. Not thread-safe; reusable after finish().
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm = HashAlgorithm::sha256);
  ~Hasher();
  Hasher(Hasher&& other) noexcept;
  Hasher& operator=(Hasher&& other) noexcept;
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void update(Bytes bytes);
  // The hash of everything since construction or the last finish(); starts anew.
  Digest finish();

 private:
  EVP_MD_CTX* context_;
  HashAlgorithm algorithm_;
};

// The hash of `bytes` in one call, with a context kept per thread.
Digest hash(HashAlgorithm algorithm, Bytes bytes);
inline Digest sha256(Bytes bytes) {
  return hash(HashAlgorithm::sha256, bytes);
}

}  // namespace lazaret

template <>
struct std::hash<lazaret::Digest> {
  std::size_t operator()(const lazaret::Digest& digest) const noexcept {
    std::size_t value = 0;  // the first bytes of a cryptographic hash are as good a hash as any
    const auto bytes = digest.bytes();
    for (std::size_t i = 0; i < sizeof value && i < bytes.size(); ++i)
      value = value << 8 | bytes[i];
    return value;
  }
};
