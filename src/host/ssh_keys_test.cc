#include "host/ssh_keys.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace lazaret::host {
namespace {

std::string body(const std::string& type) { return encode_base64(std::string("\0\0\0", 3) + static_cast<char>(type.size()) + type + std::string("\0\0\0\x20", 4) + std::string(32, 'k')); }

TEST(SshKeys, LinesWithAndWithoutOptions) {
  const std::string ed = body("ssh-ed25519"), rsa = body("ssh-rsa");
  const auto keys = read_authorized_keys("# mine\n\nssh-ed25519 " + ed + " alice@host with spaces\r\n" + R"(no-pty,command="echo \"a b\" >> /x",from="192.0.2.1" ssh-rsa )" + rsa + "\n");
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].line, 3u);
  EXPECT_EQ(keys[0].comment, "alice@host with spaces");
  EXPECT_EQ(keys[0].body, ed);
  EXPECT_EQ(keys[0].fingerprint.size(), 7u + 43u);
  EXPECT_EQ(keys[1].type, "ssh-rsa");
  EXPECT_EQ(forced_command(keys[1].options), "echo \"a b\" >> /x");
  EXPECT_EQ(forced_command(keys[0].options), "");
}

TEST(SshKeys, WhatSshdWouldNotTakeIsNoKey) {
  const std::string ed = body("ssh-ed25519");
  for (const std::string& line : std::vector<std::string>{"ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !!!!", "ssh-rsa " + ed, "word word word " + ed, "command=\"unclosed ssh-rsa AAAA", "ssh-rsa AAAA", "\""})
    EXPECT_TRUE(read_authorized_keys(line).empty()) << line;
  EXPECT_EQ(forced_command("command=\"x"), "x");
  EXPECT_EQ(forced_command("from=\"command=\\\"x\\\"\""), "");
}

TEST(SshKeys, WhereTheFilesAre) {
  EXPECT_EQ(authorized_keys_files("Port 22\n").size(), 2u);
  EXPECT_EQ(authorized_keys_files("#AuthorizedKeysFile x\nauthorizedkeysfile=/etc/keys/%u \"%h/own\"\nMatch all\n AuthorizedKeysFile /more/%u\n"), (std::vector<std::string>{"/etc/keys/%u", "%h/own", "/more/%u"}));
}

}  // namespace
}  // namespace lazaret::host
