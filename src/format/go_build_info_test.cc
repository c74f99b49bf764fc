#include "format/go_build_info.h"

#include <gtest/gtest.h>

namespace lazaret::format {
namespace {

std::string number(std::uint64_t value, int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}
std::string varint(std::size_t value) {
  std::string text;
  while (value >= 0x80) {
    text += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  return text + static_cast<char>(value);
}

const std::string modules =
    "0123456789abcdef"
    "path\texample.com/tool/cmd/tool\n"
    "mod\texample.com/tool\tv1.2.3\th1:abc=\n"
    "dep\tgolang.org/x/sys\tv0.1.0\th1:def=\n"
    "dep\texample.com/old\tv1.0.0\n"
    "=>\texample.com/new\tv2.0.0\th1:ghi=\n"
    "build\t-ldflags=\"-s -w\"\n"
    "build\tCGO_ENABLED=0\n"
    "0123456789abcdef";

std::string inline_form() {
  return std::string(go_build_info_mark) + '\x08' + '\x02' + std::string(16, '\0') + varint(8) + "go1.22.1" + varint(modules.size()) + modules;
}

void expect_modules(const GoBuildInfo& info, const std::string& version) {
  ASSERT_TRUE(info.found);
  EXPECT_EQ(info.version, version);
  EXPECT_EQ(info.path, "example.com/tool/cmd/tool");
  EXPECT_EQ(info.main.path, "example.com/tool");
  EXPECT_EQ(info.main.version, "v1.2.3");
  ASSERT_EQ(info.dependencies.size(), 3u);
  EXPECT_EQ(info.dependencies[2].path, "example.com/new");
  ASSERT_EQ(info.settings.size(), 2u);
  EXPECT_EQ(info.settings[0], (std::pair<std::string, std::string>("-ldflags", "\"-s -w\"")));
}

TEST(GoBuildInfo, StringsInline) {
  const std::string content = "front" + inline_form() + "behind";
  expect_modules(read_go_build_info(as_bytes(content), {}, 5), "go1.22.1");
  EXPECT_FALSE(read_go_build_info(as_bytes(content), {}, 4).found);
  EXPECT_FALSE(read_go_build_info(as_bytes(content), {}, ~std::uint64_t{0}).found);
}

TEST(GoBuildInfo, StringsByPointer) {
  ElfFile elf;
  elf.segments.push_back({.type = 1, .offset = 0, .address = 0x400000, .file_size = 4096, .memory_size = 4096});
  for (const int size : {4, 8}) {
    std::string content = std::string(go_build_info_mark) + static_cast<char>(size) + '\0';
    const std::uint64_t headers = 0x400000 + 32, strings = headers + 4 * static_cast<std::uint64_t>(size);
    content += number(headers, size) + number(headers + 2 * static_cast<std::uint64_t>(size), size);
    content.resize(32, '\0');
    content += number(strings, size) + number(8, size) + number(strings + 8, size) + number(modules.size(), size) + "go1.17.2" + modules;
    expect_modules(read_go_build_info(as_bytes(content), elf, 0), "go1.17.2");
    EXPECT_FALSE(read_go_build_info(as_bytes(content), {}, 0).found) << "no segments";
  }
}

TEST(GoBuildInfo, EveryPrefixAndHostileLengths) {
  const std::string content = inline_form();
  for (std::size_t size = 0; size < content.size(); ++size) (void)read_go_build_info(as_bytes(content).first(size), {}, 0);
  const std::string hostile = std::string(go_build_info_mark) + '\x08' + '\x02' + std::string(16, '\0') + std::string(9, '\xff') + '\x01';
  EXPECT_FALSE(read_go_build_info(as_bytes(hostile), {}, 0).found);
}

TEST(GoBuildInfo, WithoutModules) {
  const std::string content = std::string(go_build_info_mark) + '\x08' + '\x02' + std::string(16, '\0') + varint(8) + "go1.22.1" + varint(0);
  const GoBuildInfo info = read_go_build_info(as_bytes(content), {}, 0);
  EXPECT_TRUE(info.found);
  EXPECT_TRUE(info.path.empty());
}

}  // namespace
}  // namespace lazaret::format
