#include "format/archives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "format/archives_test_support.h"

namespace lazaret::format {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> rules(const Archive& archive) {
  std::vector<std::string> result;
  for (const Diagnostic& diagnostic : archive.diagnostics) result.push_back(diagnostic.rule);
  return result;
}
std::vector<std::string> paths(const Archive& archive) {
  std::vector<std::string> result;
  for (const ArchiveMember& member : archive.members) result.push_back(member.path);
  return result;
}
std::vector<std::string> contents(const Archive& archive) {
  std::vector<std::string> result;
  for (const ArchiveMember& member : archive.members) result.emplace_back(as_text(member.data));
  return result;
}
std::vector<std::string> gaps(const Archive& archive, const std::string& content) {
  std::vector<std::string> result;
  for (const auto& [offset, size] : archive.gaps) result.push_back(content.substr(offset, size));
  return result;
}
// Members are views of the content, which tests give as temporaries.
Bytes keep(std::string content) {
  static std::deque<std::string> kept;
  return as_bytes(kept.emplace_back(std::move(content)));
}
// What is handed out lies inside of what was given.
void check_views(const Archive& archive, const std::string& content) {
  for (const ArchiveMember& member : archive.members) {
    if (member.data.empty()) continue;
    ASSERT_GE(member.data.data(), as_bytes(content).data());
    ASSERT_LE(member.data.data() + member.data.size(), as_bytes(content).data() + content.size());
  }
  for (const auto& [offset, size] : archive.gaps) {
    ASSERT_LE(offset, content.size());
    ASSERT_LE(size, content.size() - offset);
  }
}
template <typename Parse>
void survive_damage(const std::string& content, Parse parse) {
  for (std::size_t size = 0; size <= content.size(); ++size) {
    const std::string part = content.substr(0, size);
    check_views(parse(part), part);
  }
  for (std::size_t at = 0; at < content.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      check_views(parse(damaged), damaged);
    }
  }
}

// --- ar

Archive ar(const std::string& content, const Limits& limits = {}) {
  return parse_ar(keep(content), limits);
}

TEST(Ar, ReadsADebianPackage) {
  const std::string content = ar_magic + ar_member("debian-binary", "2.0\n") +
                              ar_member("control.tar.xz", "control") +
                              ar_member("data.tar.xz", "the data");
  const Archive archive = ar(content);
  EXPECT_THAT(archive.diagnostics, IsEmpty());
  EXPECT_THAT(archive.gaps, IsEmpty());
  EXPECT_THAT(paths(archive), ElementsAre("debian-binary", "control.tar.xz", "data.tar.xz"));
  EXPECT_THAT(contents(archive), ElementsAre("2.0\n", "control", "the data"));
  EXPECT_EQ(archive.members[0].mode, 0644u);
}

TEST(Ar, ReadsGnuNames) {
  const Archive archive =
      ar(ar_magic + ar_member("/", "symbols") +
         ar_member("//", "a-very-long-file-name.o/\nanother-very-long-name.o/\n") +
         ar_member("short.o/", "1") + ar_member("/25", "2") + ar_member("/0", "3"));
  EXPECT_THAT(archive.diagnostics, IsEmpty());
  EXPECT_THAT(paths(archive), ElementsAre("/", "//", "short.o", "another-very-long-name.o",
                                          "a-very-long-file-name.o"));
  EXPECT_THAT(rules(ar(ar_magic + ar_member("/99", "x"))), ElementsAre("anomaly.ar-malformed"));
}

TEST(Ar, ReadsBsdNames) {
  const std::string content =
      ar_magic + ar_member("#1/20", std::string("a long name\0\0hidden\0", 20) + "content");
  const Archive archive = ar(content);
  EXPECT_THAT(paths(archive), ElementsAre("a long name"));
  EXPECT_THAT(contents(archive), ElementsAre("content"));
  EXPECT_THAT(gaps(archive, content), ElementsAre(std::string("hidden\0", 7)));
  EXPECT_THAT(rules(ar(ar_magic + ar_member("#1/99", "x"))), ElementsAre("anomaly.ar-malformed"));
}

