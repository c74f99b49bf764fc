#include "base/digest.h"

#include <gtest/gtest.h>

namespace lazaret {
namespace {

constexpr std::string_view empty_sha256 =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Digest, KnownValues) {
  EXPECT_EQ(sha256({}).str(), empty_sha256);
  EXPECT_EQ(hash(HashAlgorithm::md5, as_bytes("abc")).hex(), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hash(HashAlgorithm::sha1, as_bytes("abc")).hex(),
            "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, ParsesOnlyTheCanonicalForm) {
  EXPECT_EQ(Digest::parse(empty_sha256), sha256({}));
  EXPECT_FALSE(
      Digest::parse("sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"));
  EXPECT_FALSE(Digest::parse("sha256:e3b0"));
  EXPECT_FALSE(Digest::parse("md5:d41d8cd98f00b204e9800998ecf8427e"));
  EXPECT_FALSE(
      Digest::parse("sha256:../../../../../../../../../../../../../../../../../../../../../x"));
  EXPECT_FALSE(Digest::parse(""));
}

TEST(Hasher, InPiecesEqualsAtOnceAndIsReusable) {
  Hasher hasher;
  hasher.update(as_bytes("ab"));
  hasher.update(as_bytes("c"));
  EXPECT_EQ(hasher.finish(), sha256(as_bytes("abc")));
  EXPECT_EQ(hasher.finish(), sha256({}));
}

}  // namespace
}  // namespace lazaret
