#include "engine/yara_lexer.h"

#include <gtest/gtest.h>

#include <vector>

namespace lazaret::engine {
namespace {

using Kind = YaraToken::Kind;

std::vector<YaraToken> tokens_of(std::string_view source) {
  YaraLexer lexer(source);
  std::vector<YaraToken> tokens;
  do {
    tokens.push_back(lexer.next());
  } while (tokens.back().kind != Kind::end && tokens.back().kind != Kind::bad && tokens.size() < 1000);
  return tokens;
}

YaraToken one(std::string_view source) {
  const auto tokens = tokens_of(source);
  EXPECT_EQ(tokens.size(), 2u) << source;
  return tokens.front();
}

TEST(YaraLexer, Numbers) {
  for (const auto& [source, value] : std::vector<std::pair<std::string, std::int64_t>>{
           {"0", 0}, {"42", 42}, {"0x1F", 31}, {"0o17", 15}, {"3KB", 3072}, {"2MB", 2097152}, {"9223372036854775807", 9223372036854775807}}) {
    const YaraToken token = one(source);
    EXPECT_EQ(token.kind, Kind::integer) << source;
    EXPECT_EQ(token.value, value) << source;
  }
  // What has no value here must not get a wrong one.
  for (const char* source : {"1.5", "9223372036854775808", "0xFFFFFFFFFFFFFFFF", "9007199254740992KB"}) EXPECT_EQ(one(source).kind, Kind::floating) << source;
}

TEST(YaraLexer, ARangeIsNoFloatingNumber) {
  const auto tokens = tokens_of("(1..#a)");
  ASSERT_EQ(tokens.size(), 6u);
  EXPECT_EQ(tokens[1].kind, Kind::integer);
  EXPECT_EQ(tokens[2].text, "..");
  EXPECT_EQ(tokens[3].kind, Kind::string_count);
}

TEST(YaraLexer, TextsAreTheirBytes) {
  EXPECT_EQ(one(R"("a\t\n\r\"\\\x00\xfF/*b*/")").text, std::string("a\t\n\r\"\\\0\xff/*b*/", 13));
  for (const char* source : {"\"open", "\"line\nend\"", R"("\q")", R"("\x4")", R"("\xzz")", "\"\\"}) EXPECT_EQ(tokens_of(source).back().kind, Kind::bad) << source;
}

TEST(YaraLexer, RegularExpressionsKeepTheirEscapesButTheSlash) {
  const YaraToken token = one(R"(/a\/b\.c[\/]/is)");
  EXPECT_EQ(token.kind, Kind::regexp);
  EXPECT_EQ(token.text, R"(a/b\.c[/])");
  EXPECT_EQ(token.flags, "is");
  EXPECT_EQ(tokens_of("/open").back().kind, Kind::bad);
}

TEST(YaraLexer, NamesOfStrings) {
  const auto tokens = tokens_of("$a1 $ $b* #c @d[ !e != !");
  const std::vector<std::pair<Kind, std::string>> expected = {{Kind::string_name, "$a1"}, {Kind::string_name, "$"}, {Kind::string_name, "$b*"}, {Kind::string_count, "$c"},
                                                              {Kind::string_offset, "$d"}, {Kind::sign, "["}, {Kind::string_length, "$e"}, {Kind::sign, "!="},
                                                              {Kind::string_length, "$"}, {Kind::end, ""}};
  ASSERT_EQ(tokens.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(tokens[i].kind, expected[i].first) << i;
    EXPECT_EQ(tokens[i].text, expected[i].second) << i;
  }
}

TEST(YaraLexer, CommentsAreSpace) {
  EXPECT_EQ(tokens_of("a/* b \n } */c // d\n/**/e").size(), 4u);
  EXPECT_EQ(tokens_of("a /* open").size(), 2u);
  EXPECT_EQ(tokens_of("\xef\xbb\xbfrule").size(), 2u) << "a byte order mark";
}

TEST(YaraLexer, HexStringsLoseTheirComments) {
  YaraLexer lexer("{ 4D /* } */ 5A // }\n 90 } next");
  EXPECT_EQ(lexer.next().text, "{");
  std::string content;
  ASSERT_TRUE(lexer.read_hex_string(content));
  std::erase(content, ' ');
  std::erase(content, '\n');
  EXPECT_EQ(content, "4D5A90");
  EXPECT_EQ(lexer.next().text, "next");
  YaraLexer open("{ 4D 5A");
  open.next();
  EXPECT_FALSE(open.read_hex_string(content));
}

TEST(YaraLexer, LinesAreCounted) {
  const YaraLexer lexer("a\nb\n\nc");
  EXPECT_EQ(lexer.line_at(0), 1u);
  EXPECT_EQ(lexer.line_at(2), 2u);
  EXPECT_EQ(lexer.line_at(5), 4u);
  EXPECT_EQ(lexer.line_at(500), 4u);
}

TEST(YaraLexer, EveryBeginningOfASourceEnds) {
  const std::string source = "rule a { strings: $a = \"x\\x41\" nocase $b = { 4D [2-3] ( 5A | ?? ) } $c = /a\\/b{1,2}/i condition: #a > 0x10 and @b[1] < 3KB /* c */ }";
  for (std::size_t size = 0; size <= source.size(); ++size) EXPECT_LT(tokens_of(std::string_view(source).substr(0, size)).size(), 100u);
}

}  // namespace
}  // namespace lazaret::engine
