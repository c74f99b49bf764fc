#include "audit/unpack.h"

#include <gtest/gtest.h>

#include "format/archives_test_support.h"
#include "format/tar_test_support.h"
#include "format/zip_test_support.h"

namespace lazaret::audit {
namespace {

using format::FileKind;

// gzip of stored blocks (RFC 1951 3.2.4, RFC 1952).
std::string gzip(std::string_view content) {
  std::uint32_t crc = ~0u;
  for (const char c : content) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  std::size_t at = 0;
  do {
    const std::size_t size = std::min<std::size_t>(content.size() - at, 65535);
    out += static_cast<char>(at + size == content.size());
    out += format::little(size, 2) + format::little(~size, 2);
    out += content.substr(at, size);
    at += size;
  } while (at < content.size());
  return out + format::little(~crc, 4) + format::little(content.size(), 4);
}

class Recorder final : public UnpackHandler {
 public:
  void member(const std::string& path, std::uint32_t, std::uint64_t, const FileContent& content) override {
    if (content.first) members.emplace_back(path, "");
    ASSERT_FALSE(members.empty());
    // Windows overlap.
    std::string& text = members.back().second;
    ASSERT_LE(content.offset, text.size());
    text.resize(content.offset);
    text += as_text(content.bytes);
    ended += content.last ? 1 : 0;
  }
  void side_content(std::string_view what, std::uint64_t, Bytes bytes) override { sides.emplace_back(what, as_text(bytes)); }
  void diagnostic(const Diagnostic& diagnostic) override {
    diagnostics.push_back(diagnostic.rule);
    unaudited |= diagnostic.unaudited;
  }

