#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace lazaret {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t at = 0; at < count;) {
    const ssize_t got = getrandom(bytes.data() + at, count - at, 0);
    if (got < 0 && errno != EINTR) std::abort();
    if (got > 0) at += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace lazaret
