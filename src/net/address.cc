#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/text.h"

namespace lazaret::net {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string system_error() {
  return std::generic_category().message(errno);
}

std::optional<unsigned> parse_number(std::string_view text, unsigned most) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > most) return std::nullopt;
  return value;
}

Result<Listener> listen_on_path(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path)
    return Error{ErrorCode::invalid, fmt::format("the socket path {} is empty or longer than {} bytes", escape(path), sizeof name.sun_path - 1)};
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  Listener listener;
  listener.socket = FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.socket) return Error{ErrorCode::io, "no socket can be made: " + system_error()};
  // A socket that a dead server left behind refuses connections; one that answers belongs to somebody.
  if (connect(listener.socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0)
    return Error{ErrorCode::busy, fmt::format("another server listens on {}; stop it, or choose another path", escape(path))};
  struct stat file {};
  if (lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode)) unlink(path.c_str());
  listener.socket = FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 || listen(listener.socket.get(), 4096) != 0)
    return Error{ErrorCode::io, fmt::format("cannot listen on {}: {}", escape(path), system_error())};
  listener.address = "unix:" + path;
  listener.unix_path = path;
  return listener;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  const std::string copy(text);
  IpAddress address;
  if (in_addr four{}; inet_pton(AF_INET, copy.c_str(), &four) == 1) {
    std::memcpy(address.bytes.data(), mapped_prefix.data(), 12);
    std::memcpy(address.bytes.data() + 12, &four, 4);
    return address;
  }
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::of(const sockaddr_storage& address) {
  IpAddress result;
  if (address.ss_family == AF_INET) {
    std::memcpy(result.bytes.data(), mapped_prefix.data(), 12);
    std::memcpy(result.bytes.data() + 12, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    return result;
  }
  if (address.ss_family == AF_INET6) {
    std::memcpy(result.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
    return result;
  }
  return std::nullopt;
}

bool IpAddress::is_ipv4() const {
  return std::memcmp(bytes.data(), mapped_prefix.data(), 12) == 0;
}

std::string IpAddress::str() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv4()) {
    inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  }
  return text;
}

std::string client_key(std::string_view address) {
  auto parsed = IpAddress::parse(address);
  if (!parsed) return std::string(address);
  if (parsed->is_ipv4()) return parsed->str();
  std::memset(parsed->bytes.data() + 8, 0, 8);
  return parsed->str() + "/64";
}

Result<NetworkSet> NetworkSet::parse(const std::vector<std::string>& networks) {
  NetworkSet set;
  for (const std::string& text : networks) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(std::string_view(text).substr(0, slash));
    const bool four = address && address->is_ipv4();
    std::optional<unsigned> bits = four ? 32u : 128u;
    if (slash != std::string::npos) bits = parse_number(std::string_view(text).substr(slash + 1), *bits);
    if (!address || !bits)
      return Error{ErrorCode::invalid, fmt::format("{} is no address and no network; write 10.0.0.0/8 or 2001:db8::/32", escape(text))};
    set.networks_.push_back({*address, *bits + (four ? 96u : 0u)});
  }
  return set;
}

bool NetworkSet::contains(const IpAddress& address) const {
  for (const Network& network : networks_) {
    const unsigned whole = network.bits / 8, rest = network.bits % 8;
    if (std::memcmp(network.address.bytes.data(), address.bytes.data(), whole) != 0) continue;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    if (((network.address.bytes[whole] ^ address.bytes[whole]) & mask) == 0) return true;
  }
  return false;
}

Result<Listener> listen_on(const std::string& address) {
  if (address.starts_with("unix:")) return listen_on_path(address.substr(5));
  const auto colon = address.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : parse_number(std::string_view(address).substr(colon + 1), 65535);
  std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  const bool any = host.empty() || host == "*";
  const auto ip = any ? IpAddress{} : IpAddress::parse(host).value_or(IpAddress{});
  if (!port || (!any && !IpAddress::parse(host)))
    return Error{ErrorCode::invalid, fmt::format("cannot listen on {}: write ADDRESS:PORT (127.0.0.1:5000, [::1]:5000, :5000 for all addresses) or unix:/PATH", escape(address))};

  sockaddr_storage name{};
  socklen_t size = 0;
  Listener listener;
  if (!any && ip.is_ipv4()) {
    auto& four = reinterpret_cast<sockaddr_in&>(name);
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<std::uint16_t>(*port));
    std::memcpy(&four.sin_addr, ip.bytes.data() + 12, 4);
    size = sizeof four;
  } else {
    auto& six = reinterpret_cast<sockaddr_in6&>(name);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<std::uint16_t>(*port));
    std::memcpy(&six.sin6_addr, ip.bytes.data(), 16);
    size = sizeof six;
  }
  const auto open = [&] {
    listener.socket = FileDescriptor(socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1, off = 0;
    setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (name.ss_family == AF_INET6) setsockopt(listener.socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    return listener.socket && bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&name), size) == 0 &&
           listen(listener.socket.get(), 4096) == 0;
  };
  bool listening = open();
  if (!listening && any && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {  // a machine without IPv6
    name = {};
    auto& four = reinterpret_cast<sockaddr_in&>(name);
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<std::uint16_t>(*port));
    size = sizeof four;
    listening = open();
  }
  if (!listening) {
    const std::string_view advice = errno == EADDRINUSE ? "; another program listens there: stop it, or choose another port"
                                    : errno == EACCES   ? "; ports below 1024 need the right to bind them"
                                                        : "";
    return Error{ErrorCode::io, fmt::format("cannot listen on {}: {}{}", escape(address), system_error(), advice)};
  }
  size = sizeof name;
  getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&name), &size);
  listener.port = ntohs(name.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(name).sin_port : reinterpret_cast<sockaddr_in6&>(name).sin6_port);
  const std::string shown = any ? (name.ss_family == AF_INET ? "0.0.0.0" : "[::]") : ip.is_ipv4() ? ip.str() : "[" + ip.str() + "]";
  listener.address = fmt::format("{}:{}", shown, listener.port);
  return listener;
}

}  // namespace lazaret::net
