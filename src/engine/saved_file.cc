#include "engine/saved_file.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/digest.h"

namespace lazaret::engine {
namespace {

// The checksum stands in front, as hexadecimal digits.
constexpr std::size_t checksum_size = 64;

}  // namespace

std::optional<std::string> load_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) return std::nullopt;
  std::string bytes = text.str();
  if (bytes.size() < checksum_size) return std::nullopt;
  const std::string_view content = std::string_view(bytes).substr(checksum_size);
  if (sha256(as_bytes(content)).hex() != std::string_view(bytes).substr(0, checksum_size)) return std::nullopt;
  bytes.erase(0, checksum_size);
  return bytes;
}

void save_file(const std::string& file, const std::string& bytes) {
  const std::string partial = file + "." + std::to_string(::getpid());
  {
    std::ofstream out(partial, std::ios::binary | std::ios::trunc);
    out << sha256(as_bytes(bytes)).hex() << bytes;
    if (!out.flush()) {
      ::unlink(partial.c_str());
      return;
    }
  }
  if (std::rename(partial.c_str(), file.c_str()) != 0) ::unlink(partial.c_str());
}

}  // namespace lazaret::engine
