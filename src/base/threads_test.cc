#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace lazaret {
namespace {

TEST(BoundedQueue, GivesWhatWasPushedThenTheEnd) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(queue.push(i));
    queue.close();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(queue.pop(), i);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_FALSE(queue.push(1));
  producer.join();
}

TEST(WorkerPool, RunsEverythingBeforeItEnds) {
  std::atomic<int> sum{0};
  {
    WorkerPool pool(3);
    for (int i = 1; i <= 1000; ++i) pool.submit([&sum, i] { sum += i; });
  }
  EXPECT_EQ(sum, 500500);
}

TEST(ByteBudget, GrantsMoreThanItHasToTheOnlyUser) {
  ByteBudget budget(10);
  budget.take(1000);
  std::atomic<bool> granted{false};
  std::thread other([&] {
    budget.take(1);
    granted = true;
    budget.give(1);
  });
  EXPECT_FALSE(granted);
  budget.give(1000);
  other.join();
  EXPECT_TRUE(granted);
}

TEST(BufferPool, UsesBuffersAgain) {
  BufferPool pool(4096, 4);
  BufferPool::User user(pool);
  auto buffer = user.take();
  const std::uint8_t* const address = buffer.get();
  user.give(std::move(buffer));
  buffer = user.take();
  EXPECT_EQ(buffer.get(), address);
  user.give(std::move(buffer));
}

TEST(BufferPool, OneThatHoldsAllSharedBuffersDoesNotStarveAnother) {
  BufferPool pool(16, 3);
  BufferPool::User greedy(pool), modest(pool);
  std::vector<BufferPool::Buffer> of_greedy, of_modest;
  for (std::size_t i = 0; i < 3 + BufferPool::reserved; ++i) of_greedy.push_back(greedy.take());
  for (std::size_t i = 0; i < BufferPool::reserved; ++i) of_modest.push_back(modest.take());
  std::thread waiting([&] { greedy.give(greedy.take()); });  // until one of its own comes back
  for (auto& buffer : of_modest) modest.give(std::move(buffer));
  for (auto& buffer : of_greedy) greedy.give(std::move(buffer));
  waiting.join();
}

TEST(BufferPool, ManyUsersOnManyThreads) {
  BufferPool pool(64, 2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&pool] {
      BufferPool::User user(pool);
      for (int round = 0; round < 500; ++round) {
        std::vector<BufferPool::Buffer> held;
        for (int k = 0; k < 2; ++k) held.push_back(user.take());
        held[0][0] = held[1][0] = 1;
        for (auto& buffer : held) user.give(std::move(buffer));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace lazaret
