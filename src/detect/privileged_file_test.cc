#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector privileged_file_detector;

namespace {

// As setcap writes them.
const std::string sys_admin("\x01\x00\x00\x02\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
const std::string net_raw("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);

std::vector<std::string> look(const std::string& path, std::uint32_t mode, const std::string& capabilities = "", std::uint32_t uid = 0) {
  test::FakeImage image;
  image.add_file(path, "content", mode);
  image.set_owner(path, uid, 0);
  image.set_capabilities(path, capabilities);
  std::vector<std::string> ids;
  for (const ImageFinding& finding : test::inspect_image(privileged_file_detector, image)) ids.emplace_back(finding.rule->id);
  return ids;
}
using Ids = std::vector<std::string>;

TEST(PrivilegedFile, ShellsAndInterpreters) {
  EXPECT_EQ(look("/usr/local/bin/bash", 04755), Ids{"persistence.privileged-shell"});
  EXPECT_EQ(look("/opt/python3.11", 0755, sys_admin), Ids{"persistence.privileged-shell"});
  EXPECT_EQ(look("/bin/bash", 0755), Ids{});
  EXPECT_EQ(look("/bin/bash", 04644), Ids{}) << "nobody can start it";
  EXPECT_EQ(look("/bin/bash", 04755, "", 1000), Ids{}) << "becomes another user, not root";
  EXPECT_EQ(look("/usr/bin/python3", 0755, net_raw), Ids{});
}

TEST(PrivilegedFile, WritableTemporaryCapable) {
  EXPECT_EQ(look("/usr/bin/su", 04757), Ids{"persistence.privileged-writable"});
  EXPECT_EQ(look("/tmp/.x", 04755), Ids{"persistence.privileged-in-temporary-folder"});
  EXPECT_EQ(look("/usr/bin/tracer", 0755, sys_admin), Ids{"anomaly.file-capabilities"});
}

TEST(PrivilegedFile, WhatDistributionsHave) {
  EXPECT_EQ(look("/usr/bin/su", 04755), Ids{});
  EXPECT_EQ(look("/usr/bin/wall", 02755), Ids{});
  EXPECT_EQ(look("/usr/bin/ping", 0755, net_raw), Ids{});
  EXPECT_EQ(look("/usr/bin/ping", 0755, "damaged"), Ids{});
}

}  // namespace
}  // namespace lazaret::detect
