#include "format/upx.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace lazaret::format {
namespace {

constexpr std::size_t l_info_at = 0xe8, chain_at = 0x100;  // behind three program headers

// A program that does nothing, packed by UPX 4.2.2.
std::string packed(std::string_view name) {
  std::ifstream file(LAZARET_SOURCE_DIR "/tests/fuzz/upx_fuzz/" + std::string(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
UpxFile find(std::string_view content) {
  const Bytes bytes = as_bytes(content);
  return find_upx(bytes, parse_elf(bytes, bytes.size()));
}

TEST(Upx, TheChainOfBlocks) {
  for (const char* name : {"nrv2b", "nrv2d", "nrv2e", "lzma"}) {
    const UpxFile upx = find(packed(name));
    ASSERT_TRUE(upx.found) << name;
    EXPECT_TRUE(upx.marked);
    EXPECT_EQ(upx.begin, chain_at);
    ASSERT_EQ(upx.blocks.size(), 5u) << "headers and four segments";
    EXPECT_EQ(upx.blocks[0].unpacked, 64u + 13 * 56);
    EXPECT_EQ(upx.blocks[2].method, 0) << "code of so few bytes is stored";
  }
}

TEST(Upx, MarksThatWereOverwrittenHideNothing) {
  std::string program = packed("nrv2e");
  for (std::size_t i = l_info_at; i < chain_at; ++i) program[i] = static_cast<char>(i * 7);
  EXPECT_TRUE(find(program).found);
  EXPECT_FALSE(find(program).marked);
  program = packed("nrv2e");
  for (auto at = program.find("UPX!"); at != std::string::npos; at = program.find("UPX!", at)) program.replace(at, 4, "ABC!");
  EXPECT_TRUE(find(program).found);
  EXPECT_FALSE(find(program).marked);
  program = packed("nrv2e");
  program.replace(chain_at - 8, 8, 8, '\0');  // p_info: sizes of the file and of a block
  EXPECT_TRUE(find(program).found);
  EXPECT_FALSE(find(program).marked);
  program = packed("nrv2e").substr(0, packed("nrv2e").size() - 36);
  EXPECT_TRUE(find(program).found);
  EXPECT_FALSE(find(program).marked) << "the marks at the end are cut off";
}

TEST(Upx, EveryPrefix) {
  const std::string program = packed("nrv2b");
  for (std::size_t size = 0; size < program.size(); ++size) {
    const UpxFile upx = find(std::string_view(program).substr(0, size));
    for (const UpxBlock& block : upx.blocks) ASSERT_LE(block.offset + block.packed, size);
  }
}

TEST(Upx, OrdinaryPrograms) {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::string self((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(find(self).found);
  EXPECT_FALSE(find("UPX!").found);
}

TEST(UpxLayout, SegmentsBehindTheHeaders) {
  std::string headers = packed("nrv2b").substr(0, 64 + 3 * 56);
  UpxLayout layout = upx_layout(as_bytes(headers));
  ASSERT_TRUE(layout.valid);
  EXPECT_FALSE(layout.pieces.empty());
  EXPECT_EQ(layout.pieces[0].offset, headers.size());
  EXPECT_FALSE(upx_layout(as_bytes("no headers")).valid);
  headers.replace(64 + 8, 8, 8, '\xff');  // p_offset
  layout = upx_layout(as_bytes(headers));
  EXPECT_FALSE(layout.valid) << "offset and size overflow";
}

}  // namespace
}  // namespace lazaret::format
