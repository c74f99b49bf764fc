#include "engine/yara_literals.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lazaret::engine {
namespace {

YaraString text(std::string value) {
  YaraString string;
  string.value = std::move(value);
  string.ascii = true;
  return string;
}
YaraString hex(std::string value) {
  YaraString string = text(std::move(value));
  string.kind = YaraString::Kind::hex;
  return string;
}
YaraString regexp(std::string value, bool ignore_case = false) {
  YaraString string = text(std::move(value));
  string.kind = YaraString::Kind::regexp;
  string.ignore_case = ignore_case;
  return string;
}

std::vector<std::string> sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  return list;
}
using List = std::vector<std::string>;

TEST(YaraLiterals, OfTexts) {
  EXPECT_EQ(necessary_literals(text("alpha-marker")).any_of, (List{"alpha-marker"}));
  YaraString wide = text("wide-text");
  wide.ascii = false;
  wide.wide = true;
  const std::string widened("w\0i\0d\0e\0-\0t\0e\0x\0t\0", 18);
  EXPECT_EQ(necessary_literals(wide).any_of, (List{widened}));
  wide.ascii = true;
  EXPECT_EQ(sorted(necessary_literals(wide).any_of), sorted({"wide-text", widened}));
  YaraString any_case = text("MixedCase");
  any_case.ignore_case = true;
  EXPECT_TRUE(necessary_literals(any_case).ignore_case);
  EXPECT_EQ(necessary_literals(any_case).prefix, "") << "it is not fixed";
}

TEST(YaraLiterals, OfEncryptedTexts) {
  YaraString string = text("secret-key");
  string.exclusive_or = true;
  string.key_min = 1;
  string.key_max = 3;
  const List literals = necessary_literals(string).any_of;
  ASSERT_EQ(literals.size(), 3u);
  for (unsigned key = 1; key <= 3; ++key) {
    std::string encrypted = "secret-key";
    for (char& c : encrypted) c = static_cast<char>(static_cast<unsigned char>(c) ^ key);
    EXPECT_NE(encrypted.find(literals[key - 1]), std::string::npos) << key;
  }
}

TEST(YaraLiterals, OfEncodedTexts) {
  YaraString string = text("This is encoded");
  string.base64 = true;
  const List literals = necessary_literals(string).any_of;
  ASSERT_EQ(literals.size(), 3u);
  // base64 of the text behind none, one and two bytes, and before some.
  for (const char* encoded : {"VGhpcyBpcyBlbmNvZGVk", "eFRoaXMgaXMgZW5jb2RlZHk=", "eHhUaGlzIGlzIGVuY29kZWR5eQ=="}) {
    EXPECT_EQ(std::count_if(literals.begin(), literals.end(), [&](const std::string& one) { return std::string(encoded).find(one) != std::string::npos; }), 1) << encoded;
  }
}

TEST(YaraLiterals, OfHexStrings) {
  EXPECT_EQ(necessary_literals(hex("61 62 63 64 65 66")).any_of, (List{"abcdef"}));
  EXPECT_EQ(necessary_literals(hex("61 62 63 64 65 66")).prefix, "abcdef");
  EXPECT_EQ(necessary_literals(hex("61 62 ?? 63 64 65 66 67 68")).any_of, (List{"cdefgh"}));
  EXPECT_EQ(necessary_literals(hex("61 62 ?? 63 64 65 66 67 68")).prefix, "ab");
  EXPECT_EQ(necessary_literals(hex("61 62 63 64 65 66 [2-400] 67 68")).any_of, (List{"abcdef"}));
  const List either = necessary_literals(hex("( 61 62 63 64 65 66 | 6? 77 78 79 7A 7B 7C )")).any_of;
  EXPECT_EQ(either.size(), 17u);
  EXPECT_EQ(std::count(either.begin(), either.end(), "abcdef") + std::count(either.begin(), either.end(), "jwxyz{|"), 2);
  EXPECT_TRUE(necessary_literals(hex("?? ?? ??")).any_of.empty());
  EXPECT_TRUE(necessary_literals(hex("61 6")).any_of.empty()) << "not understood: nothing is known";
  // Short runs: an expression tells more.
  const YaraLiterals short_runs = necessary_literals(hex("E8 ?? 8B ?? 83 [1-3] C4 ?? 5D ( C3 | C2 ) 91"));
  EXPECT_EQ(short_runs.expression, "\\xe8.\\x8b.\\x83.{1,3}\\xc4.\\x5d(?:\\xc3|\\xc2)\\x91");
}

TEST(YaraLiterals, OfRegularExpressions) {
  EXPECT_EQ(necessary_literals(regexp("alpha-[a-z]+-marker")).any_of, (List{"-marker"}));
  EXPECT_EQ(sorted(necessary_literals(regexp("(first|second)-choice")).any_of), (List{"first-choice", "second-choice"}));
  EXPECT_EQ(sorted(necessary_literals(regexp("https?://marker")).any_of), (List{"http://marker", "https://marker"}));
  EXPECT_EQ(necessary_literals(regexp("ab{2}c\\.\\x64marker$")).any_of, (List{"abbc.dmarker"}));
  EXPECT_EQ(sorted(necessary_literals(regexp("xx(optional-part)?marker")).any_of), (List{"xxmarker", "xxoptional-partmarker"}));
  EXPECT_EQ(necessary_literals(regexp("xx(optional-part)*marker")).any_of, (List{"marker"}));
  EXPECT_EQ(necessary_literals(regexp("a+marker-b*")).any_of, (List{"marker-"}));
  // Of a choice with an empty or a wild branch nothing is necessary.
  EXPECT_TRUE(necessary_literals(regexp("(marker|[a-z]{8})")).any_of.empty());
  EXPECT_TRUE(necessary_literals(regexp("(marker|)")).any_of.empty());
  EXPECT_TRUE(necessary_literals(regexp("[a-z]{3}\\d+")).any_of.empty());
  EXPECT_TRUE(necessary_literals(regexp("marker(?=look)")).any_of.empty()) << "not understood: nothing is known";
  EXPECT_TRUE(necessary_literals(regexp("marker(")).any_of.empty());
  EXPECT_TRUE(necessary_literals(regexp("MARKER-text", true)).ignore_case);
}

TEST(YaraLiterals, ShortOnesAreWeakOrNone) {
  EXPECT_TRUE(necessary_literals(text("<?")).weak);
  EXPECT_FALSE(necessary_literals(text("alpha-marker")).weak);
  EXPECT_TRUE(necessary_literals(text("x")).any_of.empty());
  EXPECT_TRUE(necessary_literals(hex("00 00 00 00")).weak || necessary_literals(hex("00 00 00 00")).any_of.empty());
}

TEST(YaraLiterals, EveryBeginningOfAnExpressionIsRead) {
  const std::string expression = "a(b|c{1,3}[^x-z\\]]\\x41)*?\\bmarker[0-9a-f]{2,}(d|(e|f)+)";
  for (std::size_t size = 0; size <= expression.size(); ++size) necessary_literals(regexp(expression.substr(0, size)));
  const std::string bytes = "61 ?2 3? [1-2] ( 62 | 63 [-] 64 | ( 65 ) ) [4-] 66";
  for (std::size_t size = 0; size <= bytes.size(); ++size) necessary_literals(hex(bytes.substr(0, size)));
  EXPECT_TRUE(necessary_literals(regexp(std::string(5000, '(') + "marker")).any_of.empty());
  EXPECT_TRUE(necessary_literals(hex(std::string(5000, '('))).any_of.empty());
}

}  // namespace
}  // namespace lazaret::engine
