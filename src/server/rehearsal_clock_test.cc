#include "server/rehearsal_clock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/time.h"

namespace lazaret::server {
namespace {

class RehearsalClockTest : public testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(path_) << text; }
  ~RehearsalClockTest() override { std::filesystem::remove(path_); }
  const std::string path_ = testing::TempDir() + "lazaret-clock-" + std::to_string(::getpid());
};

TEST_F(RehearsalClockTest, TheTimeIsWhatTheFileSays) {
  write("2017-05-14T10:00:00Z\n");
  const auto clock = RehearsalClock::open(path_);
  ASSERT_TRUE(clock.ok()) << clock.error().message;
  EXPECT_EQ(to_rfc3339((*clock)->now()), "2017-05-14T10:00:00Z");
  write("2018-05-10T08:00:00Z");
  EXPECT_EQ(to_rfc3339((*clock)->now()), "2018-05-10T08:00:00Z");
}

TEST_F(RehearsalClockTest, TimeStandsStillWhileTheFileIsNoTime) {
  write("2017-05-14T10:00:00Z\n");
  const auto clock = RehearsalClock::open(path_);
  ASSERT_TRUE(clock.ok());
  for (const std::string& text :
       {std::string(), std::string("soon\n"), std::string(100'000, '2')}) {
    write(text);
    EXPECT_EQ(to_rfc3339((*clock)->now()), "2017-05-14T10:00:00Z");
  }
  std::filesystem::remove(path_);
  EXPECT_EQ(to_rfc3339((*clock)->now()), "2017-05-14T10:00:00Z");
}

TEST_F(RehearsalClockTest, WithoutATimeItDoesNotStart) {
  EXPECT_FALSE(RehearsalClock::open(path_).ok());
  write("yesterday\n");
  EXPECT_FALSE(RehearsalClock::open(path_).ok());
}

}  // namespace
}  // namespace lazaret::server
