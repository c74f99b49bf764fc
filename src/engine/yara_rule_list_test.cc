#include "engine/yara_rule_list.h"

#include <gtest/gtest.h>

namespace lazaret::engine {
namespace {

std::vector<YaraRule> some_rules() {
  const auto compiled = compile_yara(std::vector<YaraText>{
      {"one", "one", R"(rule a : tag other { meta: author = "somebody \x00\xff" score = -3 sure = false condition: true } private rule b { condition: true })"},
      {"two", "two", R"(rule a { condition: false })"}});
  EXPECT_TRUE(compiled.ok());
  return list_rules(compiled->get());
}

TEST(YaraRuleList, ReadsWhatItWrote) {
  const std::vector<YaraRule> rules = some_rules();
  ASSERT_EQ(rules.size(), 3u);
  const auto read = read_rule_list(write_rule_list(rules));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 3u);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    EXPECT_EQ((*read)[i].name, rules[i].name);
    EXPECT_EQ((*read)[i].namespace_name, rules[i].namespace_name);
    EXPECT_EQ((*read)[i].is_private, rules[i].is_private);
    EXPECT_EQ((*read)[i].tags, rules[i].tags);
    EXPECT_EQ((*read)[i].metadata, rules[i].metadata);
  }
  EXPECT_EQ((*read)[0].tags, (std::vector<std::string>{"tag", "other"}));
  EXPECT_EQ((*read)[0].metadata[1], (std::pair<std::string, std::string>{"score", "-3"}));
  EXPECT_TRUE((*read)[1].is_private);
  EXPECT_EQ(read_rule_list(write_rule_list({}))->size(), 0u);
}

TEST(YaraRuleList, TruncatedOrLongerItIsNone) {
  const std::string bytes = write_rule_list(some_rules());
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_rule_list(std::string_view(bytes).substr(0, size)).has_value()) << size;
  EXPECT_FALSE(read_rule_list(bytes + "x").has_value());
  // A size that promises more than there is.
  EXPECT_FALSE(read_rule_list("\xff\xff\xff\xff").has_value());
  EXPECT_FALSE(read_rule_list(std::string("\1\0\0\0\xff\xff\xff\xff" "ab", 10)).has_value());
}

}  // namespace
}  // namespace lazaret::engine
