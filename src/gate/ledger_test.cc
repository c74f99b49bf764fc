#include "gate/ledger.h"

#include <gtest/gtest.h>

#include <atomic>

namespace lazaret::gate {
namespace {

// A disk that fails, and a memory of what reached it.
class BrittleStore final : public store::LedgerStore {
 public:
  Result<void> append(const std::vector<store::Pull>& some) override {
    const std::lock_guard lock(mutex);
    if (failing) return Error{ErrorCode::io, "no room"};
    pulls.insert(pulls.end(), some.begin(), some.end());
    return {};
  }
  Result<std::vector<store::Pull>> find(const store::PullFilter&) override { return pulls; }
  Result<void> summarise(const std::vector<Digest>&, store::Time, store::Time, const std::function<void(const store::PullSummary&)>&) override { return {}; }
  Result<std::vector<store::PullCount>> pull_counts(store::Time, std::size_t) override { return std::vector<store::PullCount>(); }
  Result<std::uint64_t> forget(store::Time) override { return 0u; }

  std::mutex mutex;
  std::atomic<bool> failing{false};
  std::vector<store::Pull> pulls;
};

store::Pull pull_from(const std::string& address) {
  store::Pull pull;
  pull.address = address;
  pull.bytes = 1;
  return pull;
}

TEST(Ledger, R44_NothingIsLostWhileTheDiskFails) {
  BrittleStore disk;
  {
    Ledger ledger(disk);
    disk.failing = true;
    for (int i = 0; i < 100; ++i) ledger.record(pull_from("192.0.2.1"));
    ledger.flush();
    EXPECT_EQ(ledger.waiting(), 100u);
    EXPECT_FALSE(ledger.full());
    disk.failing = false;
    for (int i = 0; i < 1000 && ledger.waiting() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(disk.pulls.size(), 100u);
    ledger.record(pull_from("192.0.2.2"));
  }
  EXPECT_EQ(disk.pulls.size(), 101u) << "an orderly end writes down the rest";
}

TEST(Ledger, R44_WhatCannotBeWrittenDownIsNotGivenOut) {
  BrittleStore disk;
  disk.failing = true;
  Ledger ledger(disk);
  for (int i = 0; i < 200'001; ++i) ledger.record(pull_from(i % 2 == 0 ? "192.0.2.1" : "192.0.2.2"));
  EXPECT_TRUE(ledger.full());
  disk.failing = false;
  for (int i = 0; i < 1000 && ledger.full(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(ledger.full());
}

TEST(Ledger, R44_PullsFromManyThreadsAreAllThere) {
  BrittleStore disk;
  Ledger ledger(disk);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) ledger.record(pull_from("192.0.2.1"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ledger.flush();
  std::uint64_t pulls = 0, bytes = 0;
  for (const store::Pull& pull : disk.pulls) {
    pulls += pull.count;
    bytes += pull.bytes;
  }
  EXPECT_EQ(pulls, 40'000u);
  EXPECT_EQ(bytes, 40'000u);
}

TEST(Ledger, AFloodOfEqualPullsIsCountedAndNotListed) {
  BrittleStore disk;
  disk.failing = true;
  Ledger ledger(disk);
  for (int i = 0; i < 300'000; ++i) {
    store::Pull pull = pull_from("192.0.2.1");
    pull.at = 1000 + i;
    ledger.record(std::move(pull));
  }
  store::Pull cut = pull_from("192.0.2.1");
  cut.complete = false;
  ledger.record(cut);
  EXPECT_FALSE(ledger.full());
  disk.failing = false;
  for (int i = 0; i < 1000 && ledger.waiting() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::uint64_t pulls = 0;
  for (const store::Pull& pull : disk.pulls) pulls += pull.count;
  EXPECT_EQ(pulls, 300'001u);
  EXPECT_LT(disk.pulls.size(), 1000u);
  EXPECT_FALSE(disk.pulls.back().complete) << "what ended early stands for itself";
  EXPECT_EQ(disk.pulls[disk.pulls.size() - 2].last, 300'999);
}

TEST(Ledger, AddressesCanBeHashedAndKeepTheirNetwork) {
  EXPECT_EQ(network_of("203.0.113.7"), "203.0.113.0/24");
  EXPECT_EQ(network_of("2001:db8:1:2::7"), "2001:db8:1::/48");
  EXPECT_EQ(network_of("unix"), "unix");
  const std::string a = hashed_address("key", "203.0.113.7"), b = hashed_address("key", "203.0.113.8"), c = hashed_address("key", "203.0.114.7");
  EXPECT_EQ(a.find("203"), std::string::npos);
  EXPECT_EQ(a, hashed_address("key", "203.0.113.7"));
  EXPECT_NE(a, b);
  EXPECT_EQ(network_of(a), network_of(b));
  EXPECT_NE(network_of(a), network_of(c));
  EXPECT_NE(a, hashed_address("another", "203.0.113.7"));

  BrittleStore disk;
  {
    Ledger ledger(disk, "key");
    disk.failing = true;
    ledger.record(pull_from("203.0.113.7"));
    ledger.flush();
    disk.failing = false;  // tried again: hashed once
  }
  ASSERT_EQ(disk.pulls.size(), 1u);
  EXPECT_EQ(disk.pulls[0].address, a);
}

}  // namespace
}  // namespace lazaret::gate
