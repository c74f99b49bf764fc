#include "audit/file_arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace lazaret::audit {
namespace {

#if defined(__SANITIZE_ADDRESS__)
TEST(FileArena, LeavesEverythingToMallocUnderAddressSanitizer) {
  FileArena arena(16 << 20);
  EXPECT_EQ(arena.allocate(4096), nullptr);
}
#else

TEST(FileArena, GivesTheSamePlaceAgain) {
  FileArena arena(16 << 20);
  std::uint8_t* const first = arena.allocate(5'000'000);
  std::uint8_t* const second = arena.allocate(1000);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  arena.free(first);
  EXPECT_EQ(arena.allocate(4'000'000), first);
  EXPECT_GT(second, first + 8'000'000);  // small ones at the other end
  arena.free(first);
  arena.free(second);
  EXPECT_EQ(arena.allocate(1000), second);
  arena.free(second);
  EXPECT_EQ(arena.used(), 0u);
  EXPECT_EQ(arena.allocate(16 << 20), first);  // the ranges have grown together again
  arena.free(first);
}

TEST(FileArena, RefusesWhatDoesNotFit) {
  FileArena arena(4 << 20), none(0);
  EXPECT_EQ(arena.allocate((4 << 20) + 1), nullptr);
  EXPECT_EQ(arena.allocate(0), nullptr);
  EXPECT_EQ(none.allocate(1), nullptr);
  std::uint8_t* const all = arena.allocate(4 << 20);
  EXPECT_EQ(arena.allocate(1), nullptr);
  arena.free(all);
}

TEST(FileArena, WhatIsInUseSurvivesTheTrimming) {
  FileArena arena(8 << 20);
  std::uint8_t* const freed = arena.allocate(2 << 20);
  std::uint8_t* const kept = arena.allocate(3 << 20);
  std::memset(freed, 1, 2 << 20);
  std::memset(kept, 2, 3 << 20);
  arena.free(freed);
  arena.trim_idle();  // not idle
  EXPECT_EQ(*freed, 1);
  arena.trim();
  EXPECT_EQ(*freed, 0);  // a page of the kernel's
  EXPECT_EQ(kept[0], 2);
  EXPECT_EQ(kept[(3 << 20) - 1], 2);
  arena.free(kept);
  arena.trim_idle();
  EXPECT_EQ(*kept, 0);
}

// Against a list of who has what: nobody is given what another has.
TEST(FileArena, PiecesOfAnySizeNeverOverlap) {
  FileArena arena(32 << 20);
  std::mt19937 random(1);
  std::map<std::uint8_t*, std::pair<std::size_t, std::uint8_t>> held;
  for (int round = 0; round < 3000; ++round) {
    if (!held.empty() && random() % 2 == 0) {
      const auto one = std::next(held.begin(), static_cast<std::ptrdiff_t>(random() % held.size()));
      EXPECT_EQ(*one->first, one->second.second);
      EXPECT_EQ(one->first[one->second.first - 1], one->second.second);
      arena.free(one->first);
      held.erase(one);
      continue;
    }
    const std::size_t size = 1 + random() % (random() % 4 == 0 ? 6'000'000 : 20'000);
    std::uint8_t* const memory = arena.allocate(size);
    if (memory == nullptr) continue;
    const auto mark = static_cast<std::uint8_t>(random());
    memory[0] = memory[size - 1] = mark;
    held[memory] = {size, mark};
    if (random() % 100 == 0) arena.trim();
  }
  for (const auto& [memory, what] : held) {
    EXPECT_EQ(memory[0], what.second);
    EXPECT_EQ(memory[what.first - 1], what.second);
    arena.free(memory);
  }
  EXPECT_EQ(arena.used(), 0u);
}

TEST(FileArena, ThreadsShareIt) {
  FileArena arena(8 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&arena, t] {
      for (int i = 0; i < 500; ++i) {
        std::uint8_t* const memory = arena.allocate(static_cast<std::size_t>(100'000 + i * 997));
        if (memory == nullptr) continue;
        std::memset(memory, t, 100'000);
        EXPECT_EQ(memory[99'999], t);
        arena.free(memory);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(arena.used(), 0u);
}

#endif

}  // namespace
}  // namespace lazaret::audit
