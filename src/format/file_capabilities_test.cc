#include "format/file_capabilities.h"

#include <gtest/gtest.h>

namespace lazaret::format {
namespace {

// As `setcap cap_net_raw,cap_sys_admin+ep` writes it.
const std::string value("\x01\x00\x00\x02\x00\x20\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);

TEST(FileCapabilities, RevisionTwo) {
  const FileCapabilities capabilities = parse_file_capabilities(as_bytes(value));
  ASSERT_TRUE(capabilities.valid);
  EXPECT_EQ(capabilities.revision, 2u);
  EXPECT_TRUE(capabilities.effective);
  EXPECT_EQ(capabilities.names(), (std::vector<std::string>{"cap_net_raw", "cap_sys_admin"}));
}

TEST(FileCapabilities, OtherRevisions) {
  std::string three = value + std::string("\xe8\x03\x00\x00", 4);
  three[3] = 3;
  three[12] = 0x03;  // 32 and 33 are in the second word
  const FileCapabilities namespaced = parse_file_capabilities(as_bytes(three));
  ASSERT_TRUE(namespaced.valid);
  EXPECT_EQ(namespaced.root_id, 1000u);
  EXPECT_TRUE(namespaced.has(33));
  std::string one = value.substr(0, 12);
  one[3] = 1;
  EXPECT_TRUE(parse_file_capabilities(as_bytes(one)).valid);
}

TEST(FileCapabilities, WrongSizesAndRevisions) {
  for (std::size_t size = 0; size < value.size(); ++size) EXPECT_FALSE(parse_file_capabilities(as_bytes(value).first(size)).valid);
  EXPECT_FALSE(parse_file_capabilities(as_bytes(value + "x")).valid);
  std::string unknown = value;
  unknown[3] = 9;
  EXPECT_FALSE(parse_file_capabilities(as_bytes(unknown)).valid);
}

}  // namespace
}  // namespace lazaret::format
