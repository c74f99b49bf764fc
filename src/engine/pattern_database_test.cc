#include "engine/pattern_database.h"

#include <gtest/gtest.h>

#include <thread>

namespace lazaret::engine {
namespace {

std::unique_ptr<PatternDatabase> compiled(const std::vector<Pattern>& patterns) {
  auto database = PatternDatabase::compile(patterns);
  EXPECT_TRUE(database) << database.error().message;
  return std::move(*database);
}

std::vector<std::pair<std::uint32_t, std::uint64_t>> hits_of(const PatternDatabase& database, std::string_view text, std::uint64_t most = 1000) {
  std::vector<Hit> hits;
  EXPECT_EQ(database.scan(as_bytes(text), most, hits), ScanStatus::complete);
  std::vector<std::pair<std::uint32_t, std::uint64_t>> pairs;
  for (const Hit& hit : hits) pairs.emplace_back(hit.pattern, hit.end);
  return pairs;
}

using Pairs = std::vector<std::pair<std::uint32_t, std::uint64_t>>;

TEST(PatternDatabase, HitsAreOrderedByEndAndPatternEachOnce) {
  const auto database = compiled({literal("bcd"), literal("abcd"), regex("c+d"), literal("zz")});
  EXPECT_EQ(hits_of(*database, "xabcd zzz"), (Pairs{{0, 5}, {1, 5}, {2, 5}, {3, 8}, {3, 9}}));
}

TEST(PatternDatabase, LiteralsAreBytesAndNotExpressions) {
  const std::string zero("a\0.*(", 5);
  const auto database = compiled({{zero, true, false, false, false}, literal_ignore_case("XMRig")});
  EXPECT_EQ(hits_of(*database, std::string("..a\0.*(..", 9)), (Pairs{{0, 7}}));
  EXPECT_TRUE(hits_of(*database, "aXYZ(").empty());
  EXPECT_EQ(hits_of(*database, "xmRIG"), (Pairs{{1, 5}}));
}

TEST(PatternDatabase, LineEndsMatterOnlyWhereAskedFor) {
  const auto database = compiled({{"^root:", false, false, true, false}, {"a.b", false, false, false, false}, {"a.c", false, false, false, true}});
  EXPECT_EQ(hits_of(*database, "x\nroot:"), (Pairs{{0, 7}}));
  EXPECT_TRUE(hits_of(*database, "xroot: a\nb").empty());
  EXPECT_EQ(hits_of(*database, "a\nc"), (Pairs{{2, 3}}));
}

TEST(PatternDatabase, WhatDoesNotCompileIsNamed) {
  const std::vector<Pattern> patterns = {literal("good"), regex("(unclosed")};
  const auto database = PatternDatabase::compile(patterns);
  ASSERT_FALSE(database);
  EXPECT_NE(database.error().message.find("(unclosed"), std::string::npos);
}

TEST(PatternDatabase, NoPatternsMatchNothing) {
  const auto database = compiled({});
  EXPECT_TRUE(hits_of(*database, "anything").empty());
  EXPECT_TRUE(hits_of(*compiled({literal("x")}), "").empty());
}

TEST(PatternDatabase, TooManyHitsAreTold) {
  const auto database = compiled({literal("a")});
  std::vector<Hit> hits;
  EXPECT_EQ(database->scan(as_bytes(std::string(100, 'a')), 10, hits), ScanStatus::too_many_hits);
  EXPECT_LE(hits.size(), 10u);
}

TEST(PatternDatabase, HitsAreAppendedToWhatIsThere) {
  const auto database = compiled({literal("a")});
  std::vector<Hit> hits = {{7, 3}};
  EXPECT_EQ(database->scan(as_bytes("a"), 10, hits), ScanStatus::complete);
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].pattern, 7u);
  EXPECT_EQ(hits[1].end, 1u);
}

TEST(PatternDatabase, ThreadsShareIt) {
  const auto database = compiled({literal("needle"), regex("x+y")});
  const auto other = compiled({literal("straw")});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(hits_of(*database, "a needle xxy").size(), 2u);
        EXPECT_EQ(hits_of(*other, "straw").size(), 1u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(PatternDatabase, SavedAndLoadedItFindsTheSame) {
  const auto database = compiled({literal("needle"), regex("x+y")});
  const std::string saved = database->save();
  ASSERT_FALSE(saved.empty());
  const auto loaded = PatternDatabase::load(as_bytes(saved));
  ASSERT_NE(loaded, nullptr);
  EXPECT_EQ(hits_of(*loaded, "a needle xxy"), hits_of(*database, "a needle xxy"));
}

TEST(PatternDatabase, DamagedBytesAreNotLoaded) {
  const std::string saved = compiled({literal("needle")})->save();
  EXPECT_EQ(PatternDatabase::load({}), nullptr);
  for (std::size_t size = 0; size < saved.size(); size += 1 + size / 16) EXPECT_EQ(PatternDatabase::load(as_bytes(std::string_view(saved).substr(0, size))), nullptr);
  std::string damaged = saved;
  damaged[0] = static_cast<char>(damaged[0] ^ 1);  // the mark
  EXPECT_EQ(PatternDatabase::load(as_bytes(damaged)), nullptr);
}

}  // namespace
}  // namespace lazaret::engine
