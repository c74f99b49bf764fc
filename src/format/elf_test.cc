#include "format/elf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

namespace lazaret::format {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string& this_program() {
  static const std::string text = read_file("/proc/self/exe");
  return text;
}

bool imports(const ElfFile& elf, std::string_view name) {
  for (const ElfSymbol& symbol : elf.dynamic_symbols) {
    if (symbol.name == name && !symbol.defined) return true;
  }
  return false;
}

// What the compiler and linker of this machine made of this very test.
TEST(Elf, ReadsTheProgramThatRunsThisTest) {
  const ElfFile elf = parse_elf(as_bytes(this_program()), this_program().size());
  ASSERT_TRUE(elf.valid);
  EXPECT_TRUE(elf.is_64);
  EXPECT_FALSE(elf.statically_linked);
  EXPECT_NE(elf.interpreter.find("ld"), std::string::npos);
  EXPECT_NE(std::find(elf.needed.begin(), elf.needed.end(), "libc.so.6"), elf.needed.end());
  EXPECT_TRUE(imports(elf, "__libc_start_main"));
  EXPECT_TRUE(elf.has_symbol_table);
  EXPECT_LE(elf.end_of_image, this_program().size());
  bool text = false;
  for (const ElfSection& section : elf.sections) text |= section.name == ".text";
  EXPECT_TRUE(text);
}

TEST(Elf, BytesBehindTheImageAreBehindItsEnd) {
  const std::string longer = this_program() + std::string(1000, 'x');
  const ElfFile elf = parse_elf(as_bytes(longer), longer.size());
  EXPECT_LE(elf.end_of_image, this_program().size());
}

// The kernel does not look at section headers, and neither may what we find depend on them.
TEST(Elf, WithoutSectionHeadersTheDynamicPartIsStillRead) {
  std::string stripped = this_program();
  for (const std::size_t field : {0x28u, 0x3cu}) stripped.replace(field, field == 0x28u ? 8 : 2, field == 0x28u ? 8 : 2, '\0');
  const ElfFile elf = parse_elf(as_bytes(stripped), stripped.size());
  ASSERT_TRUE(elf.valid);
  EXPECT_TRUE(elf.sections.empty());
  EXPECT_NE(std::find(elf.needed.begin(), elf.needed.end(), "libc.so.6"), elf.needed.end());
  EXPECT_TRUE(imports(elf, "__libc_start_main"));
}

TEST(Elf, FieldsThatPointOutsideCostOnlyTheirTable) {
  std::string damaged = this_program();
  damaged.replace(0x28, 8, 8, '\xff');  // section headers at the end of the address space
  const ElfFile elf = parse_elf(as_bytes(damaged), damaged.size());
  EXPECT_TRUE(elf.valid);
  EXPECT_FALSE(elf.diagnostics.empty());
  EXPECT_FALSE(elf.interpreter.empty());
}

TEST(Elf, NoElfIsNotValid) {
  EXPECT_FALSE(parse_elf(as_bytes("text"), 4).valid);
  EXPECT_FALSE(parse_elf(as_bytes(std::string("\x7f""ELF\x09\x09", 6) + std::string(60, '\0')), 66).valid);
}

TEST(Elf, TruncationIsHarmless) {
  const std::string head = this_program().substr(0, 4096);
  for (std::size_t size = 0; size < head.size(); size += 7) {
    (void)parse_elf(as_bytes(head).first(size), size);
    (void)parse_elf(as_bytes(head).first(size), this_program().size());
  }
}

// The test program has initialisers of its own, in an array that relocations fill.
TEST(Elf, Initialisers) {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::string self((std::istreambuf_iterator<char>(file)), {});
  const ElfFile elf = parse_elf(as_bytes(self), self.size());
  ASSERT_GE(elf.initialisers.size(), 2u);
  for (const std::uint64_t address : elf.initialisers) {
    EXPECT_TRUE(std::any_of(elf.sections.begin(), elf.sections.end(), [&](const ElfSection& section) {
      return (section.name == ".text" || section.name == ".init") && address >= section.address && address - section.address < section.size;
    })) << address;
  }
}

}  // namespace
}  // namespace lazaret::format
