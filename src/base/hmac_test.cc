#include "base/hmac.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "base/text.h"

namespace lazaret {
namespace {

TEST(Hmac, TestCaseTwoOfRfc4231) {
  EXPECT_EQ(to_hex(as_bytes(hmac_sha256("Jefe", "what do ya want for nothing?"))), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hmac, AKeyIsMadeOnceAndForItsOwnerAlone) {
  char name[] = "/tmp/lazaret-hmac-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string path = folder + "/key";
  const auto made = read_or_make_key(path), again = read_or_make_key(path);
  ASSERT_TRUE(made.ok() && again.ok());
  EXPECT_EQ(made->size(), 32u);
  EXPECT_EQ(*made, *again);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::ofstream(path) << "short";
  EXPECT_FALSE(read_or_make_key(path).ok()) << "a damaged key is not replaced: what it signed would be worthless";
  EXPECT_FALSE(read_or_make_key(folder + "/none/key").ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lazaret
