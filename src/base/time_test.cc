#include "base/time.h"

#include <gtest/gtest.h>

namespace lazaret {
namespace {

TEST(Time, IsWrittenAsRfc3339) {
  EXPECT_EQ(to_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(1'525'939'201'999), "2018-05-10T08:00:01Z");
  EXPECT_EQ(to_rfc3339(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(to_rfc3339(INT64_MAX), "9999-12-31T23:59:59Z");
  EXPECT_EQ(to_rfc3339(INT64_MIN), "0000-01-01T00:00:00Z");
}

TEST(Time, WhatIsWrittenIsRead) {
  for (const std::int64_t time :
       {0ll, 1'525'939'201'000ll, 253'402'300'799'000ll, -62'167'219'200'000ll, 951'782'400'000ll})
    EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time);
}

TEST(Time, EveryFormOfRfc3339IsRead) {
  const std::int64_t time = 1'525'939'201'000;
  EXPECT_EQ(parse_rfc3339("2018-05-10T08:00:01+00:00"), time);
  EXPECT_EQ(parse_rfc3339("2018-05-10t10:00:01+02:00"), time);
  EXPECT_EQ(parse_rfc3339("2018-05-10 02:30:01-05:30"), time);
  EXPECT_EQ(parse_rfc3339("2018-05-10T08:00:01.25z"), time + 250);
  EXPECT_EQ(parse_rfc3339("2018-05-10T08:00:01.123456789Z"), time + 123);
  EXPECT_EQ(parse_rfc3339("2018-05-10"), time - (8 * 3600 + 1) * 1000);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
}

TEST(Time, WhatIsNoTimeIsNotRead) {
  for (const char* text :
       {"", "2018", "2018-5-10", "2018-02-29", "2018-13-01", "2018-00-10", "2018-05-10T",
        "2018-05-10T08:00", "2018-05-10T08:00:01", "2018-05-10T24:00:00Z", "2018-05-10T08:60:00Z",
        "2018-05-10T08:00:61Z", "2018-05-10T08:00:01.Z", "2018-05-10T08:00:01+24:00",
        "2018-05-10T08:00:01+0200", "2018-05-10T08:00:01Zz", "+018-05-10", "-018-05-10",
        "2018-05-10T-1:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace lazaret