TEST(Ar, OneLongNameForManyMembersIsCut) {
  Limits limits;
  limits.path_bytes = 100;
  std::string content = ar_magic + ar_member("//", std::string(5000, 'n'));
  for (int i = 0; i < 100; ++i) content += ar_member("/0", "");
  const Archive archive = ar(content, limits);
  ASSERT_THAT(archive.members, SizeIs(101));
  EXPECT_EQ(archive.members[1].path, std::string(100, 'n'));
  EXPECT_THAT(rules(archive), Contains("anomaly.ar-long-path"));
}

TEST(Ar, ThinArchivesAreRefused) {
  const std::string content = "!<thin>\n" + ar_member("a/", "");
  const Archive archive = ar(content);
  EXPECT_THAT(archive.members, IsEmpty());
  ASSERT_THAT(rules(archive), ElementsAre("anomaly.ar-thin"));
  EXPECT_TRUE(archive.diagnostics[0].unaudited);
  EXPECT_THAT(gaps(archive, content), ElementsAre(content));
}

TEST(Ar, DuplicateNamesAreReported) {
  EXPECT_THAT(rules(ar(ar_magic + ar_member("data.tar", "1") + ar_member("data.tar", "2"))),
              ElementsAre("anomaly.ar-duplicate-name"));
}

TEST(Ar, WhatIsNoHeaderIsAGap) {
  const std::string content = ar_magic + ar_member("a", "1") + std::string(70, 'x');
  const Archive archive = ar(content);
  EXPECT_THAT(paths(archive), ElementsAre("a"));
  ASSERT_THAT(rules(archive), ElementsAre("anomaly.ar-malformed"));
  EXPECT_TRUE(archive.diagnostics[0].unaudited);
  EXPECT_EQ(archive.diagnostics[0].bytes, 70u);
  EXPECT_THAT(gaps(archive, content), ElementsAre(std::string(70, 'x')));
}

TEST(Ar, ALyingSizeIsCutAtTheEnd) {
  std::string member = ar_member("a", "1234");
  member.replace(48, 10, "9999999999");
  const Archive archive = ar(ar_magic + member);
  EXPECT_THAT(contents(archive), ElementsAre("1234"));
  ASSERT_THAT(rules(archive), ElementsAre("anomaly.ar-truncated"));
  EXPECT_EQ(archive.diagnostics[0].bytes, 9999999995u);
}

TEST(Ar, StopsAtTheLimitOfEntries) {
  Limits limits;
  limits.nested_entries = 1;
  const Archive archive = ar(ar_magic + ar_member("a", "1") + ar_member("b", "2"), limits);
  EXPECT_THAT(archive.members, SizeIs(1));
  EXPECT_THAT(rules(archive), ElementsAre("anomaly.ar-too-many-entries"));
}

struct Pieces final : ArHandler {
  void member(std::string_view path, std::uint32_t, std::uint64_t) override { text += "[" + std::string(path) + "]"; }
  void data(std::uint64_t, Bytes piece) override { text += as_text(piece); }
  void member_end() override { text += ";"; }
  void gap(std::uint64_t, Bytes piece, bool first) override { gaps += (first ? "|" : "") + std::string(as_text(piece)); }
  void diagnostic(Diagnostic diagnostic) override { rules.push_back(diagnostic.rule + std::to_string(diagnostic.bytes)); }
  std::string text, gaps;
  std::vector<std::string> rules;
};

TEST(Ar, ComesInPiecesOfAnySizeTheSame) {
  const std::string full = ar_magic + ar_member("//", "a-very-long-file-name.o/\n") + ar_member("/0", "1") + ar_member("#1/20", std::string("a long name\0\0hidden\0", 20) + "content") +
                           ar_member("odd", "123") + ar_member("odd", "") + ar_member("/77", "x") + std::string(70, 'x');
  for (std::size_t size = 0; size <= full.size(); ++size) {
    const std::string content = full.substr(0, size);
    const Archive archive = ar(content);
    std::string text, all_gaps;
    std::vector<std::string> all_rules;
    for (const ArchiveMember& member : archive.members) text += "[" + member.path + "]" + std::string(as_text(member.data)) + ";";
    for (const std::string& gap : gaps(archive, content)) all_gaps += "|" + gap;
    for (const Diagnostic& diagnostic : archive.diagnostics) all_rules.push_back(diagnostic.rule + std::to_string(diagnostic.bytes));
    for (const std::size_t piece : {1, 7, 64}) {
      Pieces pieces;
      const Limits limits;
      ArReader reader(limits, pieces);
      for (std::size_t at = 0; at < content.size(); at += piece) reader.feed(as_bytes(std::string_view(content).substr(at, piece)));
      reader.finish();
      EXPECT_EQ(pieces.text, text) << size;
      EXPECT_EQ(pieces.gaps, all_gaps) << size;
      EXPECT_EQ(pieces.rules, all_rules) << size;
    }
  }
}

