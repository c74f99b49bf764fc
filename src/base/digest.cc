#include "base/digest.h"

#include <openssl/evp.h>

#include <cassert>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace lazaret {
namespace {

const EVP_MD* algorithm_of(HashAlgorithm algorithm) {
  static const std::array<EVP_MD*, 4> fetched = {
      EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_fetch(nullptr, "SHA512", nullptr),
      EVP_MD_fetch(nullptr, "SHA1", nullptr), EVP_MD_fetch(nullptr, "MD5", nullptr)};
  const EVP_MD* md = fetched[static_cast<std::size_t>(algorithm)];
  assert(md != nullptr);
  return md;
}

}  // namespace

Digest::Digest(HashAlgorithm algorithm, Bytes value)
    : size_(static_cast<std::uint8_t>(value.size())), algorithm_(algorithm) {
  assert(value.size() <= value_.size());
  std::memcpy(value_.data(), value.data(), value.size());
}

std::optional<Digest> Digest::parse(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view name = text.substr(0, colon), hex = text.substr(colon + 1);
  HashAlgorithm algorithm;
  if (name == "sha256" && hex.size() == 64) {
    algorithm = HashAlgorithm::sha256;
  } else if (name == "sha512" && hex.size() == 128) {
    algorithm = HashAlgorithm::sha512;
  } else {
    return std::nullopt;
  }
  for (const char c : hex) {
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return std::nullopt;
  }
  const auto bytes = from_hex(hex);
  if (!bytes) return std::nullopt;
  return Digest(algorithm, as_bytes(*bytes));
}

std::string Digest::hex() const {
  return to_hex(bytes());
}

std::string Digest::str() const {
  if (empty()) return {};
  static constexpr const char* names[] = {"sha256:", "sha512:", "sha1:", "md5:"};
  return names[static_cast<std::size_t>(algorithm_)] + hex();
}

Hasher::Hasher(HashAlgorithm algorithm) : context_(EVP_MD_CTX_new()), algorithm_(algorithm) {
  [[maybe_unused]] const int ok = EVP_DigestInit_ex2(context_, algorithm_of(algorithm), nullptr);
  assert(ok == 1);
}

Hasher::~Hasher() {
  EVP_MD_CTX_free(context_);
}

Hasher::Hasher(Hasher&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)), algorithm_(other.algorithm_) {}

Hasher& Hasher::operator=(Hasher&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(algorithm_, other.algorithm_);
  return *this;
}

void Hasher::update(Bytes bytes) {
  EVP_DigestUpdate(context_, bytes.data(), bytes.size());
}

Digest Hasher::finish() {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> value;
  unsigned size = 0;
  EVP_DigestFinal_ex(context_, value.data(), &size);
  EVP_DigestInit_ex2(context_, nullptr, nullptr);
  return Digest(algorithm_, Bytes(value.data(), size));
}

Digest hash(HashAlgorithm algorithm, Bytes bytes) {
  thread_local std::array<Hasher, 4> hashers = {
      Hasher(HashAlgorithm::sha256), Hasher(HashAlgorithm::sha512), Hasher(HashAlgorithm::sha1),
      Hasher(HashAlgorithm::md5)};
  Hasher& hasher = hashers[static_cast<std::size_t>(algorithm)];
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace lazaret
