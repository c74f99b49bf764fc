#include "audit/file_memory.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

TEST(FileMemory, BuffersOfAllSizesGrowAndKeepTheirContent) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{100'000}, std::size_t{2} << 20, (std::size_t{2} << 20) + 1, (std::size_t{5} << 20) - 1}) {
    FileBytes bytes;
    bytes.reserve(size);
    for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 31 >> 3));
    bytes.reserve(size * 2);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], static_cast<std::uint8_t>(i * 31 >> 3)) << i << " of " << size;
    const FileBytes copy = bytes;
    FileBytes moved = std::move(bytes);
    EXPECT_EQ(copy, moved);
  }
}

}  // namespace
}  // namespace lazaret::audit
