#include "detect/program_data_support.h"

#include <gtest/gtest.h>

namespace lazaret::detect {
namespace {

TEST(ProgramData, TheFileOfThisBuild) { EXPECT_GE(known_programs().size(), 30u); }

TEST(ProgramData, MessagesSayWhatIsWrong) {
  const auto message = [](std::string_view toml) {
    const auto parsed = parse_programs(toml);
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_EQ(message("[[program]]\nname='a'\nkind='c2'\nsource='x'\nmarks=['some mark']\n"), "");
  EXPECT_NE(message("[[program]]\nname='a'\nkind='c3'\nsource='x'\nmarks=['some mark']\n").find("no kind 'c3'"), std::string::npos);
  EXPECT_NE(message("[[program]]\nname='a'\nkind='c2'\nsource='x'\n").find("how to know it"), std::string::npos);
  EXPECT_NE(message("[[program]]\nname='a'\nkind='c2'\nsource='x'\nmarks=['x']\n").find("four letters"), std::string::npos);
  EXPECT_NE(message("[[program]]\nname='a'\nkind='c2'\nmarks=['some mark']\n").find("'source'"), std::string::npos);
  EXPECT_NE(message("[[program]]\nname='a'\nkind='c2'\nsource='x'\nmark=['some mark']\n").find("unknown key 'mark'"), std::string::npos);
  EXPECT_NE(message("[[programs]]\n").find("unknown key"), std::string::npos);
  EXPECT_NE(message("[[program").find("programs.toml:1"), std::string::npos);
}

TEST(ProgramData, Below) {
  EXPECT_TRUE(is_below("a/b", "a/b"));
  EXPECT_TRUE(is_below("a/b/v2", "a/b"));
  EXPECT_FALSE(is_below("a/bc", "a/b"));
  EXPECT_FALSE(is_below("a", "a/b"));
}

}  // namespace
}  // namespace lazaret::detect