TEST(Ar, EveryPrefixAndEveryDamagedByteIsSurvived) {
  survive_damage(ar_magic + ar_member("//", "a-very-long-file-name.o/\n") + ar_member("/0", "1") +
                     ar_member("#1/4", "namecontent") + ar_member("odd", "123"),
                 [](const std::string& content) { return parse_ar(as_bytes(content), {}); });
}

// --- cpio

Archive cpio(const std::string& content, const Limits& limits = {}) {
  return parse_cpio(keep(content), limits);
}
const CpioMember end_member{"TRAILER!!!", "", 0, 0, 1};

template <typename Make>
std::string cpio_archive(Make make) {
  return make({"bin", "", 040755, 1, 2}) + make({"bin/a", "hello", 0104755, 2}) +
         make({"bin/odd", "1234567", 0100644, 3}) + make({"link", "bin/a", 0120777, 4}) +
         make(end_member);
}

TEST(Cpio, ReadsEachFormat) {
  const std::string archives[] = {
      cpio_archive([](const CpioMember& member) { return cpio_newc(member); }),
      cpio_archive([](const CpioMember& member) { return cpio_newc(member, "070702"); }),
      cpio_archive([](const CpioMember& member) { return cpio_odc(member); }),
      cpio_archive([](const CpioMember& member) { return cpio_binary(member, false); }),
      cpio_archive([](const CpioMember& member) { return cpio_binary(member, true); })};
  for (const std::string& content : archives) {
    for (const std::size_t zeros : {0u, 512u}) {
      const Archive archive = cpio(content + std::string(zeros, '\0'));
      EXPECT_THAT(archive.diagnostics, IsEmpty());
      EXPECT_THAT(archive.gaps, IsEmpty());
      EXPECT_THAT(paths(archive), ElementsAre("bin", "bin/a", "bin/odd", "link"));
      EXPECT_THAT(contents(archive), ElementsAre("", "hello", "1234567", ""));
      EXPECT_EQ(archive.members[1].mode, 04755u);
      EXPECT_EQ(archive.members[3].link_target, "bin/a");
    }
  }
}

TEST(Cpio, ArchivesMayFollowOneAnother) {
  const std::string first = cpio_newc({"early", "1"}) + cpio_newc(end_member);
  const std::string content =
      padded_to(first, 512) + cpio_newc({"late", "2"}) + cpio_newc(end_member);
  const Archive archive = cpio(content);
  EXPECT_THAT(paths(archive), ElementsAre("early", "late"));
  EXPECT_THAT(archive.diagnostics, IsEmpty());
}

TEST(Cpio, HardLinksNameTheMemberWithContent) {
  const Archive archive =
      cpio(cpio_newc({"a", "", 0100644, 7, 3}) + cpio_newc({"b", "", 0100644, 7, 3}) +
           cpio_newc({"c", "content", 0100644, 7, 3}) + cpio_newc({"d", "", 0100644, 8, 1}) +
           cpio_newc(end_member));
  EXPECT_EQ(archive.members[0].link_target, "c");
  EXPECT_EQ(archive.members[1].link_target, "c");
  EXPECT_EQ(archive.members[2].link_target, "");
  EXPECT_EQ(as_text(archive.members[2].data), "content");
  EXPECT_EQ(archive.members[3].link_target, "");
}

TEST(Cpio, ASymlinkWithAPayloadKeepsIt) {
  const std::string payload(5000, 'p');
  const Archive archive = cpio(cpio_newc({"l", payload, 0120777}) + cpio_newc(end_member));
  EXPECT_THAT(contents(archive), ElementsAre(payload));
}

TEST(Cpio, BytesBehindANulAndInThePaddingAreGaps) {
  std::string name = cpio_newc({std::string("a\0hidden1", 9), "x"});
  name.replace(name.size() - 3, 3, "pad");
  const std::string content = name + cpio_newc(end_member);
  const Archive archive = cpio(content);
  EXPECT_THAT(paths(archive), ElementsAre("a"));
  EXPECT_THAT(gaps(archive, content), ElementsAre(std::string("hidden1\0", 8), "pad"));
}

