#include "host/socket_table.h"

#include <gtest/gtest.h>

namespace lazaret::host {
namespace {

constexpr std::string_view table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0000000000000000 100 0 0 10 0\n"
    "   1: 0100007F:C350 C40071CB:201C 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 0000000000000000 20 4 30 10 -1\n";

TEST(SocketTable, AddressesPortsAndStates) {
  bool more = true;
  const auto sockets = read_socket_table(table, 10, more);
  EXPECT_FALSE(more);
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_TRUE(sockets[0].listening);
  EXPECT_EQ(sockets[0].local_port, 2375);
  EXPECT_EQ(sockets[0].inode, 100u);
  EXPECT_EQ(sockets[1].local, "127.0.0.1");
  EXPECT_EQ(sockets[1].remote_text(), "203.113.0.196:8220");
  EXPECT_FALSE(sockets[1].listening);
}

TEST(SocketTable, AddressesOfSixteenBytes) {
  bool more = false;
  const auto sockets = read_socket_table(
      " 0: 00000000000000000000000000000000:0016 B80D0120000000000000000001000000:0050 01 0:0 0:0 0 0 0 7 1\n"
      " 1: 00000000000000000000000001000000:0016 0000000000000000FFFF0000010200C0:0050 01 0:0 0:0 0 0 0 8 1\n",
      10, more);
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].remote_text(), "[2001:db8::1]:80");
  EXPECT_TRUE(is_loopback(sockets[1].local));
  EXPECT_EQ(sockets[1].remote, "192.0.2.1");
}

TEST(SocketTable, EveryPrefixAndNonsense) {
  bool more = false;
  for (std::size_t size = 0; size <= table.size(); ++size) EXPECT_LE(read_socket_table(table.substr(0, size), 10, more).size(), 2u);
  for (const char* text : {"", "\n\n\n", "a b c d e f g h i j k", " 0: 0100007F C40071CB 01 0 0 0 0 0 5 1", " 0: 0100007F:FFFFF C40071CB:0 01 0:0 0:0 0 0 0 5 1", " 0: XXXXXXXX:0050 C40071CB:0 01 0:0 0:0 0 0 0 5 1"})
    EXPECT_TRUE(read_socket_table(text, 10, more).empty()) << text;
  EXPECT_EQ(read_socket_table(table, 1, more).size(), 1u);
  EXPECT_TRUE(more);
}

}  // namespace
}  // namespace lazaret::host
