#include "registry/name.h"

#include <gtest/gtest.h>

namespace lazaret::registry {
namespace {

TEST(Name, RepositoryNamesAreThoseOfTheSpecification) {
  for (const std::string name : {"a", "alice/tomcat", "a/b/c/d", "a.b/c_d/e__f/g-h/i---j", "0/1", "a/manifests/b", "blobs/uploads"}) EXPECT_TRUE(is_repository_name(name)) << name;
  for (const std::string name : {"", "/", "a/", "/a", "a//b", "A", "a/B", ".a", "a.", "a..b", "a_", "_a", "a___b", "a._b", "a-", "-a", "a/-", "a b", "a\nb", "\xc3\xa4", "a:b", "a@b", "a/../b", ".."}) {
    EXPECT_FALSE(is_repository_name(name)) << name;
  }
  EXPECT_TRUE(is_repository_name(std::string(229, 'a')));
  EXPECT_FALSE(is_repository_name(std::string(230, 'a')));
  EXPECT_FALSE(is_repository_name(std::string("a\0b", 3)));
}

TEST(Name, Tags) {
  for (const std::string tag : {"latest", "1.0", "_x", "A-b.c_D", "sha256-abc.sig"}) EXPECT_TRUE(is_tag(tag)) << tag;
  for (const std::string tag : {"", ".x", "-x", "a/b", "a:b", "a b", "\xc3\xa4"}) EXPECT_FALSE(is_tag(tag)) << tag;
  EXPECT_TRUE(is_tag(std::string(128, 'a')));
  EXPECT_FALSE(is_tag(std::string(129, 'a')));
}

TEST(Name, PathsAreReadFromTheRight) {
  const auto route = [](std::string_view path) {
    const auto found = parse_route(path);
    if (!found) return std::string("nothing");
    static const char* const kinds[] = {"root", "catalog", "tags", "manifest", "blob", "start", "upload", "referrers"};
    return std::string(kinds[static_cast<int>(found->kind)]) + " " + found->repository + " " + found->reference;
  };
  EXPECT_EQ(route("/v2/"), "root  ");
  EXPECT_EQ(route("/v2"), "root  ");
  EXPECT_EQ(route("/v2/_catalog"), "catalog  ");
  EXPECT_EQ(route("/v2/a/b/manifests/latest"), "manifest a/b latest");
  EXPECT_EQ(route("/v2/a/manifests/b/manifests/c"), "manifest a/manifests/b c");
  EXPECT_EQ(route("/v2/a/blobs/b/blobs/sha256:x"), "blob a/blobs/b sha256:x");
  EXPECT_EQ(route("/v2/a/tags/list"), "tags a ");
  EXPECT_EQ(route("/v2/tags/list/tags/list"), "tags tags/list ");
  EXPECT_EQ(route("/v2/a/blobs/uploads/"), "start a ");
  EXPECT_EQ(route("/v2/a/blobs/uploads"), "start a ");
  EXPECT_EQ(route("/v2/a/blobs/uploads/0-1"), "upload a 0-1");
  EXPECT_EQ(route("/v2/a/blobs/uploads/blobs/uploads/"), "start a/blobs/uploads ");
  EXPECT_EQ(route("/v2/a/blobs/uploads/manifests/x"), "manifest a/blobs/uploads x");
  EXPECT_EQ(route("/v2/a/referrers/sha256:x"), "referrers a sha256:x");
  for (const char* path : {"", "/", "/v1/", "/v2/a", "/v2/manifests/x", "/v2/tags/list", "/v2/blobs/uploads/", "/v2/a/b", "/v2/a/other/x", "/v2//manifests/x"}) {
    const auto found = parse_route(path);
    EXPECT_TRUE(!found || !is_repository_name(found->repository)) << path;
  }
}

}  // namespace
}  // namespace lazaret::registry
