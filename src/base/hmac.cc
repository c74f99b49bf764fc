#include "base/hmac.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/file_descriptor.h"
#include "base/random.h"

namespace lazaret {
namespace {

constexpr std::size_t key_bytes = 32;

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  unsigned char value[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(text).data(), text.size(), value, &size);
  return {reinterpret_cast<const char*>(value), size};
}

Result<std::string> read_or_make_key(const std::string& path) {
  const auto fail = [&](std::string_view what) { return Error{ErrorCode::io, fmt::format("cannot {} the key {}: {}", what, path, std::strerror(errno))}; };
  if (const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); file) {
    std::string key(key_bytes + 1, '\0');
    const ssize_t got = ::read(file.get(), key.data(), key.size());
    if (got < 0) return fail("read");
    if (got != static_cast<ssize_t>(key_bytes)) return Error{ErrorCode::corrupt, fmt::format("the key {} does not have {} bytes: restore it from a backup", path, key_bytes)};
    key.resize(key_bytes);
    return key;
  }
  if (errno != ENOENT) return fail("read");
  // Whole under its name or not at all.
  const std::string key = random_bytes(key_bytes), unfinished = path + ".new";
  const FileDescriptor file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail("make");
  if (::write(file.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size()) || ::fsync(file.get()) != 0) return fail("write");
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return fail("make");
  return key;
}

}  // namespace lazaret
