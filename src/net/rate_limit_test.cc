#include "net/rate_limit.h"

#include <gtest/gtest.h>

namespace lazaret::net {
namespace {

using namespace std::chrono_literals;

TEST(RateLimiter, GivesTheBurstAndThenTheRate) {
  RateLimiter limiter({2, 3});
  const auto start = RateLimiter::Clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limiter.take("a", start));
  EXPECT_EQ(limiter.take("a", start), 1s);
  EXPECT_FALSE(limiter.take("b", start)) << "another key has a bucket of its own";
  EXPECT_FALSE(limiter.take("a", start + 500ms));
  EXPECT_TRUE(limiter.take("a", start + 500ms));
  EXPECT_FALSE(limiter.look("a", start + 1h));
}

TEST(RateLimiter, SaysHowLongToWaitAndForgives) {
  RateLimiter limiter({0.01, 1});
  const auto start = RateLimiter::Clock::now();
  EXPECT_FALSE(limiter.look("a", start));
  EXPECT_FALSE(limiter.take("a", start));
  EXPECT_EQ(limiter.look("a", start), 100s);
  EXPECT_EQ(limiter.take("a", start + 50s), 50s);
  limiter.forgive("a");
  EXPECT_FALSE(limiter.take("a", start + 50s));
}

TEST(RateLimiter, AFloodOfKeysSharesOneBucket) {
  RateLimiter limiter({1, 1}, 10);
  const auto start = RateLimiter::Clock::now();
  int granted = 0;
  for (int i = 0; i < 1000; ++i) granted += !limiter.take(std::to_string(i), start);
  EXPECT_EQ(granted, 11);
  // Those that are full again make room.
  EXPECT_FALSE(limiter.take("new", start + 10s));
  EXPECT_TRUE(limiter.take("new", start + 10s));
}

TEST(RateLimiter, NoRateIsNoLimit) {
  RateLimiter limiter({0, 1});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.take("a"));
}

}  // namespace
}  // namespace lazaret::net
