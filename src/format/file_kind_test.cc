#include "format/file_kind.h"

#include <gtest/gtest.h>

#include <string>

namespace lazaret::format {
namespace {

using namespace std::string_literals;

FileKind kind_of(const std::string& content, std::string_view path = "") {
  return classify(as_bytes(content), content.size(), path).kind;
}

TEST(FileKind, KnowsContainersByTheirMagic) {
  EXPECT_EQ(kind_of("PK\x03\x04"s + std::string(30, '\0')), FileKind::zip);
  EXPECT_EQ(kind_of("\x1f\x8b\x08\0\0\0\0\0\0\x03"s), FileKind::gzip);
  EXPECT_EQ(kind_of("\x28\xb5\x2f\xfd"s + std::string(20, '\0')), FileKind::zstd);
  EXPECT_EQ(kind_of("!<arch>\n"), FileKind::ar);
  EXPECT_EQ(kind_of("070701" + std::string(104, '0')), FileKind::cpio);
}

TEST(FileKind, NamesDoNotDecide) {
  EXPECT_EQ(kind_of("\x7f""ELF\x02\x01\x01"s + std::string(60, '\0'), "/usr/share/doc/readme.txt"), FileKind::elf);
  EXPECT_NE(kind_of("just text\n", "/bin/program.so"), FileKind::elf);
}

std::string binary_cpio(bool big_endian, const std::string& name) {
  std::string header(26, '\0');
  const auto put = [&](std::size_t word, unsigned value) {
    header[2 * word + (big_endian ? 0 : 1)] = static_cast<char>(value >> 8);
    header[2 * word + (big_endian ? 1 : 0)] = static_cast<char>(value & 0xff);
  };
  put(0, 070707);
  put(10, static_cast<unsigned>(name.size() + 1));
  return header + name + '\0';
}

TEST(FileKind, BinaryCpioOfBothByteOrders) {
  EXPECT_EQ(kind_of(binary_cpio(false, "etc/passwd")), FileKind::cpio);
  EXPECT_EQ(kind_of(binary_cpio(true, "etc/passwd")), FileKind::cpio);
}

// Package lists of apt hold 60,000 SHA-256 sums; decoded, two of them began like a binary cpio, and the audit went twelve levels deep.
TEST(FileKind, ADecodedChecksumIsNoCpio) {
  std::string sum = "\xc7\x71"s;
  for (int i = 2; i < 32; ++i) sum.push_back(static_cast<char>(i * 37));
  EXPECT_NE(kind_of(sum), FileKind::cpio);
  std::string wrong_end = binary_cpio(false, "etc/passwd");
  wrong_end[30] = '\0';
  EXPECT_NE(kind_of(wrong_end), FileKind::cpio);
  for (std::size_t size = 0; size < 26; ++size) EXPECT_NE(kind_of(binary_cpio(false, "a").substr(0, size)), FileKind::cpio);
}

TEST(FileKind, TruncationAtEveryByteIsHarmless) {
  for (const std::string& whole : {binary_cpio(true, "name"), "\x7f""ELF\x02\x01\x01"s + std::string(60, '\0'), "#!/usr/bin/env -S python3 -u\nprint(1)\n"s,
                                   "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff"s}) {
    for (std::size_t size = 0; size <= whole.size(); ++size) kind_of(whole.substr(0, size));
  }
}

TEST(FileKind, InterpretersOfScripts) {
  const auto language = [](const std::string& text) { return classify(as_bytes(text), text.size(), "").language; };
  EXPECT_EQ(language("#!/bin/bash\n"), Language::shell);
  EXPECT_EQ(language("#!/usr/bin/env python3.11\n"), Language::python);
}

}  // namespace
}  // namespace lazaret::format
