#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

namespace lazaret {
namespace {

TEST(Slice, RefusesWhatLiesOutside) {
  const Bytes bytes = as_bytes("abcd");
  EXPECT_EQ(as_text(*slice(bytes, 1, 2)), "bc");
  EXPECT_TRUE(slice(bytes, 4, 0));
  EXPECT_FALSE(slice(bytes, 5, 0));
  EXPECT_FALSE(slice(bytes, 1, std::numeric_limits<std::uint64_t>::max()));
  EXPECT_FALSE(slice(bytes, std::numeric_limits<std::uint64_t>::max(), 1));
}

TEST(Clamp, GivesWhatIsThere) {
  const Bytes bytes = as_bytes("abcd");
  EXPECT_EQ(as_text(clamp(bytes, 2, 100)), "cd");
  EXPECT_TRUE(clamp(bytes, 9, 1).empty());
}

TEST(Read, BothByteOrders) {
  const Bytes bytes = as_bytes(std::string_view("\x01\x02\x03\x04", 4));
  EXPECT_EQ(read_le<std::uint32_t>(bytes, 0), 0x04030201u);
  EXPECT_EQ(read_be<std::uint16_t>(bytes, 2), 0x0304u);
  EXPECT_FALSE(read_le<std::uint32_t>(bytes, 1));
}

TEST(Checked, SaysNoOnOverflow) {
  EXPECT_FALSE(checked_add(~0ull, 1));
  EXPECT_FALSE(checked_mul(1ull << 33, 1ull << 33));
  EXPECT_EQ(checked_mul(1ull << 31, 2), 1ull << 32);
}

}  // namespace
}  // namespace lazaret
