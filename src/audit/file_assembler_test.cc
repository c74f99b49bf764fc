#include "audit/file_assembler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace lazaret::audit {
namespace {

struct Window {
  std::string text;
  std::uint64_t offset;
  bool first, last;
};

std::vector<Window> assemble(std::uint64_t expected, const std::vector<std::string>& pieces, std::uint64_t whole = 100, std::uint64_t window = 40,
                             std::uint64_t overlap = 8) {
  std::vector<Window> windows;
  FileAssembler assembler(whole, window, overlap, FileMemory{}, [&](const FileContent& content) {
    windows.push_back({std::string(as_text(content.bytes)), content.offset, content.first, content.last});
  });
  std::string copied;
  assembler.when_copied([&](Bytes bytes) { copied += as_text(bytes); });
  assembler.begin(expected);
  std::string all;
  for (const std::string& piece : pieces) {
    assembler.add(as_bytes(piece), nullptr);
    all += piece;
  }
  assembler.end();
  EXPECT_EQ(copied, all);
  return windows;
}

TEST(FileAssembler, PutsPiecesTogether) {
  const auto windows = assemble(9, {"abc", "def", "ghi"});
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].text, "abcdefghi");
  EXPECT_TRUE(windows[0].first && windows[0].last);
}

TEST(FileAssembler, AnEmptyFileIsOneEmptyContent) {
  const auto windows = assemble(0, {});
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_TRUE(windows[0].first && windows[0].last && windows[0].text.empty());
}

TEST(FileAssembler, APieceWithAnOwnerIsNotCopied) {
  const auto owner = std::make_shared<std::string>("whole file");
  const std::uint8_t* seen = nullptr;
  FileAssembler assembler(100, 40, 8, FileMemory{}, [&](const FileContent& content) {
    seen = content.bytes.data();
    EXPECT_FALSE(content.copied);
  });
  assembler.when_copied([](Bytes) { FAIL(); });
  assembler.begin(owner->size());
  assembler.add(as_bytes(*owner), owner);
  assembler.end();
  EXPECT_EQ(seen, as_bytes(*owner).data());
}

// What stands across the border of two windows is seen whole in one of them, and every byte is seen.
TEST(FileAssembler, WindowsOverlapAndLeaveNothingOut) {
  std::string text;
  for (int i = 0; i < 500; ++i) text.push_back(static_cast<char>('a' + i % 23));
  for (const std::uint64_t expected : {std::uint64_t{500}, ~std::uint64_t{0}}) {
    const auto windows = assemble(expected, {text.substr(0, 7), text.substr(7, 290), text.substr(297)});
    ASSERT_GT(windows.size(), 2u);
    std::uint64_t end = 0;
    for (const Window& window : windows) {
      EXPECT_EQ(window.text, text.substr(window.offset, window.text.size()));
      EXPECT_LE(window.offset, end);
      if (!window.first) {
        EXPECT_EQ(end - window.offset, 8u);
      }
      end = window.offset + window.text.size();
    }
    EXPECT_EQ(end, text.size());
    EXPECT_TRUE(windows.front().first && windows.back().last);
  }
}

TEST(FileAssembler, AHoleOfExabytesIsBounded) {
  std::uint64_t bytes = 0;
  FileAssembler assembler(100, 40, 8, FileMemory{}, [&](const FileContent& content) { bytes += content.bytes.size(); });
  assembler.begin(~0ull >> 1);
  assembler.add_zeros(~0ull >> 1);
  assembler.end();
  EXPECT_LT(bytes, 200u);
}

// Blobs of unknown size once moved up in steps, each holding what the others waited for: four large ones at a time never ended.
TEST(FileAssembler, SeveralOfUnknownSizeEndWithASmallBudget) {
  ByteBudget budget(2 << 20);
  FileArena arena(2 << 20);
  std::atomic<std::uint64_t> seen{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      FileAssembler assembler(1 << 20, 256 << 10, 4096, FileMemory{&budget, &arena}, [&](const FileContent& content) { seen += content.bytes.size(); });
      const std::string piece(10'000, 'x');
      assembler.begin(~0ull);
      for (int k = 0; k < 90; ++k) assembler.add(as_bytes(piece), nullptr);
      assembler.end();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(seen, 4u * 900'000);
}

}  // namespace
}  // namespace lazaret::audit
