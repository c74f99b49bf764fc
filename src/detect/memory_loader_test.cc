#include <gtest/gtest.h>

#include <random>

#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"

namespace lazaret::detect {

extern const Detector memory_loader_detector;

namespace {

using Ids = std::vector<std::string>;

std::string noise(std::size_t size) {
  std::mt19937 random(11);
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(random());
  return text;
}
const std::string code(40'000, '\x90');

test::Outcome look(std::string content) { return test::inspect(memory_loader_detector, {.path = "/usr/bin/x", .content = std::move(content)}); }

TEST(MemoryLoader, PayloadBehindTheProgram) {
  test::ElfSample elf;
  elf.type = 2;
  elf.data = code + "/proc/self/fd/%d" + std::string(1, '\0') + "\xb8\x3f\x01" + std::string(2, '\0');
  EXPECT_EQ(look(elf.build()).rules(), Ids{}) << "no payload";
  const auto outcome = look(elf.build() + noise(30'000));
  EXPECT_EQ(outcome.rules(), Ids{"obfuscation.memory-loader"});
  ASSERT_EQ(outcome.unaudited.size(), 1u);
  EXPECT_EQ(outcome.unaudited[0].first, 30'000u);
  EXPECT_EQ(look(elf.build() + std::string(30'000, 'x')).rules(), Ids{}) << "data that can be read";
}

TEST(MemoryLoader, PayloadAmongTheData) {
  test::ElfSample elf;
  elf.imports = {"memfd_create", "fexecve"};
  elf.data = code + noise(100'000);
  EXPECT_EQ(look(elf.build()).rules(), Ids{"obfuscation.memory-loader"});
  elf.data = code + code + code + code + code + code + code + code + noise(70'000);
  EXPECT_EQ(look(elf.build()).rules(), Ids{}) << "a small part of a large program: a picture, a certificate store";
}

TEST(MemoryLoader, NeedsBothHalvesOfTheTrick) {
  test::ElfSample elf;
  elf.data = noise(100'000);
  EXPECT_EQ(look(elf.build()).rules(), Ids{});
  elf.imports = {"memfd_create"};
  EXPECT_EQ(look(elf.build()).rules(), Ids{}) << "shared memory of a desktop program";
  elf.imports = {"fexecve"};
  EXPECT_EQ(look(elf.build()).rules(), Ids{});
}

TEST(MemoryLoader, SystemCallsByNumber) {
  test::ElfSample elf;
  elf.type = 2;
  const std::string zeros(2, '\0');
  elf.data = code + "\x48\xc7\x04\x24\x3f\x01" + zeros + "\xb8\x42\x01" + zeros + code;
  EXPECT_EQ(look(elf.build() + noise(10'000)).rules(), Ids{"obfuscation.memory-loader"});
}

}  // namespace
}  // namespace lazaret::detect
