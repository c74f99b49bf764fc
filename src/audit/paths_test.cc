#include "audit/paths.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

TEST(Paths, AreResolvedAndNeverLeaveTheRoot) {
  EXPECT_EQ(canonical_path("./usr//bin/./../x/"), "/usr/x");
  EXPECT_EQ(canonical_path("../../../etc/passwd"), "/etc/passwd");
  EXPECT_EQ(canonical_path("/.."), "/");
  EXPECT_EQ(canonical_path(""), "/");
  EXPECT_EQ(canonical_path("..."), "/...");
  EXPECT_EQ(canonical_path(std::string("a\0b", 3)), std::string("/a\0b", 4));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "d/";
  EXPECT_EQ(canonical_path(deep).size(), 200'000u);
  for (int i = 0; i < 100'000; ++i) deep += "../";
  EXPECT_EQ(canonical_path(deep), "/");
}

TEST(Paths, AreKnownWhenNothingIsLeftToResolve) {
  for (const char* path : {"/", "/a", "/a/b", "/...", "/.a", "/..a/b", "/a.", "/a../b", "/.a."}) {
    EXPECT_TRUE(is_canonical_path(path)) << path;
    EXPECT_EQ(canonical_path(path), path);
  }
  for (const char* path : {"", "a", "//", "/a/", "/a//b", "/.", "/./a", "/a/.", "/..", "/../a", "/a/..", "/a/../b", "/a/./b"}) {
    EXPECT_FALSE(is_canonical_path(path)) << path;
    EXPECT_NE(canonical_path(path), path);
  }
}

TEST(Paths, EscapeIsToldWhereverItHappens) {
  EXPECT_TRUE(path_escapes("../a"));
  EXPECT_TRUE(path_escapes("a/../../b/c"));
  EXPECT_TRUE(path_escapes("/.."));
  EXPECT_FALSE(path_escapes("a/b/../../c"));
  EXPECT_FALSE(path_escapes("..a/b.."));
  EXPECT_FALSE(path_escapes(""));
}

TEST(Paths, FolderAndName) {
  EXPECT_EQ(folder_of("/a/b"), "/a");
  EXPECT_EQ(folder_of("/a"), "/");
  EXPECT_EQ(folder_of("/"), "/");
  EXPECT_EQ(name_of_path("/a/b"), "b");
  EXPECT_EQ(name_of_path("/"), "");
}

TEST(Paths, MergedUsr) {
  EXPECT_EQ(usr_merged_path("/bin/ls"), "/usr/bin/ls");
  EXPECT_EQ(usr_merged_path("/lib64/ld.so"), "/usr/lib64/ld.so");
  EXPECT_EQ(usr_merged_path("/usr/bin/ls"), "/usr/bin/ls");
  EXPECT_EQ(usr_merged_path("/library/x"), "/library/x");
  EXPECT_EQ(usr_merged_path("/bin"), "/bin");
}

TEST(Paths, DocumentationIsWhereDistributionsPutIt) {
  EXPECT_TRUE(is_documentation_path("/usr/share/doc/x/README"));
  EXPECT_TRUE(is_documentation_path("/usr/share/man/man1/x.1.gz"));
  EXPECT_FALSE(is_documentation_path("/opt/usr/share/doc/x"));
  EXPECT_FALSE(is_documentation_path("/usr/share/docs"));
  EXPECT_FALSE(is_documentation_path("/doc/x"));
}

}  // namespace
}  // namespace lazaret::audit
