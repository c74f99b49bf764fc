#include "base/csv.h"

#include <gtest/gtest.h>

namespace lazaret {
namespace {

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(csv_line({"a", "", "b,c", "say \"x\"", "two words"}), "a,,\"b,c\",\"say \"\"x\"\"\",\"two words\"\r\n");
  EXPECT_EQ(csv_line({}), "\r\n");
}

TEST(Csv, NoFieldIsAFormula) {
  for (const std::string field : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|calc", "%x", "=cmd|' /C calc'!A0"}) {
    const std::string line = csv_line({field, "x"});
    EXPECT_TRUE(line.starts_with("\"'") || line.starts_with("'")) << line;
    EXPECT_EQ(line.find('\t'), std::string::npos);
    EXPECT_EQ(line.find("\r="), std::string::npos);
  }
  EXPECT_EQ(csv_line({"1-1"}), "1-1\r\n");
}

TEST(Csv, ALineIsALine) { EXPECT_EQ(csv_line({"a\nb", "\xff"}), "a\\nb,\\xff\r\n"); }

}  // namespace
}  // namespace lazaret