TEST(Cpio, GoesOnBehindDamage) {
  const std::string content =
      cpio_newc({"a", "1"}) + "some junk ...." + cpio_newc({"b", "2"}) + cpio_newc(end_member);
  const Archive archive = cpio(content);
  EXPECT_THAT(paths(archive), ElementsAre("a", "b"));
  ASSERT_THAT(rules(archive), ElementsAre("anomaly.cpio-malformed"));
  EXPECT_TRUE(archive.diagnostics[0].unaudited);
  EXPECT_THAT(gaps(archive, content), ElementsAre("some junk ...."));
}

TEST(Cpio, BytesBehindTheEndAreAGap) {
  const std::string content = cpio_newc({"a", "1"}) + cpio_newc(end_member) + "payload";
  const Archive archive = cpio(content);
  ASSERT_THAT(rules(archive), ElementsAre("anomaly.cpio-after-end"));
  EXPECT_FALSE(archive.diagnostics[0].unaudited);
  EXPECT_THAT(gaps(archive, content), ElementsAre("payload"));
}

TEST(Cpio, ArchivesWithoutSizesAreOneGap) {
  const std::string content = "07070X00000000" + std::string(100, 'x');
  const Archive archive = cpio(content);
  EXPECT_THAT(rules(archive), ElementsAre("anomaly.cpio-stripped"));
  EXPECT_THAT(gaps(archive, content), ElementsAre(content));
}

TEST(Cpio, ALyingSizeIsCutAtTheEnd) {
  std::string content = cpio_newc({"a", "1234"});
  content.replace(54, 8, "FFFFFFFF");
  const Archive archive = cpio(content);
  EXPECT_THAT(contents(archive), ElementsAre("1234"));
  EXPECT_THAT(rules(archive), Contains("anomaly.cpio-truncated"));
}

TEST(Cpio, StopsAtTheLimitOfEntries) {
  Limits limits;
  limits.nested_entries = 1;
  const Archive archive =
      cpio(cpio_newc({"a", "1"}) + cpio_newc({"b", "2"}) + cpio_newc(end_member), limits);
  EXPECT_THAT(archive.members, SizeIs(1));
  EXPECT_THAT(rules(archive), ElementsAre("anomaly.cpio-too-many-entries"));
}

TEST(Cpio, EveryPrefixAndEveryDamagedByteIsSurvived) {
  const auto parse = [](const std::string& content) { return parse_cpio(as_bytes(content), {}); };
  survive_damage(cpio_archive([](const CpioMember& member) { return cpio_newc(member); }), parse);
  survive_damage(cpio_archive([](const CpioMember& member) { return cpio_odc(member); }), parse);
  survive_damage(cpio_archive([](const CpioMember& member) { return cpio_binary(member, true); }),
                 parse);
}

// --- rpm

Rpm rpm(const std::string& content) {
  return parse_rpm(keep(content), {});
}
const std::vector<RpmEntry> usual = {{1000, 6, 1, terminated("tool")},
                                     {1001, 6, 1, terminated("1.2")},
                                     {1002, 6, 1, terminated("3.el9")},
                                     {1022, 6, 1, terminated("x86_64")}};

TEST(Rpm, ReadsNameScriptletsAndPayload) {
  std::vector<RpmEntry> entries = usual;
  entries.push_back({1003, 4, 1, big(7, 4)});
  entries.push_back({1023, 6, 1, terminated("echo prein")});
  entries.push_back({1024, 6, 1, terminated("echo postin")});
  entries.push_back({1065, 8, 2, terminated("trigger 0") + terminated("trigger 1")});
  entries.push_back({1085, 8, 1, terminated("/bin/sh")});
  entries.push_back({1086, 8, 3, terminated("/bin/sh") + terminated("-c") + terminated("evil")});
  const Rpm package = rpm(make_rpm(entries, "the payload"));
  EXPECT_EQ(package.name, "tool-7:1.2-3.el9.x86_64");
  EXPECT_THAT(package.contents.diagnostics, IsEmpty());
  EXPECT_THAT(package.contents.gaps, IsEmpty());
  EXPECT_THAT(paths(package.contents),
              ElementsAre("scriptlet/prein", "scriptlet/postin", "scriptlet/triggerscripts",
                          "scriptlet/triggerscripts/1", "scriptlet/postinprog", "payload"));
  EXPECT_THAT(contents(package.contents),
              ElementsAre("echo prein", "echo postin", "trigger 0", "trigger 1",
                          std::string("/bin/sh\0-c\0evil\0", 16), "the payload"));
  EXPECT_EQ(rpm(make_rpm(usual, "p")).name, "tool-1.2-3.el9.x86_64");
}

