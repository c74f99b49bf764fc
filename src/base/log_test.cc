#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "base/text.h"

namespace lazaret {
namespace {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int end() const { return ends_[1]; }
  std::string read() const {
    std::string text(1 << 16, '\0');
    const ssize_t got = ::read(ends_[0], text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

 private:
  int ends_[2];
};

TEST(Log, ALineIsOneObject) {
  const Pipe pipe;
  Log log(pipe.end());
  log.info("request").field("method", "GET").field("status", 200).field("tls", true);
  const std::string line = pipe.read();
  EXPECT_TRUE(line.starts_with("{\"time\":\"20")) << line;
  EXPECT_TRUE(line.ends_with("Z\",\"level\":\"info\",\"event\":\"request\",\"method\":\"GET\",\"status\":200,\"tls\":true}\n")) << line;
  log.debug("not wanted").field("a", 1);
  EXPECT_EQ(pipe.read(), "");
}

// Harbor 8631803: a newline in a name made a line of its own in the log.
TEST(Log, TextOfAttackersStaysInItsField) {
  const Pipe pipe;
  Log log(pipe.end());
  log.warning("login").field("name", "x\"}\n{\"level\":\"info\",\"event\":\"fine\"\x1b[2J\xe2\x80\xae\xff").field("long", std::string(100'000, 'a'));
  const std::string line = pipe.read();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_NE(line.find("\"name\":\"x\\\"}\\\\n{"), std::string::npos) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(line.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_TRUE(is_utf8(line));
  EXPECT_LT(line.size(), 2500u);
}

TEST(Log, LinesOfManyThreadsDoNotMix) {
  const Pipe pipe;
  Log log(pipe.end());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) log.info("a").field("b", std::string(100, 'c'));
    });
  for (auto& thread : threads) thread.join();
  const std::string text = pipe.read();
  int lines = 0;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    ++lines;
    EXPECT_TRUE(line.starts_with("{\"time\"") && line.ends_with("c\"}")) << line;
  }
  EXPECT_EQ(lines, 80);
}

TEST(Log, WhatCannotBeWrittenIsCounted) {
  Log log(-1);
  log.error("nobody reads this");
  EXPECT_EQ(log.lost(), 1u);
}

}  // namespace
}  // namespace lazaret
