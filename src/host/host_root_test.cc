#include "host/host_root.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "source/store_test_support.h"

namespace lazaret::host {
namespace {

using source::TemporaryFolder;

TEST(HostRoot, LinksStayInside) {
  const TemporaryFolder outside, folder;
  outside.write("secret", "outside");
  folder.write("srv/real/file", "inside");
  folder.write("secret", "root's own");
  std::filesystem::create_symlink("/srv/real", folder.path("etc"));
  std::filesystem::create_symlink(outside.path("secret"), folder.path("absolute"));
  std::filesystem::create_symlink("../../../../secret", folder.path("srv/up"));
  const auto root = HostRoot::open(folder.path());
  ASSERT_TRUE(root.ok());
  EXPECT_FALSE(root->is_live());
  EXPECT_EQ(*root->read("/etc/file", 100), "inside");
  EXPECT_EQ(*root->read("/../../secret", 100), "root's own");
  EXPECT_EQ(*root->read("/srv/up", 100), "root's own");
  EXPECT_EQ(root->read("/absolute", 100).error().code, ErrorCode::not_found);
  EXPECT_TRUE(HostRoot::open("/")->is_live());
}

TEST(HostRoot, OnlyRegularFilesAreRead) {
  const TemporaryFolder folder;
  folder.write("large", std::string(100'000, 'x'));
  ASSERT_EQ(mkfifo(folder.path("fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("fifo", folder.path("link"));
  std::filesystem::create_symlink("loop", folder.path("loop"));
  std::filesystem::create_symlink("/proc/self/root", folder.path("magic"));
  const auto root = HostRoot::open(folder.path());
  EXPECT_EQ(root->read("fifo", 100).error().code, ErrorCode::corrupt);
  EXPECT_EQ(root->read("link", 100).error().code, ErrorCode::corrupt);
  EXPECT_EQ(root->read("loop", 100).error().code, ErrorCode::corrupt);
  EXPECT_EQ(root->read("/", 100).error().code, ErrorCode::corrupt);
  EXPECT_EQ(root->read("large", 99'999).error().code, ErrorCode::limit);
  EXPECT_EQ(root->read("large", 100'000)->size(), 100'000u);
  EXPECT_EQ(root->list("/", 3).error().code, ErrorCode::limit);
  EXPECT_EQ(root->list("/", 10)->size(), 5u);
  EXPECT_EQ(root->read(std::string_view("a\0b", 3), 10).error().code, ErrorCode::corrupt);
  // A link of the kernel's own making leads out of every root.
  const auto live = HostRoot::open("/");
  EXPECT_FALSE(live->open_folder("/proc/self/root").ok());
}

}  // namespace
}  // namespace lazaret::host