TEST(Rpm, UnknownTagsAndUncoveredBytesAreSeen) {
  std::vector<RpmEntry> entries = usual;
  entries.push_back({90000, 7, 7, "payload"});
  entries.push_back({1004, 9, 1, terminated("summary")});
  std::string content = make_rpm(entries, "p");
  // The summary's entry is cut out of the index by making it one of no bytes.
  const std::size_t at = content.find(big(1004, 4) + big(9, 4));
  content.replace(at + 4, 4, big(7, 4));
  content.replace(at + 12, 4, big(0, 4));
  content.replace(90, 4, "lead");
  const Rpm package = rpm(content);
  EXPECT_THAT(paths(package.contents), ElementsAre("header/90000", "payload"));
  EXPECT_EQ(as_text(package.contents.members[0].data), "payload");
  EXPECT_THAT(gaps(package.contents, content),
              ElementsAre(std::string("lead\0\0", 6), std::string("summary\0", 8)));
}

TEST(Rpm, OverlappingEntriesDoNotMultiply) {
  std::vector<RpmEntry> entries = {{1023, 6, 1, terminated(std::string(10000, 'x'))}};
  std::string content = make_rpm(entries, "p");
  std::string index = content.substr(content.find(big(1023, 4) + big(6, 4)), 16), all;
  for (int i = 0; i < 1000; ++i) all += index;
  const std::string store = terminated(std::string(10000, 'x'));
  const std::string header =
      big(0x8eade801, 4) + big(0, 4) + big(1000, 4) + big(store.size(), 4) + all + store;
  content = rpm_lead("x") + padded_to(rpm_header({}), 8) + header + "payload";
  const Rpm package = rpm(content);
  std::uint64_t total = 0;
  for (const ArchiveMember& member : package.contents.members) total += member.data.size();
  EXPECT_LE(total, 5 * content.size());
  EXPECT_THAT(rules(package.contents), Contains("anomaly.rpm-malformed"));
  EXPECT_EQ(package.contents.members.back().path, "payload");
}

TEST(Rpm, AMissingHeaderIsReported) {
  const std::string content = rpm_lead("x") + std::string(100, 'z');
  const Rpm package = rpm(content);
  EXPECT_THAT(package.contents.members, IsEmpty());
  ASSERT_THAT(rules(package.contents), ElementsAre("anomaly.rpm-malformed"));
  EXPECT_TRUE(package.contents.diagnostics[0].unaudited);
  EXPECT_THAT(gaps(package.contents, content), ElementsAre(std::string(100, 'z')));
  EXPECT_THAT(rules(rpm("something else").contents), ElementsAre("anomaly.rpm-malformed"));
  EXPECT_THAT(rules(rpm(make_rpm(usual, "")).contents), ElementsAre("anomaly.rpm-truncated"));
}

TEST(Rpm, LyingNumbersAreSurvived) {
  for (const std::uint64_t lie : {0xffffffffull, 0x10000000ull, 0x80000000ull}) {
    const std::string good = make_rpm(usual, "payload");
    for (std::size_t at = 96; at + 4 <= good.size(); at += 4) {
      std::string content = good;
      content.replace(at, 4, big(lie, 4));
      check_views(parse_rpm(as_bytes(content), {}).contents, content);
    }
  }
}

TEST(Rpm, EveryPrefixAndEveryDamagedByteIsSurvived) {
  std::vector<RpmEntry> entries = usual;
  entries.push_back({1065, 8, 2, terminated("trigger 0") + terminated("trigger 1")});
  survive_damage(make_rpm(entries, "payload"), [](const std::string& content) {
    return parse_rpm(as_bytes(content), {}).contents;
  });
}

}  // namespace
}  // namespace lazaret::format
