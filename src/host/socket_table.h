// The kernel's table of TCP sockets as /proc/PID/net/tcp and tcp6 show it (proc(5), Documentation/networking/proc_net_tcp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::host {

struct TcpSocket {
  std::string local, remote;  // "192.0.2.1", "2001:db8::1"; IPv4 in IPv6 as IPv4
  std::uint16_t local_port = 0, remote_port = 0;
  std::uint64_t inode = 0;
  bool listening = false;

  std::string remote_text() const;  // "192.0.2.1:80", "[2001:db8::1]:80"
};

// Lines that make no sense are left out. At most `limit` sockets; `more` says that there are more.
std::vector<TcpSocket> read_socket_table(std::string_view text, std::size_t limit, bool& more);

bool is_loopback(std::string_view address);

}  // namespace lazaret::host
