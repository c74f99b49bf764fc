#include "audit/carried_program.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace lazaret::audit {
namespace {

struct Collector final : UnpackHandler {
  std::vector<std::pair<std::string, std::string>> members;
  std::vector<Diagnostic> diagnostics;
  void member(const std::string& path, std::uint32_t, std::uint64_t size, const FileContent& content) override {
    EXPECT_EQ(size, content.bytes.size());
    members.emplace_back(path, std::string(as_text(content.bytes)));
  }
  void side_content(std::string_view, std::uint64_t, Bytes) override { ADD_FAILURE(); }
  void diagnostic(const Diagnostic& diagnostic) override { diagnostics.push_back(diagnostic); }
};

std::string packed(std::string_view name) {
  std::ifstream file(LAZARET_SOURCE_DIR "/tests/fuzz/upx_fuzz/" + std::string(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Collector unpack_program(const std::string& program, std::uint64_t whole_file = 1 << 20) {
  const Limits limits;
  Collector collector;
  const Bytes bytes = as_bytes(program);
  unpack_upx(bytes, format::parse_elf(bytes, bytes.size()), 0755, {1 << 20, 0, 0, whole_file, &limits}, collector);
  return collector;
}

TEST(UnpackUpx, TheProgramAsItWas) {
  for (const char* name : {"nrv2b", "nrv2d", "nrv2e", "lzma"}) {
    const Collector found = unpack_program(packed(name));
    ASSERT_EQ(found.members.size(), 1u) << name;
    EXPECT_TRUE(found.diagnostics.empty()) << name;
    EXPECT_EQ(found.members[0].first, "upx");
    const std::string& program = found.members[0].second;
    const format::ElfFile elf = format::parse_elf(as_bytes(program), program.size());
    EXPECT_TRUE(elf.diagnostics.empty()) << elf.diagnostics[0].message;
    EXPECT_EQ(elf.interpreter, "/lib64/ld-linux-x86-64.so.2");
    EXPECT_EQ(elf.needed, std::vector<std::string>{"libc.so.6"});
    EXPECT_NE(program.find("stratum+tcp://pool.example:3333"), std::string::npos) << "text of .rodata";
    EXPECT_NE(program.find(std::string("\xf3\x0f\x1e\xfa", 4)), std::string::npos) << "code";
  }
}

TEST(UnpackUpx, WhatCannotBeUnpackedIsSaid) {
  std::string program = packed("nrv2e");
  Collector found = unpack_program(program, 4096);
  ASSERT_EQ(found.diagnostics.size(), 1u);
  EXPECT_TRUE(found.members.empty());
  EXPECT_EQ(found.diagnostics[0].rule, "obfuscation.upx-too-large");
  EXPECT_TRUE(found.diagnostics[0].unaudited);

  program.replace(0x100 + 12 + 20, 40, 40, '\x55');  // in the first block
  found = unpack_program(program);
  ASSERT_EQ(found.diagnostics.size(), 1u);
  EXPECT_EQ(found.diagnostics[0].rule, "obfuscation.upx-undecodable");

  program = packed("nrv2e");
  program.replace(0x1f0, 40, 40, '\x55');  // in the second
  found = unpack_program(program);
  ASSERT_EQ(found.diagnostics.size(), 1u);
  EXPECT_EQ(found.diagnostics[0].rule, "obfuscation.upx-undecodable");
  EXPECT_EQ(found.members.size(), 1u) << "the rest is looked at";

  EXPECT_TRUE(unpack_program(std::string(5000, 'x')).diagnostics.empty());
}

TEST(UnpackUpx, EveryPrefix) {
  const std::string program = packed("lzma");
  for (std::size_t size = 0; size < program.size(); size += 7) (void)unpack_program(program.substr(0, size));
}

TEST(CarvePrograms, AtAnyOffset) {
  const std::string program = packed("nrv2b");
  const auto carve = [](const std::string& content) {
    Collector collector;
    carve_programs(as_bytes(content), 0, find_elf_magic(as_bytes(content)), collector);
    return collector;
  };
  EXPECT_TRUE(carve(program).members.empty()) << "the file itself";
  Collector found = carve("x" + program + "tail");
  ASSERT_EQ(found.members.size(), 1u);
  EXPECT_EQ(found.members[0].first, "elf@1");
  found = carve(std::string(999, '\0') + program + program);
  ASSERT_EQ(found.members.size(), 2u);
  EXPECT_EQ(found.members[1].first, "elf@" + std::to_string(999 + found.members[0].second.size() + (program.size() - found.members[0].second.size())));
  EXPECT_TRUE(carve("\x7f" "ELF\x7f" "ELF" + std::string(200, 'x')).members.empty());
  EXPECT_TRUE(carve("x\x7f" "ELF\x02\x01\x01" + std::string(200, '\0')).members.empty()) << "a magic and nothing else";
  found = carve("x" + program.substr(0, 3000));
  ASSERT_EQ(found.members.size(), 1u) << "cut off";
  EXPECT_EQ(found.members[0].second.size(), 3000u);
}

TEST(CarvePrograms, HeadersByTheThousandEndEarlyAndAreSaid) {
  std::string header = packed("nrv2b").substr(0, 64 + 3 * 56);
  header.replace(64 + 32, 8, std::string("\x10\0\0\0\0\0\0\0", 8));  // a small first segment, so that they do not cover each other
  header.replace(64 + 56 + 32, 8, std::string("\x10\0\0\0\0\0\0\0", 8));
  std::string many = "x";
  for (int i = 0; i < 3000; ++i) many += header;
  Collector collector;
  carve_programs(as_bytes(many), 0, find_elf_magic(as_bytes(many)), collector);
  EXPECT_EQ(collector.members.size(), 1024u);
  ASSERT_EQ(collector.diagnostics.size(), 1u);
  EXPECT_TRUE(collector.diagnostics[0].unaudited);
}

}  // namespace
}  // namespace lazaret::audit
