#include "format/elf_packing.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace lazaret::format {
namespace {

ElfPacking look(const std::string& content) { return packing_of(as_bytes(content), parse_elf(as_bytes(content), content.size())); }

TEST(Entropy, Bounds) {
  EXPECT_EQ(entropy_of({}), 0);
  EXPECT_EQ(entropy_of(as_bytes(std::string(100, 'x'))), 0);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_DOUBLE_EQ(entropy_of(as_bytes(all)), 8);
}

TEST(ElfPacking, AnOrdinaryProgram) {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string self((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(look(self).unlisted_code);
  EXPECT_FALSE(look(self).packed);
  self.replace(40, 8, 8, '\0');  // e_shoff: its code is no random data, whatever the headers say
  self.replace(60, 2, 2, '\0');
  EXPECT_TRUE(look(self).unlisted_code);
  EXPECT_FALSE(look(self).packed);
  EXPECT_FALSE(look("no program").packed);
}

TEST(HoldsDebuggingOnly, SectionsWithoutContent) {
  ElfFile elf;
  EXPECT_FALSE(holds_debugging_only(elf));
  elf.sections.push_back({.name = ".text", .type = 8, .flags = 6});
  EXPECT_FALSE(holds_debugging_only(elf)) << "no debugging information";
  elf.sections.push_back({.name = ".debug_info", .type = 1});
  EXPECT_TRUE(holds_debugging_only(elf));
  elf.sections.push_back({.name = ".data", .type = 1, .flags = 3});
  EXPECT_FALSE(holds_debugging_only(elf));
}

}  // namespace
}  // namespace lazaret::format
