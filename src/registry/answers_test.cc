#include "registry/answers.h"

#include <gtest/gtest.h>

namespace lazaret::registry {
namespace {

std::string value_of(const net::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST(Answers, ErrorsEscapeWhatAttackersWrite) {
  const net::Response response = error(403, "DENIED", "a \"quoted\" line\n\x1b[31m and \xff", "{\"a\":1}");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(std::get<std::string>(response.body), "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"a \\\"quoted\\\" line\\\\n\\\\x1b[31m and \\\\xff\",\"detail\":{\"a\":1}}]}\n");
}

TEST(Answers, WarningsAreOneQuotedLine) {
  net::Response response;
  add_warning(response, "say \"no\"\r\nX-Evil: 1 \xc3\xa4");
  EXPECT_EQ(value_of(response, "Warning"), "299 - \"say \\\"no\\\"\\\\r\\\\nX-Evil: 1 ??\"");
  net::Response large;
  add_warning(large, std::string(100'000, 'x'));
  EXPECT_LT(value_of(large, "Warning").size(), 4096u);
}

TEST(Answers, ContentRangesOfChunks) {
  EXPECT_EQ(parse_content_range("0-9")->end, 9u);
  EXPECT_EQ(parse_content_range("bytes 5-9/*")->begin, 5u);
  EXPECT_EQ(parse_content_range("bytes 5-9/10")->end, 9u);
  for (const char* text : {"", "-", "5", "9-5", "a-b", "0-", "-5", "0x1-2", "1-18446744073709551616", "bytes=0-9"}) EXPECT_FALSE(parse_content_range(text)) << text;
}

TEST(Answers, QueriesAreEncoded) { EXPECT_EQ(percent_encode("a b&c=d/e+f\xc3\xa4"), "a%20b%26c%3Dd/e%2Bf%C3%A4"); }

}  // namespace
}  // namespace lazaret::registry
