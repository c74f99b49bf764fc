#include <gtest/gtest.h>

#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"

namespace lazaret::detect {

extern const Detector elf_anomaly_detector;

namespace {

using Ids = std::vector<std::string>;

Ids look(std::string content, std::string path = "/usr/bin/x") {
  return test::inspect(elf_anomaly_detector, {.path = std::move(path), .content = std::move(content)}).rules();
}
void put(std::string& content, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) content[at + i] = static_cast<char>(value >> (8 * i));
}

TEST(ElfAnomaly, EntryPointOutsideOfTheCode) {
  test::ElfSample elf;
  elf.interpreter = "/lib64/ld-linux-x86-64.so.2";
  elf.extra_memory = 0x10000000;
  std::string program = elf.build();
  EXPECT_EQ(look(program), Ids{});
  put(program, 24, 0xc000000);  // where PT_NOTE infections put themselves
  EXPECT_EQ(look(program), Ids{"obfuscation.elf-entry-outside"});
  put(program, 24, 0x20000000);
  EXPECT_EQ(look(program), Ids{}) << "in no segment: it cannot run";
  elf.section_headers = false;
  program = elf.build();
  put(program, 24, 0xc000000);
  EXPECT_EQ(look(program), Ids{}) << "nothing says where its code is";
}

TEST(ElfAnomaly, InterpreterAndLibraryPath) {
  test::ElfSample elf;
  for (const char* path : {"/tmp/ld.so", "/dev/shm/.x/ld.so", "/var/tmp/ld.so", "./ld.so", "ld.so"}) {
    elf.interpreter = path;
    EXPECT_EQ(look(elf.build()), Ids{"persistence.elf-interpreter"}) << path;
  }
  for (const char* path : {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1", "/nix/store/x-glibc/lib/ld-linux-x86-64.so.2", "/tmpfs/ld.so"}) {
    elf.interpreter = path;
    EXPECT_EQ(look(elf.build()), Ids{}) << path;
  }
  for (const char* path : {"/tmp/lib", "$ORIGIN/../lib:/dev/shm", "lib", "/usr/lib:../lib"}) {
    elf.rpath = path;
    EXPECT_EQ(look(elf.build()), Ids{"persistence.elf-library-path"}) << path;
  }
  for (const char* path : {"$ORIGIN", "$ORIGIN/../lib:/usr/lib/x", "/opt/app/lib:", "${ORIGIN}"}) {
    elf.rpath = path;
    EXPECT_EQ(look(elf.build()), Ids{}) << path;
  }
}

TEST(ElfAnomaly, WritableCode) {
  test::ElfSample elf;
  elf.type = 2;
  std::string program = elf.build();
  EXPECT_EQ(look(program), Ids{});
  program[64 + 4] = 7;  // flags of the first segment
  EXPECT_EQ(look(program), Ids{"anomaly.elf-writable-code"});
  elf.interpreter = "/lib64/ld-linux-x86-64.so.2";
  program = elf.build();
  program[64 + 4] = 7;
  EXPECT_EQ(look(program), Ids{}) << "the loader may have a use for it";
}

TEST(ElfAnomaly, StaticSystemTools) {
  test::ElfSample elf;
  elf.type = 2;
  EXPECT_EQ(look(elf.build(), "/usr/sbin/sshd"), Ids{"integrity.static-system-tool"});
  EXPECT_EQ(look(elf.build(), "/bin/ls"), Ids{"integrity.static-system-tool"});
  EXPECT_EQ(look(elf.build(), "/usr/local/bin/ls"), Ids{}) << "somebody's own";
  EXPECT_EQ(look(elf.build(), "/sbin/ldconfig"), Ids{});
  EXPECT_EQ(look(elf.build(), "/bin/busybox"), Ids{});
  elf.interpreter = "/lib64/ld-linux-x86-64.so.2";
  EXPECT_EQ(look(elf.build(), "/bin/ls"), Ids{});
}

}  // namespace
}  // namespace lazaret::detect
