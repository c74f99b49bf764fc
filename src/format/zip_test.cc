#include "format/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "format/zip_test_support.h"

namespace lazaret::format {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Members are views of the content, which tests give as temporaries.
ZipFile parse(std::string content, const Limits& limits = {}) {
  static std::deque<std::string> kept;
  return parse_zip(as_bytes(kept.emplace_back(std::move(content))), limits);
}
std::vector<std::string> rules(const ZipFile& file) {
  std::vector<std::string> result;
  for (const Diagnostic& diagnostic : file.diagnostics) result.push_back(diagnostic.rule);
  return result;
}
std::vector<std::string> paths(const ZipFile& file) {
  std::vector<std::string> result;
  for (const ZipEntry& entry : file.entries) result.push_back(entry.path);
  return result;
}
std::string gap(const std::string& content, const ZipFile::Gap& gap) {
  return content.substr(gap.offset, gap.size);
}
const std::vector<ZipMember> two = {{"a", "content of a"}, {"d/b", "content of b"}};

TEST(Zip, ReadsMembers) {
  const std::vector<ZipMember> members = {{"a", "hello", 0},
                                          {"d/", "", 0, 0, 040755},
                                          {"link", "a", 0, 0, 0120777},
                                          {"run", "#!/bin/sh\n", 8, 0, 0104755},
                                          {"stream", "streamed", 8, 0, 0100600, "", "", true}};
  const std::string content = make_zip(members, "the comment");
  const ZipFile file = parse(content);
  EXPECT_THAT(file.diagnostics, IsEmpty());
  EXPECT_THAT(file.gaps, IsEmpty());
  EXPECT_EQ(file.comment, "the comment");
  ASSERT_THAT(paths(file), ElementsAre("a", "d/", "link", "run", "stream"));
  EXPECT_EQ(as_text(file.entries[0].data), "hello");
  EXPECT_EQ(file.entries[0].mode, 0644u);
  EXPECT_EQ(file.entries[0].crc32, 0x11223344u);
  EXPECT_TRUE(file.entries[1].is_directory);
  EXPECT_TRUE(file.entries[2].is_symlink);
  EXPECT_EQ(file.entries[3].mode, 04755u);
  EXPECT_EQ(file.entries[3].method, 8u);
  EXPECT_EQ(as_text(file.entries[4].data), "streamed");
  EXPECT_EQ(file.entries[4].header_offset, content.find(members[4].local()));
  for (const ZipEntry& entry : file.entries) EXPECT_FALSE(entry.only_local);
}

TEST(Zip, AnEmptyArchiveIsRead) {
  const ZipFile file = parse(zip_end(0, 0, 0));
  EXPECT_THAT(file.entries, IsEmpty());
  EXPECT_THAT(file.diagnostics, IsEmpty());
  EXPECT_THAT(file.gaps, IsEmpty());
}

TEST(Zip, BytesInFrontAndBehindAreGaps) {
  const std::string archive = make_zip(two);
  const std::string content = "#!/bin/sh\nexit\n" + archive + "trailer";
  const ZipFile file = parse(content);
  EXPECT_THAT(paths(file), ElementsAre("a", "d/b"));
  EXPECT_EQ(as_text(file.entries[1].data), "content of b");
  ASSERT_THAT(file.gaps, SizeIs(2));
  EXPECT_EQ(gap(content, file.gaps[0]), "#!/bin/sh\nexit\n");
  EXPECT_EQ(gap(content, file.gaps[1]), "trailer");
  EXPECT_THAT(file.diagnostics, IsEmpty());
}

TEST(Zip, OffsetsMayCountWhatStandsInFront) {
  const std::string prefix = "#!/bin/sh\n";
  const std::string locals = two[0].local() + two[1].local();
  const std::string central =
      two[0].central(prefix.size()) + two[1].central(prefix.size() + two[0].local().size());
  const std::string content =
      prefix + locals + central + zip_end(2, central.size(), prefix.size() + locals.size());
  const ZipFile file = parse(content);
  EXPECT_THAT(file.diagnostics, IsEmpty());
  EXPECT_THAT(paths(file), ElementsAre("a", "d/b"));
  EXPECT_EQ(as_text(file.entries[1].data), "content of b");
  EXPECT_THAT(file.gaps, SizeIs(1));
}

TEST(Zip, GapsBetweenMembersAndUnreadFieldsAreSeen) {
  ZipMember member{"a", "x"};
  member.extra = little(0x5a5a, 2) + little(7, 2) + "hidden1";
  member.comment = "hidden2";
  const std::string locals = member.local() + "hidden3";
  const std::string central = member.central(0);
  const std::string content =
      locals + central + "hidden4" + zip_end(1, central.size(), locals.size());
  const ZipFile file = parse(content);
  std::vector<std::string> gaps;
  for (const auto& item : file.gaps) gaps.push_back(gap(content, item));
  EXPECT_THAT(gaps, ElementsAre("hidden3", "hidden1", "hidden2", "hidden4"));
  EXPECT_THAT(paths(file), ElementsAre("a"));
}

TEST(Zip, LocalHeadersThatTheDirectoryDoesNotListAreFound) {
  const ZipMember hidden{"hidden", "payload"};
  const ZipMember streamed{"streamed", "payload PK\7\10 2", 8, 0, 0, "", "", true};
  const std::string locals =
      two[0].local() + "junk" + hidden.local() + streamed.local() + two[1].local();
  const std::string central =
      two[0].central(0) + two[1].central(locals.size() - two[1].local().size());
  const std::string content = locals + central + zip_end(2, central.size(), locals.size());
  const ZipFile file = parse(content);
  ASSERT_THAT(paths(file), ElementsAre("a", "d/b", "hidden", "streamed"));
  EXPECT_TRUE(file.entries[2].only_local);
  EXPECT_EQ(as_text(file.entries[2].data), "payload");
  EXPECT_EQ(as_text(file.entries[3].data), "payload PK\7\10 2");
  ASSERT_THAT(file.gaps, SizeIs(1));
  EXPECT_EQ(gap(content, file.gaps[0]), "junk");
  EXPECT_THAT(rules(file), ElementsAre("anomaly.zip-hidden-entry", "anomaly.zip-hidden-entry"));
}

TEST(Zip, WithoutADirectoryLocalHeadersAreRead) {
  const ZipMember streamed{"s", "streamed", 8, 0, 0, "", "", true};
  const ZipFile file = parse(two[0].local() + streamed.local() + two[1].local());
  EXPECT_THAT(paths(file), ElementsAre("a", "s", "d/b"));
  EXPECT_EQ(as_text(file.entries[1].data), "streamed");
  EXPECT_EQ(as_text(file.entries[2].data), "content of b");
  EXPECT_THAT(file.gaps, IsEmpty());
  EXPECT_THAT(rules(file), ElementsAre("anomaly.zip-no-directory"));
}

TEST(Zip, ASecondEndRecordIsReported) {
  // The comment of one archive holds another, which readers from the end see.
  const std::string inner = make_zip(std::vector<ZipMember>{{"inner", "payload"}});
  const std::string content = make_zip(two, inner);
  const ZipFile file = parse(content);
  EXPECT_THAT(paths(file), ElementsAre("inner", "a", "d/b"));
  EXPECT_FALSE(file.entries[0].only_local);
  EXPECT_TRUE(file.entries[1].only_local);
  EXPECT_THAT(rules(file), testing::Contains("anomaly.zip-second-directory"));
  // A stored zip as a member is innocent.
  const ZipFile nested = parse(make_zip(std::vector<ZipMember>{{"inner.zip", inner}}));
  EXPECT_THAT(nested.diagnostics, IsEmpty());
  EXPECT_THAT(paths(nested), ElementsAre("inner.zip"));
}

TEST(Zip, TwoDirectoriesOfOneEndRecordAreReported) {
  // The offset leads to one, the size to the other.
  const std::string locals = two[0].local() + two[1].local();
  const std::string first = two[0].central(0), second = two[1].central(two[0].local().size());
  const std::string content = locals + first + second + zip_end(1, second.size(), locals.size());
  const ZipFile file = parse(content);
  EXPECT_THAT(rules(file), testing::Contains("anomaly.zip-second-directory"));
  EXPECT_THAT(paths(file), testing::UnorderedElementsAre("a", "d/b"));
}

TEST(Zip, OverlappingMembersAreReported) {
  // Each quotes the header of the next one as its content.
  const ZipMember last{"c", "payload"};
  const ZipMember middle{"b", last.local()};
  const ZipMember first{"a", middle.local()};
  const std::string locals = first.local();
  const auto at = [&](const ZipMember& member) { return locals.find(member.local()); };
  const std::string central =
      first.central(0) + middle.central(at(middle)) + last.central(at(last));
  const std::string content = locals + central + zip_end(3, central.size(), locals.size());
  const ZipFile file = parse(content);
  EXPECT_THAT(paths(file), ElementsAre("a", "b", "c"));
  EXPECT_EQ(as_text(file.entries[2].data), "payload");
  ASSERT_THAT(rules(file), ElementsAre("anomaly.zip-overlap"));
  EXPECT_THAT(file.diagnostics[0].message, HasSubstr("2 members"));
  // One content under two names.
  const std::string twice = last.central(0) + ZipMember{"d", "payload"}.central(0);
  EXPECT_THAT(rules(parse(last.local() + twice + zip_end(2, twice.size(), last.local().size()))),
              ElementsAre("anomaly.zip-name-disagreement", "anomaly.zip-overlap"));
}

TEST(Zip, HeadersThatDisagreeAreReported) {
  const auto with_local = [](const ZipMember& local) {
    const std::string central = two[0].central(0);
    return rules(parse(local.local() + central + zip_end(1, central.size(), local.local().size())));
  };
  EXPECT_THAT(with_local(two[0]), IsEmpty());
  EXPECT_THAT(with_local({"z", "content of a"}), ElementsAre("anomaly.zip-name-disagreement"));
  EXPECT_THAT(with_local({"a", "content of a", 8}), ElementsAre("anomaly.zip-header-disagreement"));
  EXPECT_THAT(with_local({"a", "content of a", 0, 1}),
              ElementsAre("anomaly.zip-header-disagreement"));
  EXPECT_THAT(with_local({"a", "content of a and more"}),
              ElementsAre("anomaly.zip-header-disagreement"));
}

TEST(Zip, ASecondNameIsReported) {
  ZipMember member{"a.txt", "x"};
  const auto with_name = [&](const std::string& name) {
    member.extra = little(0x7075, 2) + little(5 + name.size(), 2) + little(1, 5) + name;
    return rules(parse(make_zip(std::vector<ZipMember>{member})));
  };
  EXPECT_THAT(with_name("b.sh"), ElementsAre("anomaly.zip-name-disagreement"));
  EXPECT_THAT(with_name("a.txt"), IsEmpty());
}

TEST(Zip, EncryptedMembersAreMarked) {
  const ZipFile file = parse(make_zip(std::vector<ZipMember>{{"a", "xxxx", 0, 1}, {"b", "y"}}));
  EXPECT_TRUE(file.entries[0].encrypted);
  EXPECT_FALSE(file.entries[1].encrypted);
}

TEST(Zip, DuplicateNamesAreReported) {
  const ZipFile file = parse(make_zip(std::vector<ZipMember>{{"a", "1"}, {"a", "2"}}));
  EXPECT_THAT(file.entries, SizeIs(2));
  EXPECT_THAT(rules(file), ElementsAre("anomaly.zip-duplicate-name"));
}

TEST(Zip, ReadsZip64) {
  // Sizes and offset in the extra field, the directory by the zip64 end record.
  const ZipMember member{"big", "content"};
  std::string central = member.central(0);
  const std::string ones(4, '\xff');
  central.replace(20, 8, ones + ones);
  central.replace(42, 4, ones);
  const std::string extra =
      little(1, 2) + little(24, 2) + little(7, 8) + little(7, 8) + little(5, 8);
  central.replace(30, 2, little(extra.size(), 2));
  central += extra;
  const std::string locals = "12345" + member.local();
  const std::string content = locals + central + std::string("PK\6\6", 4) + little(44, 8) +
                              little(0x0314002d, 4) + little(0, 8) + little(1, 8) + little(1, 8) +
                              little(central.size(), 8) + little(locals.size(), 8) +
                              std::string("PK\6\7", 4) + little(0, 4) +
                              little(locals.size() + central.size(), 8) + little(1, 4) +
                              zip_end(0xffff, 0xffffffff, 0xffffffff);
  const ZipFile file = parse(content);
  EXPECT_THAT(file.diagnostics, IsEmpty());
  ASSERT_THAT(paths(file), ElementsAre("big"));
  EXPECT_EQ(file.entries[0].size, 7u);
  EXPECT_EQ(file.entries[0].header_offset, 5u);
  EXPECT_EQ(as_text(file.entries[0].data), "content");
  EXPECT_THAT(file.gaps, SizeIs(1));
}

TEST(Zip, LyingNumbersAreSurvived) {
  std::string central = two[0].central(0);
  central.replace(20, 4, std::string("\xf0\xff\xff\xff", 4));
  const std::string local = two[0].local();
  const ZipFile file = parse(local + central + zip_end(1, central.size(), local.size()));
  EXPECT_THAT(rules(file), testing::Contains("anomaly.zip-truncated"));
  ASSERT_THAT(file.entries, SizeIs(1));
  EXPECT_THAT(as_text(file.entries[0].data), testing::StartsWith("content of a"));

  std::string nowhere = two[0].central(0x7fffffff);
  const ZipFile missing = parse(local + nowhere + zip_end(1, nowhere.size(), local.size()));
  EXPECT_THAT(rules(missing), testing::Contains("anomaly.zip-missing-entry"));
  // It is found all the same.
  ASSERT_THAT(paths(missing), ElementsAre("a", "a"));
  EXPECT_TRUE(missing.entries[1].only_local);
  EXPECT_EQ(as_text(missing.entries[1].data), "content of a");

  EXPECT_THAT(rules(parse(local + zip_end(7, 100, 0xfffffff0))),
              testing::Contains("anomaly.zip-no-directory"));
  const std::string right = two[0].central(0);
  EXPECT_THAT(rules(parse(local + right + zip_end(7, right.size(), local.size()))),
              ElementsAre("anomaly.zip-entry-count"));
}

TEST(Zip, StopsAtTheLimitOfEntries) {
  Limits limits;
  limits.nested_entries = 1;
  const ZipFile file = parse(make_zip(two), limits);
  EXPECT_THAT(file.entries, SizeIs(1));
  ASSERT_THAT(rules(file), ElementsAre("anomaly.zip-too-many-entries"));
  EXPECT_TRUE(file.diagnostics[0].unaudited);
}

TEST(Zip, EveryPrefixAndEveryDamagedByteIsSurvived) {
  std::vector<ZipMember> members = two;
  members.push_back({"stream", "streamed", 8, 0, 0100600, "", "", true});
  members.push_back(
      {"extra", "x", 0, 0, 0100600, little(0x0001, 2) + little(16, 2) + little(1, 16)});
  const std::string content = make_zip(members, "comment");
  EXPECT_THAT(parse(content).entries, SizeIs(4));
  const auto check = [](const std::string& bytes) {
    const ZipFile file = parse_zip(as_bytes(bytes), {});
    for (const ZipEntry& entry : file.entries) {
      if (entry.data.empty()) continue;
      ASSERT_GE(entry.data.data(), as_bytes(bytes).data());
      ASSERT_LE(entry.data.data() + entry.data.size(), as_bytes(bytes).data() + bytes.size());
    }
    for (const auto& item : file.gaps) ASSERT_LE(item.offset + item.size, bytes.size());
  };
  for (std::size_t size = 0; size <= content.size(); ++size) check(content.substr(0, size));
  for (std::size_t size = 0; size <= content.size(); ++size) check(content.substr(size));
  for (std::size_t at = 0; at < content.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      check(damaged);
    }
  }
}

}  // namespace
}  // namespace lazaret::format
