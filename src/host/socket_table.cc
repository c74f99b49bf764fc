#include "host/socket_table.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace lazaret::host {
namespace {

constexpr unsigned listen_state = 0x0a;

template <typename T>
std::optional<T> number(std::string_view text, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// 32-bit words in the byte order of the host, each written as a number.
std::optional<std::string> address_of(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < hex.size() / 8; ++i) {
    const auto word = number<std::uint32_t>(hex.substr(i * 8, 8), 16);
    if (!word) return std::nullopt;
    words[i] = *word;
  }
  char text[INET6_ADDRSTRLEN] = "";
  const bool mapped = hex.size() == 32 && words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff);
  if (hex.size() == 8 || mapped) {
    inet_ntop(AF_INET, mapped ? &words[3] : &words[0], text, sizeof text);
  } else {
    inet_ntop(AF_INET6, words.data(), text, sizeof text);
  }
  return std::string(text);
}

std::optional<std::pair<std::string, std::uint16_t>> endpoint_of(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto address = address_of(text.substr(0, colon));
  const auto port = number<std::uint16_t>(text.substr(colon + 1), 16);
  if (!address || !port) return std::nullopt;
  return std::pair(std::move(*address), *port);
}

}  // namespace

std::string TcpSocket::remote_text() const { return remote.find(':') == std::string::npos ? fmt::format("{}:{}", remote, remote_port) : fmt::format("[{}]:{}", remote, remote_port); }

std::vector<TcpSocket> read_socket_table(std::string_view text, std::size_t limit, bool& more) {
  std::vector<TcpSocket> sockets;
  more = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::array<std::string_view, 10> fields{};
    std::size_t count = 0;
    for (const std::string_view field : split(line, ' ')) {
      if (!field.empty() && count < fields.size()) fields[count++] = field;
    }
    if (count < fields.size()) continue;
    const auto local = endpoint_of(fields[1]), remote = endpoint_of(fields[2]);
    const auto state = number<unsigned>(fields[3], 16);
    const auto inode = number<std::uint64_t>(fields[9], 10);
    if (!local || !remote || !state || !inode) continue;
    if (sockets.size() >= limit) {
      more = true;
      break;
    }
    sockets.push_back({local->first, remote->first, local->second, remote->second, *inode, *state == listen_state});
  }
  return sockets;
}

bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

}  // namespace lazaret::host
