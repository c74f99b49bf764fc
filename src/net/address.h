// Addresses of clients and listeners as text and as keys.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace lazaret::net {

// An IP address; IPv4 as its IPv6-mapped form, so that one client has one form on all sockets.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  static std::optional<IpAddress> parse(std::string_view text);
  static std::optional<IpAddress> of(const sockaddr_storage& address);
  bool is_ipv4() const;
  std::string str() const;  // "203.0.113.7" or "2001:db8::1"
  bool operator==(const IpAddress&) const = default;
};

// What limits count by: an IPv4 address, or the /64 of an IPv6 one, which is what one household gets.
std::string client_key(std::string_view address);

// A set of networks: "10.0.0.0/8", "2001:db8::/32", or single addresses.
class NetworkSet {
 public:
  static Result<NetworkSet> parse(const std::vector<std::string>& networks);
  bool contains(const IpAddress& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    IpAddress address;
    unsigned bits;  // of the 128
  };
  std::vector<Network> networks_;
};

struct Listener {
  FileDescriptor socket;
  std::string address;     // "127.0.0.1:5000", "unix:/path"
  std::uint16_t port = 0;  // 0: a Unix socket
  std::string unix_path;   // to be removed at the end
};

// Binds "host:port", "[v6]:port", ":port" (IPv6 and IPv4) or "unix:/path" and listens, without blocking.
Result<Listener> listen_on(const std::string& address);

}  // namespace lazaret::net
