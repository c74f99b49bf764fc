#include "audit/file_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lazaret::audit {
namespace {

TEST(FileBytes, GrowAndKeepTheirContent) {
  constexpr std::size_t page = 2 << 20;
  for (const std::size_t size : {std::size_t{1}, std::size_t{100'000}, page - 1, page, page + 1, 3 * page - 1}) {
    std::vector<std::uint8_t> content(size);
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::uint8_t>(i * 31 >> 3);
    for (const std::size_t piece : {size, std::size_t{65'537}}) {
      FileBytes bytes;
      for (std::size_t at = 0; at < size; at += piece) bytes.append(clamp(content, at, piece), size + 100);
      EXPECT_TRUE(std::ranges::equal(bytes.view(), content)) << size << " by " << piece;
      EXPECT_LE(bytes.capacity(), size + 100);
      const FileBytes moved = std::move(bytes);
      EXPECT_TRUE(std::ranges::equal(moved.view(), content));
    }
  }
}

TEST(FileBytes, ReservedRoomIsNotMoved) {
  FileBytes bytes;
  bytes.reserve(1000);
  const std::vector<std::uint8_t> content(1000, 7);
  bytes.append(clamp(content, 0, 1), 1000);
  const std::uint8_t* const place = bytes.view().data();
  bytes.append(clamp(content, 1, 999), 1000);
  EXPECT_EQ(bytes.view().data(), place);
  EXPECT_EQ(bytes.size(), 1000u);
}

TEST(FileBytes, NothingIsNothing) {
  FileBytes bytes;
  bytes.append({}, 0);
  EXPECT_TRUE(bytes.view().empty());
}

}  // namespace
}  // namespace lazaret::audit
