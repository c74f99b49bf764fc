#include "base/text.h"

#include <gtest/gtest.h>

namespace lazaret {
namespace {

TEST(Escape, MakesControlCharactersAndInvalidBytesVisible) {
  EXPECT_EQ(escape("a\x1b[31mb\n\t\r\x7f"), "a\\x1b[31mb\\n\\t\\r\\x7f");
  EXPECT_EQ(escape("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(escape("\xc0\xaf"), "\\xc0\\xaf") << "an overlong form is not UTF-8";
  EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate is not UTF-8";
  EXPECT_EQ(escape("caf\xc3\xa9"), "caf\xc3\xa9");
}

TEST(Escape, ShowsBidirectionalOverrides) {
  EXPECT_EQ(escape("a\u202eb\u200b"), "a\\u{202e}b\\u{200b}");
}

TEST(Escape, CutsAtTheLimit) {
  EXPECT_EQ(escape("abcdef", 3), "abc...");
  EXPECT_EQ(escape("abc", 3), "abc");
}

TEST(GlobMatch, StarsDoNotCrossSlashes) {
  EXPECT_TRUE(glob_match("/etc/cron.*/*", "/etc/cron.d/job"));
  EXPECT_FALSE(glob_match("/etc/*", "/etc/cron.d/job"));
  EXPECT_TRUE(glob_match("/etc/**", "/etc/cron.d/job"));
  EXPECT_TRUE(glob_match("**/etc/cron*/**", "/mnt/x/etc/crontabs/root"));
  EXPECT_FALSE(glob_match("/a?c", "/a/c"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(GlobMatch, ManyStarsStayCheap) {
  EXPECT_FALSE(glob_match(std::string(200, '*') + "b", std::string(5000, 'a')));
}

TEST(Hex, RoundTripAndRefusal) {
  EXPECT_EQ(to_hex(as_bytes("\x00\xffz")), "");
  EXPECT_EQ(to_hex(as_bytes(std::string_view("\x00\xffz", 3))), "00ff7a");
  EXPECT_EQ(from_hex("00fF7A"), std::string("\x00\xffz", 3));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

TEST(FormatBytes, PicksTheUnit) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(~0ull), "16384.0 PiB");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a::b:", ':').size(), 4u);
  EXPECT_EQ(split("", ':').size(), 1u);
}

}  // namespace
}  // namespace lazaret
