#include "base/password.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <charconv>
#include <optional>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/random.h"
#include "base/text.h"

namespace lazaret {
namespace {

struct Cost {
  unsigned log_n = password_cost, r = 8, p = 1;
};
constexpr std::size_t salt_bytes = 16, hash_bytes = 32;

std::optional<std::string> scrypt(std::string_view password, std::string_view salt, const Cost& cost) {
  std::string hash(hash_bytes, '\0');
  const std::uint64_t n = std::uint64_t{1} << cost.log_n;
  const std::uint64_t memory = 128 * cost.r * (n + cost.p + 2) + (1 << 20);
  const int done = EVP_PBE_scrypt(password.data(), password.size(), as_bytes(salt).data(), salt.size(), n, cost.r, cost.p, memory,
                                  reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  if (done == 1) return hash;
  ERR_clear_error();
  return std::nullopt;
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::string> make_password_record(std::string_view password, unsigned log_n) {
  Cost cost;
  cost.log_n = log_n;
  const std::string salt = random_bytes(salt_bytes);
  const auto hash = scrypt(password, salt, cost);
  if (!hash) return Error{ErrorCode::io, "there is too little memory to hash a password"};
  return fmt::format("scrypt${}${}${}${}${}", cost.log_n, cost.r, cost.p, encode_base64(salt), encode_base64(*hash));
}

bool password_fits(std::string_view password, std::string_view record) {
  const auto fields = split(record, '$');
  if (fields.size() != 6 || fields[0] != "scrypt") return false;
  const auto log_n = number(fields[1]), r = number(fields[2]), p = number(fields[3]);
  const auto salt = decode_base64(fields[4]), expected = decode_base64(fields[5]);
  if (!log_n || !r || !p || !salt || !expected || expected->size() != hash_bytes) return false;
  if (*log_n < 1 || *log_n > 17 || *r < 1 || *r > 8 || *p < 1 || *p > 4) return false;
  const auto hash = scrypt(password, *salt, {*log_n, *r, *p});
  return hash && CRYPTO_memcmp(hash->data(), expected->data(), hash_bytes) == 0;
}

std::string make_unfitting_password_record(unsigned log_n) {
  return fmt::format("scrypt${}${}${}${}${}", log_n, Cost().r, Cost().p, encode_base64(random_bytes(salt_bytes)), encode_base64(random_bytes(hash_bytes)));
}

}  // namespace lazaret