  std::vector<std::pair<std::string, std::string>> members, sides;
  std::vector<std::string> diagnostics;
  std::size_t ended = 0;
  bool unaudited = false;
};

struct Unpacked {
  Recorder recorder;
  bool known = false;
};

Unpacked unpacked(FileKind kind, std::string_view name, std::string_view content, std::uint64_t bytes_out = 64 << 20, std::uint64_t whole = 1 << 20) {
  Limits limits;
  limits.file_window_bytes = 4096;
  limits.file_window_overlap = 256;
  Unpacked result;
  result.known = unpack(kind, name, as_bytes(content), {bytes_out, 1000, 1 << 20, whole, &limits}, result.recorder);
  return result;
}

using Members = std::vector<std::pair<std::string, std::string>>;
const std::string tar = format::tar_member("a.sh", "#!/bin/sh\n") + format::tar_member("d/b", "content") + format::tar_end_marker;

TEST(Unpack, ACompressedTarGivesItsMembers) {
  EXPECT_EQ(unpacked(FileKind::tar, "x.tar", tar).recorder.members, (Members{{"a.sh", "#!/bin/sh\n"}, {"d/b", "content"}}));
  EXPECT_EQ(unpacked(FileKind::gzip, "x.tar.gz", gzip(tar)).recorder.members, (Members{{"a.sh", "#!/bin/sh\n"}, {"d/b", "content"}}));
}

TEST(Unpack, ACompressedFileIsNamedAfterItsContainer) {
  EXPECT_EQ(unpacked(FileKind::gzip, "/opt/a.sh.gz", gzip("#!/bin/sh\n")).recorder.members, (Members{{"a.sh", "#!/bin/sh\n"}}));
  EXPECT_EQ(unpacked(FileKind::gzip, "noname", gzip("x")).recorder.members.size(), 1u);
  EXPECT_EQ(unpacked(FileKind::gzip, "empty.gz", gzip("")).recorder.ended, unpacked(FileKind::gzip, "empty.gz", gzip("")).recorder.members.size());
}

TEST(Unpack, EachKindOfArchive) {
  const std::vector<format::ZipMember> zip = {{"x/a.sh", "#!/bin/sh\n"}, {"b", "content"}};
  EXPECT_EQ(unpacked(FileKind::zip, "x.zip", format::make_zip(zip, "a comment")).recorder.members, (Members{{"x/a.sh", "#!/bin/sh\n"}, {"b", "content"}}));
  EXPECT_EQ(unpacked(FileKind::ar, "x.a", format::ar_magic + format::ar_member("a.o/", "one") + format::ar_member("b.o/", "two")).recorder.members.size(), 2u);
  const std::string cpio = format::cpio_newc({"etc/rc", "run me"}) + format::cpio_newc({"TRAILER!!!", "", 0});
  EXPECT_EQ(unpacked(FileKind::cpio, "x.cpio", cpio).recorder.members, (Members{{"etc/rc", "run me"}}));
}

TEST(Unpack, ADebIsAnArOfTars) {
  const std::string deb = format::ar_magic + format::ar_member("debian-binary", "2.0\n") + format::ar_member("data.tar.gz", gzip(tar));
  const Recorder recorder = unpacked(FileKind::ar, "x.deb", deb).recorder;
  ASSERT_EQ(recorder.members.size(), 2u);
  EXPECT_EQ(recorder.members[1].first, "data.tar.gz");
  EXPECT_EQ(unpacked(FileKind::gzip, recorder.members[1].first, recorder.members[1].second).recorder.members.size(), 2u);
}

TEST(Unpack, BytesOfNoMemberAreDeliveredToo) {
  const auto has = [](const Recorder& recorder, std::string_view text) {
    for (const auto& [what, bytes] : recorder.sides) {
      if (bytes.find(text) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(has(unpacked(FileKind::tar, "x.tar", tar + std::string(512, 'Z')).recorder, "ZZZ"));
  EXPECT_TRUE(has(unpacked(FileKind::gzip, "x.gz", gzip("x") + "trailing bytes").recorder, "trailing"));
  EXPECT_TRUE(has(unpacked(FileKind::zip, "x.zip", format::make_zip(std::vector<format::ZipMember>{{"a", "x"}}, "curl | sh")).recorder, "curl | sh"));
  EXPECT_TRUE(has(unpacked(FileKind::zip, "x.zip", "in front of it" + format::make_zip(std::vector<format::ZipMember>{{"a", "x"}})).recorder, "in front"));
}

TEST(Unpack, MembersTooLargeToBeHeldComeInWindowsWithEveryByte) {
  std::string large;
  for (int i = 0; i < 50'000; ++i) large += static_cast<char>('a' + i * 7 % 26);
  for (const auto& [kind, bytes] : {std::pair(FileKind::tar, format::tar_member("large", large) + format::tar_end_marker), std::pair(FileKind::gzip, gzip(large))}) {
    const Recorder recorder = unpacked(kind, "large.gz", bytes, 64 << 20, 1024).recorder;
    ASSERT_EQ(recorder.members.size(), 1u);
    EXPECT_EQ(recorder.members[0].second, large);
    EXPECT_EQ(recorder.ended, 1u);
  }
}

TEST(Unpack, MoreBytesThanTheLimitAreUnaudited) {
  const Recorder stream = unpacked(FileKind::gzip, "x.gz", gzip(std::string(100'000, 'x')), 10'000).recorder;
  EXPECT_TRUE(stream.unaudited);
  const Recorder zip = unpacked(FileKind::zip, "x.zip", format::make_zip(std::vector<format::ZipMember>{{"a", std::string(100'000, 'x')}, {"b", "y"}}), 10'000).recorder;
  EXPECT_TRUE(zip.unaudited);  // the first is stored and as large as it is: it costs nothing more
}

TEST(Unpack, AnEncryptedMemberIsUnaudited) {
  const Recorder recorder = unpacked(FileKind::zip, "x.zip", format::make_zip(std::vector<format::ZipMember>{{"a", "xxxxxxxxxxxxxxxx", 0, 1}})).recorder;
  EXPECT_TRUE(recorder.unaudited);
  EXPECT_FALSE(recorder.diagnostics.empty());
}

TEST(Unpack, EveryPrefixOfEveryKindIsHarmlessAndNoneIsTakenForTheWhole) {
  const std::vector<std::pair<FileKind, std::string>> samples = {
      {FileKind::tar, tar},
      {FileKind::gzip, gzip(tar)},
      {FileKind::zip, format::make_zip(std::vector<format::ZipMember>{{"x/a.sh", "#!/bin/sh\n"}, {"b", "content"}})},
      {FileKind::ar, format::ar_magic + format::ar_member("a.o/", "one") + format::ar_member("b.o/", "two")},
      {FileKind::cpio, format::cpio_newc({"etc/rc", "run me"}) + format::cpio_newc({"TRAILER!!!", "", 0})},
      {FileKind::rpm, format::make_rpm({{1000, 6, 1, format::terminated("name")}}, gzip(format::cpio_newc({"./a", "x"}) + format::cpio_newc({"TRAILER!!!", "", 0})))}};
  for (const auto& [kind, bytes] : samples) {
    const std::size_t all = unpacked(kind, "x", bytes).recorder.members.size();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Unpacked part = unpacked(kind, "x", std::string_view(bytes).substr(0, size));
      EXPECT_TRUE(part.known);
      EXPECT_LE(part.recorder.members.size(), all + 1);
      EXPECT_EQ(part.recorder.ended, part.recorder.members.size()) << format::name_of(kind) << " " << size;
    }
  }
}

TEST(Unpack, WhatIsNoContainerIsNotTouched) {
  for (const FileKind kind : {FileKind::text, FileKind::elf, FileKind::seven_zip, FileKind::empty}) {
    const Unpacked result = unpacked(kind, "x", "some content");
    EXPECT_FALSE(result.known);
    EXPECT_TRUE(result.recorder.members.empty());
    EXPECT_FALSE(is_container(kind));
  }
  EXPECT_TRUE(is_closed_container(FileKind::seven_zip) && !is_closed_container(FileKind::zip));
  EXPECT_TRUE(is_stream_container(FileKind::tar) && !is_stream_container(FileKind::zip));
}

TEST(Unpack, AStreamMayComeByteByByte) {
  Limits limits;
  Recorder recorder;
  const auto unpacker = open_unpacker(FileKind::gzip, "x.tgz", {1 << 20, 1000, 1 << 20, 1 << 20, &limits}, recorder);
  const std::string bytes = gzip(tar);
  for (const char c : bytes) unpacker->feed(as_bytes(std::string_view(&c, 1)));
  unpacker->finish();
  EXPECT_EQ(recorder.members, (Members{{"a.sh", "#!/bin/sh\n"}, {"d/b", "content"}}));
}

TEST(Unpack, AnArMayComeByteByByte) {
  Limits limits;
  Recorder recorder;
  const auto unpacker = open_unpacker(FileKind::ar, "x.a", {1 << 20, 1000, 1 << 20, 1 << 20, &limits}, recorder);
  const std::string bytes = format::ar_magic + format::ar_member("a.o/", "one") + format::ar_member("empty.o/", "") + format::ar_member("b.o/", "two!") + "rest";
  for (const char c : bytes) unpacker->feed(as_bytes(std::string_view(&c, 1)));
  unpacker->finish();
  EXPECT_EQ(recorder.members, (Members{{"a.o", "one"}, {"b.o", "two!"}}));
  EXPECT_EQ(recorder.sides, (Members{{"archive-gap", "rest"}}));
  EXPECT_EQ(recorder.ended, 2u);
}

}  // namespace
}  // namespace lazaret::audit
