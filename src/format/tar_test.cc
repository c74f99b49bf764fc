#include "format/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/tar_pax.h"
#include "format/tar_test_support.h"

namespace lazaret::format {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

// Reads, and checks what holds for every archive: the account, the order of calls, and that the
// sizes of the pieces fed make no difference.
TarRecorder read(const std::string& archive, const Limits& limits = {}) {
  TarRecorder whole = read_tar(archive, limits);
  EXPECT_TRUE(whole.in_order);
  EXPECT_TRUE(is_balanced(whole.account));
  EXPECT_EQ(whole.account.total, archive.size());
  std::uint64_t content = 0;
  for (const TarRecord& record : whole.entries) {
    EXPECT_TRUE(record.ended);
    content += record.stored;
  }
  EXPECT_EQ(whole.account.content, content);
  for (const std::size_t piece : {1u, 7u, 511u, 513u, 1000u}) {
    const TarRecorder split = read_tar(archive, limits, piece);
    EXPECT_TRUE(split.in_order);
    EXPECT_EQ(split.summary(), whole.summary()) << piece;
    EXPECT_TRUE(is_balanced(split.account));
  }
  return whole;
}

TEST(Tar, ReadsMembers) {
  const std::string archive =
      TarBlock("bin/", '5').octal(100, 8, 0755).str() + tar_member("bin/a", "hello") +
      TarBlock("bin/b", '2').link("a").str() + TarBlock("bin/c", '1').link("bin/a").str() +
      TarBlock("dev/null", '3').octal(329, 8, 1).octal(337, 8, 3).str() +
      TarBlock("dev/sda", '4').octal(329, 8, 8).octal(337, 8, 0).str() +
      TarBlock("fifo", '6').octal(108, 8, 1000).octal(116, 8, 1001).str() +
      tar_member("empty", "") + tar_member("last", std::string(512, 'x')) + tar_end_marker;
  const TarRecorder result = read(archive);
  EXPECT_THAT(result.diagnostics, IsEmpty());
  EXPECT_THAT(result.sides, IsEmpty());
  EXPECT_THAT(result.paths(), ElementsAre("bin/", "bin/a", "bin/b", "bin/c", "dev/null", "dev/sda",
                                          "fifo", "empty", "last"));
  EXPECT_EQ(result.entries[0].entry.type, TarType::directory);
  EXPECT_EQ(result.entries[0].entry.mode, 0755u);
  EXPECT_EQ(result.entries[1].content, "hello");
  EXPECT_EQ(result.entries[1].entry.header_offset, 512u);
  EXPECT_EQ(result.entries[1].entry.mtime, 1700000000);
  EXPECT_EQ(result.entries[2].entry.type, TarType::symlink);
  EXPECT_EQ(result.entries[2].entry.link_target, "a");
  EXPECT_EQ(result.entries[3].entry.type, TarType::hard_link);
  EXPECT_EQ(result.entries[4].entry.device_minor, 3u);
  EXPECT_EQ(result.entries[5].entry.type, TarType::block_device);
  EXPECT_EQ(result.entries[5].entry.device_major, 8u);
  EXPECT_EQ(result.entries[6].entry.uid, 1000u);
  EXPECT_EQ(result.entries[6].entry.gid, 1001u);
  EXPECT_EQ(result.entries[8].content, std::string(512, 'x'));
  EXPECT_EQ(result.account.header, 9u * 512);
  EXPECT_EQ(result.account.content, 5u + 512);
  EXPECT_EQ(result.account.padding, 507u + 1024);
  EXPECT_EQ(result.account.side, 0u);
}

TEST(Tar, ContentIsAViewOfWhatWasFed) {
  const std::string archive = tar_member("a", std::string(3000, 'x')) + tar_end_marker;
  struct Handler final : TarHandler {
    void entry(const TarEntry&) override {}
    void data(Bytes piece) override {
      ++pieces;
      inside = inside && piece.data() >= fed.data() &&
               piece.data() + piece.size() <= fed.data() + fed.size();
    }
    void hole(std::uint64_t) override {}
    void entry_end() override {}
    void side_bytes(std::string_view, std::uint64_t, Bytes, bool) override {}
    void diagnostic(Diagnostic) override {}
    Bytes fed;
    bool inside = true;
    int pieces = 0;
  } handler;
  const Limits limits;
  TarReader reader(limits, handler);
  for (std::size_t at = 0; at < archive.size(); at += 700) {
    handler.fed = clamp(as_bytes(archive), at, 700);
    reader.feed(handler.fed);
  }
  reader.finish();
  EXPECT_TRUE(handler.inside);
  EXPECT_EQ(handler.pieces, 6);
}

TEST(Tar, JoinsThePrefixOfUstarOnly) {
  EXPECT_THAT(read(TarBlock("name").set(345, "some/folder").str() + tar_end_marker).paths(),
              ElementsAre("some/folder/name"));
  // v7: no magic, so no prefix; the bytes there are looked at all the same.
  const TarRecorder v7 = read(TarBlock("name").v7().set(345, "some/folder").str() + tar_end_marker);
  EXPECT_THAT(v7.paths(), ElementsAre("name"));
  ASSERT_THAT(v7.sides, SizeIs(1));
  EXPECT_EQ(v7.sides[0].what, "tar-header-slack");
  EXPECT_EQ(v7.sides[0].offset, 345u);
  EXPECT_THAT(v7.sides[0].bytes, HasSubstr("some/folder"));
  // A magic that libarchive takes for ustar and Go for v7.
  const TarRecorder odd =
      read(TarBlock("name").set(257, "ustar 00").set(345, "some/folder").str() + tar_end_marker);
  EXPECT_THAT(odd.paths(), ElementsAre("name"));
  EXPECT_THAT(odd.rules(), ElementsAre("anomaly.tar-name-disagreement"));
  // GNU: times stand there. Go takes the bytes for a prefix when they are none.
  const TarRecorder times =
      read(TarBlock("name").gnu().octal(345, 12, 1700000000).octal(357, 12, 1700000000).str() +
           tar_end_marker);
  EXPECT_THAT(times.paths(), ElementsAre("name"));
  EXPECT_THAT(times.rules(), IsEmpty());
  const TarRecorder go =
      read(TarBlock("name").gnu().set(345, "some/folder").str() + tar_end_marker);
  EXPECT_THAT(go.paths(), ElementsAre("some/folder/name"));
  EXPECT_THAT(go.rules(), ElementsAre("anomaly.tar-name-disagreement"));
}

TEST(Tar, FieldsMayBeFull) {
  const std::string name(100, 'n'), target(100, 't'), prefix(155, 'p');
  const TarRecorder result =
      read(TarBlock(name, '2').link(target).set(345, prefix).str() + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre(prefix + "/" + name));
  EXPECT_EQ(result.entries[0].entry.link_target, target);
  EXPECT_THAT(result.sides, IsEmpty());
}

TEST(Tar, AcceptsBothChecksums) {
  const TarBlock block("caf\xc3\xa9");
  EXPECT_NE(block.str(false), block.str(true));
  for (const bool is_signed : {false, true}) {
    const TarRecorder result = read(block.str(is_signed) + tar_end_marker);
    EXPECT_THAT(result.paths(), ElementsAre("caf\xc3\xa9"));
    EXPECT_THAT(result.rules(), IsEmpty());
  }
}

TEST(Tar, OldFilesWithASlashAreFolders) {
  const TarRecorder result =
      read(TarBlock("folder/", '\0').v7().str() + tar_member("file/", "content") +
           tar_member("file7", "x", '7') + TarBlock("old", '\0').v7().str() + tar_end_marker);
  EXPECT_EQ(result.entries[0].entry.type, TarType::directory);
  EXPECT_EQ(result.entries[1].entry.type, TarType::file);
  EXPECT_EQ(result.entries[1].content, "content");
  EXPECT_EQ(result.entries[2].entry.type, TarType::file);
  EXPECT_EQ(result.entries[3].entry.type, TarType::file);
}

TEST(Tar, UnknownTypesKeepTheirContent) {
  const TarRecorder result = read(tar_member("volume", "", 'V') + tar_member("a", "dump", 'D') +
                                  tar_member("b", "zz", 'Z') + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("volume", "a", "b"));
  EXPECT_EQ(result.entries[1].entry.type, TarType::other);
  EXPECT_EQ(result.entries[1].content, "dump");
  EXPECT_EQ(result.entries[2].content, "zz");
}

// --- numbers

TEST(Tar, ReadsBase256Numbers) {
  const std::string content(600, 'c');
  const TarRecorder result =
      read(TarBlock("a").binary(124, 12, 600).binary(108, 8, 3000000).binary(136, 12, -5).str() +
           tar_padded(content) + tar_end_marker);
  EXPECT_EQ(result.entries[0].content, content);
  EXPECT_EQ(result.entries[0].entry.uid, 3000000u);
  EXPECT_EQ(result.entries[0].entry.mtime, -5);
  EXPECT_THAT(result.rules(), IsEmpty());
}

TEST(Tar, NumbersMayHaveSpacesAndLackTheirEnd) {
  TarBlock block("a");
  block.set(124, "         17 ").set(100, std::string_view(" 644 \0\0\0", 8));
  block.set(108, "77777777").set(116, std::string(8, '\0'));
  const TarRecorder result = read(block.str() + tar_padded(std::string(15, 'x')) + tar_end_marker);
  EXPECT_EQ(result.entries[0].size, 15u);
  EXPECT_EQ(result.entries[0].entry.mode, 0644u);
  EXPECT_EQ(result.entries[0].entry.uid, 077777777u);
  EXPECT_EQ(result.entries[0].entry.gid, 0u);
  EXPECT_THAT(result.rules(), IsEmpty());
}

TEST(Tar, SizesOverEightGibibytesDoNotOverflow) {
  for (const std::int64_t size : {(1ll << 33) + 5, (1ll << 40), 0x7fffffffffffffffll}) {
    const TarRecorder binary = read(TarBlock("a").binary(124, 12, size).str() + "abc");
    EXPECT_EQ(binary.entries[0].entry.size, static_cast<std::uint64_t>(size));
    EXPECT_EQ(binary.entries[0].content, "abc");
    ASSERT_THAT(binary.rules(), ElementsAre("anomaly.tar-truncated"));
    EXPECT_TRUE(binary.diagnostics[0].unaudited);
    EXPECT_EQ(binary.diagnostics[0].bytes, static_cast<std::uint64_t>(size) - 3);
    // Every writer leaves 0 in the header when only a pax record can say the size.
    const TarRecorder pax = read(pax_header(pax_record("size", std::to_string(size))) +
                                 TarBlock("a", '0', 0).str() + "abc");
    EXPECT_EQ(pax.entries[0].entry.size, static_cast<std::uint64_t>(size));
    EXPECT_THAT(pax.rules(), ElementsAre("anomaly.tar-truncated"));
  }
}

TEST(Tar, AMalformedSizeIsNotSkipped) {
  for (const TarBlock& block :
       {TarBlock("a").binary(124, 12, -1), TarBlock("a").set(124, "12345678x901"),
        TarBlock("a").set(124, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}) {
    const TarRecorder result =
        read(block.str() + tar_padded("content of a") + std::string(1024, '\0') +
             tar_member("b", "next") + tar_end_marker);
    EXPECT_THAT(result.paths(), ElementsAre("a", "b"));
    EXPECT_EQ(result.entries[0].entry.size, 0u);
    EXPECT_THAT(result.rules(),
                ElementsAre("anomaly.tar-malformed-number", "anomaly.tar-undecodable"));
    EXPECT_TRUE(result.diagnostics[0].unaudited);
    ASSERT_THAT(result.sides, SizeIs(1));
    EXPECT_EQ(result.sides[0].what, "tar-undecodable");
    EXPECT_THAT(result.sides[0].bytes, HasSubstr("content of a"));
    EXPECT_EQ(result.entries[1].content, "next");
  }
}

TEST(Tar, OtherMalformedNumbersAreReported) {
  const TarRecorder result = read(TarBlock("a").set(100, "rwxr-xr-").str() + tar_end_marker);
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-malformed-number"));
  EXPECT_FALSE(result.diagnostics[0].unaudited);
}

// --- pax

TEST(Tar, PaxRecordsReplaceHeaderFields) {
  const std::string path = "a/long/path/" + std::string(200, 'p') + "/x";
  const std::string target = std::string(180, 't');
  const std::string archive =
      pax_header(pax_record("path", path) + pax_record("linkpath", target) +
                 pax_record("uid", "5000000000") + pax_record("gid", "70000") +
                 pax_record("mtime", "1700000001.25") + pax_record("atime", "1.5") +
                 pax_record("uname", "root") + pax_record("SCHILY.xattr.user.note", "a\nb")) +
      TarBlock(path.substr(0, 100), '2').link(target.substr(0, 100)).str() + tar_member("b", "") +
      tar_end_marker;
  const TarRecorder result = read(archive);
  EXPECT_THAT(result.rules(), IsEmpty());
  const TarEntry& entry = result.entries[0].entry;
  EXPECT_EQ(entry.path, path);
  EXPECT_EQ(entry.link_target, target);
  EXPECT_EQ(entry.uid, 0xffffffffu);
  EXPECT_EQ(entry.gid, 70000u);
  EXPECT_EQ(entry.mtime, 1700000001);
  EXPECT_EQ(entry.header_offset, 0u);
  EXPECT_THAT(entry.xattrs, ElementsAre(Pair("user.note", "a\nb")));
  // They belong to one member only.
  EXPECT_EQ(result.entries[1].entry.path, "b");
  EXPECT_EQ(result.entries[1].entry.gid, 0u);
  EXPECT_THAT(result.entries[1].entry.xattrs, IsEmpty());
  // Of the records only the attribute is worth a look.
  ASSERT_THAT(result.sides, SizeIs(1));
  EXPECT_EQ(result.sides[0].what, "pax-record");
  EXPECT_EQ(result.sides[0].bytes, pax_record("SCHILY.xattr.user.note", "a\nb"));
}

TEST(Tar, ReadsXattrsOfBothKinds) {
  const TarRecorder result =
      read(pax_header(pax_record("SCHILY.xattr.security.capability", std::string("\1\0\0\2", 4)) +
                      pax_record("LIBARCHIVE.xattr.security.capability", "AQAAAg") +
                      pax_record("LIBARCHIVE.xattr.user.a%20b%3d", "aGVsbG8=")) +
           tar_member("f", "") + tar_end_marker);
  EXPECT_THAT(result.rules(), IsEmpty());
  EXPECT_THAT(result.entries[0].entry.xattrs,
              ElementsAre(Pair("security.capability", std::string("\1\0\0\2", 4)),
                          Pair("user.a b=", "hello")));
  const TarRecorder broken = read(pax_header(pax_record("LIBARCHIVE.xattr.user.x", "!!")) +
                                  tar_member("f", "") + tar_end_marker);
  EXPECT_THAT(broken.rules(), ElementsAre("anomaly.tar-pax-malformed"));
  EXPECT_THAT(broken.sides, SizeIs(1));
}

TEST(Tar, TheLastOfTwoPaxRecordsCounts) {
  const std::string first = pax_record("path", "harmless");
  const TarRecorder result = read(pax_header(first + pax_record("path", "evil")) +
                                  tar_member("evil", "") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("evil"));
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-duplicate-key"));
  ASSERT_THAT(result.sides, SizeIs(1));
  EXPECT_EQ(result.sides[0].bytes, first);
  // The same value twice says the same to everybody.
  EXPECT_THAT(read(pax_header(first + first) + tar_member("harmless", "") + tar_end_marker).rules(),
              IsEmpty());
}

TEST(Tar, AnEmptyPaxRecordKeepsTheHeader) {
  const TarRecorder result = read(pax_header(pax_record("path", "") + pax_record("size", "")) +
                                  tar_member("a", "abc") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("a"));
  EXPECT_EQ(result.entries[0].content, "abc");
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-disagreement"));
}

TEST(Tar, ANewlineInAValueDoesNotBeginARecord) {
  const std::string hidden = "x\n" + pax_record("path", "etc/cron.d/x");
  const TarRecorder result =
      read(pax_header(pax_record("comment", hidden)) + tar_member("a", "") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("a"));
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-embedded-record"));
  ASSERT_THAT(result.sides, SizeIs(1));
  EXPECT_THAT(result.sides[0].bytes, HasSubstr("etc/cron.d/x"));
}

TEST(Tar, MalformedPaxRecordsKeepWhatCameBefore) {
  const std::string good = pax_record("gid", "7");
  for (const std::string& bad :
       {std::string("99 path=x\n"), std::string("11 path=abcd"), std::string("path=x\n"),
        std::string("0 path=x\n"), std::string("6 path\n"), std::string("5 =x\n"),
        std::string("-9 path=x\n"), std::string("99999999999999999999999 path=x\n"),
        std::string("\0\0\0", 3)}) {
    const TarRecorder result =
        read(pax_header(good + bad) + tar_member("a", "abc") + tar_end_marker);
    EXPECT_THAT(result.paths(), ElementsAre("a")) << bad;
    EXPECT_EQ(result.entries[0].entry.gid, 7u);
    EXPECT_EQ(result.entries[0].content, "abc");
    EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-malformed")) << bad;
    ASSERT_THAT(result.sides, SizeIs(1));
    EXPECT_EQ(result.sides[0].bytes, bad);
  }
}

TEST(Tar, ANulInAPaxPathIsReported) {
  const TarRecorder result =
      read(pax_header(pax_record("path", std::string_view("bin/sh\0.txt", 11))) +
           tar_member("bin/sh", "") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("bin/sh"));
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-malformed"));
}

TEST(Tar, APaxSizeThatNobodyNeedsIsADisagreement) {
  // What TARmageddon was about: content that a reader without pax takes for members.
  const std::string inner = tar_member("evil", "payload");
  const TarRecorder result =
      read(pax_header(pax_record("size", std::to_string(inner.size()))) +
           TarBlock("outer", '0', 0).str() + inner + tar_member("b", "") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("outer", "b"));
  EXPECT_EQ(result.entries[0].content, inner);
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-disagreement"));
  // Equal sizes are innocent.
  EXPECT_THAT(
      read(pax_header(pax_record("size", "3")) + tar_member("a", "abc") + tar_end_marker).rules(),
      IsEmpty());
}

TEST(Tar, APaxPathOtherThanTheHeadersIsADisagreement) {
  const auto rules = [](const std::string& header_name, const std::string& path) {
    return read(pax_header(pax_record("path", path)) + tar_member(header_name, "") + tar_end_marker)
        .rules();
  };
  EXPECT_THAT(rules("harmless", "etc/cron.d/evil"), ElementsAre("anomaly.tar-pax-disagreement"));
  const std::string deep = "etc/" + std::string(120, 'd') + "/evil";
  EXPECT_THAT(rules("harmless", deep), ElementsAre("anomaly.tar-pax-disagreement"));
  EXPECT_THAT(rules("usr/" + std::string(90, 'x'), deep),
              ElementsAre("anomaly.tar-pax-disagreement"));
  // What writers do: cut, drop or replace what does not fit the header.
  EXPECT_THAT(rules(deep.substr(0, 100), deep), IsEmpty());
  EXPECT_THAT(rules(deep.substr(0, 90) + "/evil", deep), IsEmpty());
  EXPECT_THAT(rules("caf.txt", "caf\xc3\xa9.txt"), IsEmpty());
  EXPECT_THAT(rules("caf?.txt", "caf\xc3\xa9.txt"), IsEmpty());
  EXPECT_THAT(rules("caf\xc3\xa9.txt", "caf\xc3\xa9.txt"), IsEmpty());
  EXPECT_THAT(rules("folder", "folder/"), IsEmpty());
  EXPECT_THAT(rules("bin.txt", "caf\xc3\xa9.txt"), ElementsAre("anomaly.tar-pax-disagreement"));
  EXPECT_THAT(rules("sh", "sh?"), ElementsAre("anomaly.tar-pax-disagreement"));
}

TEST(Tar, GlobalHeadersChangeNothingAndAreReported) {
  const TarRecorder comment = read(pax_header(pax_record("comment", "0123abc"), 'g') +
                                   tar_member("a", "") + tar_end_marker);
  EXPECT_THAT(comment.rules(), IsEmpty());
  EXPECT_THAT(comment.paths(), ElementsAre("a"));
  EXPECT_EQ(comment.entries[0].entry.header_offset, 1024u);
  ASSERT_THAT(comment.sides, SizeIs(1));
  EXPECT_THAT(comment.sides[0].bytes, HasSubstr("0123abc"));

  const TarRecorder path = read(pax_header(pax_record("path", "evil"), 'g') + tar_member("a", "") +
                                tar_member("b", "") + tar_end_marker);
  EXPECT_THAT(path.paths(), ElementsAre("a", "b"));
  EXPECT_THAT(path.rules(), ElementsAre("anomaly.tar-global-header"));
  ASSERT_THAT(path.sides, SizeIs(1));
}

TEST(Tar, ExtendedHeadersThatBelongToNothingAreReported) {
  const std::string x = pax_header(pax_record("path", "evil"));
  EXPECT_THAT(read(x + tar_end_marker).rules(), ElementsAre("anomaly.tar-extended-header-order"));
  const TarRecorder twice = read(x + x + tar_member("evil", "") + tar_end_marker);
  EXPECT_THAT(twice.rules(), ElementsAre("anomaly.tar-extended-header-order"));
  // What counts for nobody is looked at as bytes.
  EXPECT_THAT(twice.sides, ElementsAre(TarSide{"pax-record", 512, pax_record("path", "evil")}));
  const TarRecorder name =
      read(gnu_long("payload") + gnu_long("a") + gnu_long("b", 'K') + tar_end_marker);
  EXPECT_THAT(name.sides,
              ElementsAre(TarSide{"pax-record", 512, "payload"}, TarSide{"pax-record", 1536, "a"},
                          TarSide{"pax-record", 2560, "b"}));
  const TarRecorder global =
      read(x + pax_header(pax_record("comment", "c"), 'g') + tar_member("a", "") + tar_end_marker);
  EXPECT_THAT(global.paths(), ElementsAre("a"));
  EXPECT_THAT(global.rules(), ElementsAre("anomaly.tar-extended-header-order"));
}

TEST(Tar, PaxSizeDoesNotApplyToTheExtendedHeaderBehindIt) {
  const std::string name = std::string(150, 'n');
  const TarRecorder result =
      read(pax_header(pax_record("size", "3")) + gnu_long(name) +
           TarBlock(name.substr(0, 100), '0', 3).gnu().str() + tar_padded("abc") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre(name));
  EXPECT_EQ(result.entries[0].content, "abc");
  EXPECT_THAT(result.rules(), IsEmpty());
}

// --- GNU

TEST(Tar, ReadsGnuLongNames) {
  const std::string name = "some/" + std::string(300, 'n');
  const std::string target = std::string(250, 't');
  const TarRecorder result =
      read(gnu_long(target, 'K') + gnu_long(name) +
           TarBlock(name.substr(0, 100), '2').gnu().link(target.substr(0, 100)).str() +
           tar_member("b", "") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre(name, "b"));
  EXPECT_EQ(result.entries[0].entry.link_target, target);
  EXPECT_EQ(result.entries[0].entry.header_offset, 0u);
  EXPECT_THAT(result.rules(), IsEmpty());
  EXPECT_THAT(result.sides, IsEmpty());
}

TEST(Tar, AGnuLongNameOtherThanTheHeadersIsADisagreement) {
  const TarRecorder result =
      read(gnu_long("etc/evil") + TarBlock("harmless").gnu().str() + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("etc/evil"));
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-name-disagreement"));
  // Against a pax path: Go lets the GNU name win, GNU tar the pax record.
  const TarRecorder both = read(pax_header(pax_record("path", "a")) + gnu_long("b") +
                                TarBlock("a").gnu().str() + tar_end_marker);
  EXPECT_THAT(both.paths(), ElementsAre("b"));
  EXPECT_THAT(both.sides, ElementsAre(TarSide{"pax-record", 512, pax_record("path", "a")}));
  EXPECT_THAT(both.rules(), ElementsAre("anomaly.tar-name-disagreement"));
}

TEST(Tar, BytesBehindTheNulOfALongNameAreLookedAt) {
  const std::string content("name\0hidden", 11);
  const TarRecorder result =
      read(TarBlock("././@LongLink", 'L', content.size()).gnu().str() + tar_padded(content) +
           TarBlock("name").gnu().str() + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("name"));
  ASSERT_THAT(result.sides, SizeIs(1));
  EXPECT_EQ(result.sides[0], (TarSide{"tar-header-slack", 517, "hidden"}));
}

TEST(Tar, BytesBehindTheNulOfAHeaderFieldAreLookedAt) {
  const TarRecorder result =
      read(TarBlock(std::string_view("a\0hidden1", 9)).set(500, "hidden2").str() + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("a"));
  EXPECT_THAT(result.sides,
              ElementsAre(TarSide{"tar-header-slack", 2, "hidden1" + std::string(91, '\0')},
                          TarSide{"tar-header-slack", 500, "hidden2" + std::string(5, '\0')}));
  EXPECT_EQ(result.account.header, 512u);
}

// --- links, folders and devices with a size

TEST(Tar, LinksWithASizeHaveNoContentForGo) {
  // The size of the linked file in the header of a hard link, as old writers put it there.
  for (const char type : {'1', '2', '3', '5', '6'}) {
    const TarRecorder result = read(TarBlock("link", type, 600).link("a").str() +
                                    tar_member("b", "b's content") + tar_end_marker);
    EXPECT_THAT(result.paths(), ElementsAre("link", "b")) << type;
    EXPECT_EQ(result.entries[0].entry.size, 0u);
    EXPECT_EQ(result.entries[1].content, "b's content");
    EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-link-size")) << type;
  }
}

TEST(Tar, ContentBehindALinkIsLookedAt) {
  for (const std::size_t size : {3u, 512u, 700u, 2000u}) {
    const std::string content(size, 'c');
    const TarRecorder result =
        read(TarBlock("link", '1', size).link("a").str() + tar_padded(content) +
             tar_member("b", "b's content") + tar_end_marker);
    EXPECT_THAT(result.paths(), ElementsAre("link", "b"));
    EXPECT_EQ(result.entries[0].entry.size, 0u);
    EXPECT_THAT(result.sides, ElementsAre(TarSide{"tar-link-content", 512, content}));
    EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-link-content"));
    EXPECT_EQ(result.account.side, size);
  }
}

// --- the end

TEST(Tar, BytesBehindTheEndAreLookedAtAndReported) {
  const std::string more = tar_member("hidden", "payload") + tar_end_marker;
  const TarRecorder result =
      read(tar_member("a", "") + tar_end_marker + std::string(3000, '\0') + more);
  EXPECT_THAT(result.paths(), ElementsAre("a"));
  ASSERT_THAT(result.rules(), ElementsAre("anomaly.tar-after-end"));
  EXPECT_EQ(result.diagnostics[0].offset, 512u + 1024 + 3000);
  EXPECT_EQ(result.diagnostics[0].bytes, more.size());
  EXPECT_THAT(result.sides, ElementsAre(TarSide{"tar-after-end", 512 + 1024 + 3000, more}));
  EXPECT_EQ(result.account.side, more.size());
  EXPECT_EQ(result.account.padding, 4024u);
  // Zeros, as GNU tar fills its records with, are silent.
  EXPECT_THAT(read(tar_member("a", "") + std::string(10240 - 512, '\0')).rules(), IsEmpty());
}

TEST(Tar, MembersBehindALoneZeroBlockAreRead) {
  const TarRecorder result =
      read(tar_member("a", "") + std::string(512, '\0') + tar_member("b", "x") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("a", "b"));
  ASSERT_THAT(result.rules(), ElementsAre("anomaly.tar-lone-zero-block"));
  EXPECT_EQ(result.diagnostics[0].offset, 512u);
}

TEST(Tar, AMissingEndIsReported) {
  EXPECT_THAT(read(tar_member("a", "abc")).rules(), ElementsAre("anomaly.tar-missing-end"));
  EXPECT_THAT(read(tar_member("a", "abc") + std::string(512, '\0')).rules(),
              ElementsAre("anomaly.tar-missing-end"));
  EXPECT_THAT(read(TarBlock("a", '0', 3).str() + "abc").rules(),
              ElementsAre("anomaly.tar-missing-end"));
  EXPECT_THAT(read("").rules(), ElementsAre("anomaly.tar-missing-end"));
}

TEST(Tar, PaddingThatIsNotZeroIsLookedAt) {
  std::string archive = tar_member("a", "abc") + tar_end_marker;
  archive.replace(600, 6, "hidden");
  const TarRecorder result = read(archive);
  EXPECT_EQ(result.entries[0].content, "abc");
  ASSERT_THAT(result.rules(), ElementsAre("anomaly.tar-padding"));
  EXPECT_EQ(result.diagnostics[0].bytes, 424u);
  EXPECT_THAT(result.sides,
              ElementsAre(TarSide{"tar-padding", 600, "hidden" + std::string(418, '\0')}));
  EXPECT_EQ(result.account.side, 424u);
}

TEST(Tar, GoesOnBehindABrokenHeader) {
  std::string broken = tar_member("broken", "lost content");
  broken[0] = 'B';
  const TarRecorder result =
      read(tar_member("a", "1") + broken + tar_member("b", "2") + tar_end_marker);
  EXPECT_THAT(result.paths(), ElementsAre("a", "b"));
  ASSERT_THAT(result.rules(), ElementsAre("anomaly.tar-undecodable"));
  EXPECT_TRUE(result.diagnostics[0].unaudited);
  EXPECT_EQ(result.diagnostics[0].offset, 1024u);
  EXPECT_EQ(result.diagnostics[0].bytes, 1024u);
  EXPECT_THAT(result.sides, ElementsAre(TarSide{"tar-undecodable", 1024, broken}));
}

TEST(Tar, SomethingElseIsUndecodableAltogether) {
  const std::string text(5000, 'x');
  const TarRecorder result = read(text);
  EXPECT_THAT(result.paths(), IsEmpty());
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-undecodable"));
  EXPECT_THAT(result.sides, ElementsAre(TarSide{"tar-undecodable", 0, text}));
}

// --- limits

TEST(Tar, StopsAtTheLimitOfEntries) {
  Limits limits;
  limits.layer_entries = 2;
  const std::string rest =
      pax_header(pax_record("gid", "1")) + tar_member("c", "3") + tar_end_marker;
  const TarRecorder result = read(tar_member("a", "1") + tar_member("b", "2") + rest, limits);
  EXPECT_THAT(result.paths(), ElementsAre("a", "b"));
  ASSERT_THAT(result.rules(), ElementsAre("anomaly.tar-too-many-entries"));
  EXPECT_TRUE(result.diagnostics[0].unaudited);
  EXPECT_THAT(result.sides, ElementsAre(TarSide{"tar-after-limit", 2048, rest}));
  EXPECT_THAT(read(tar_member("a", "1") + tar_member("b", "2") + tar_end_marker, limits).rules(),
              IsEmpty());
}

TEST(Tar, LongPathsAreKeptAndReported) {
  Limits limits;
  limits.path_bytes = 50;
  const std::string name(51, 'n');
  const TarRecorder result = read(tar_member(name, "") + tar_end_marker, limits);
  EXPECT_THAT(result.paths(), ElementsAre(name));
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-long-path"));
}

TEST(Tar, ExtendedHeadersOverTheLimitAreNotKept) {
  Limits limits;
  limits.extended_header_bytes = 1000;
  const std::string records = pax_record("path", std::string(1000, 'p'));
  const TarRecorder result =
      read(pax_header(records) + tar_member("a", "abc") + tar_end_marker, limits);
  EXPECT_THAT(result.paths(), ElementsAre("a"));
  EXPECT_EQ(result.entries[0].content, "abc");
  ASSERT_THAT(result.rules(), ElementsAre("anomaly.tar-extended-header-size"));
  EXPECT_TRUE(result.diagnostics[0].unaudited);
  EXPECT_THAT(result.sides, ElementsAre(TarSide{"tar-extended-header", 512, records}));
}

TEST(Tar, SaysHowManyMoreDiagnosticsThereWere) {
  std::string archive;
  for (int i = 0; i < 100; ++i) archive += TarBlock("a").set(100, "x").str();
  const TarRecorder result = read(archive + tar_end_marker);
  ASSERT_THAT(result.diagnostics, SizeIs(65));
  EXPECT_EQ(result.diagnostics.back().message, "The same 36 more times.");
}

// --- sparse files

const std::string first_run(512, 'A'), second_run(300, 'B');
const std::string sparse_content = std::string(1000, '\0') + first_run + std::string(2000, '\0') +
                                   second_run + std::string(88, '\0');  // 3,900 bytes

TarBlock old_sparse_block(std::uint64_t stored) {
  TarBlock block("sparse", 'S', stored);
  block.gnu().octal(483, 12, 3900);
  block.octal(386, 12, 1000).octal(398, 12, 512).octal(410, 12, 3512).octal(422, 12, 300);
  return block;
}

TEST(Tar, ReadsOldGnuSparseFiles) {
  const TarRecorder result =
      read(old_sparse_block(812).octal(434, 12, 3900).octal(446, 12, 0).str() +
           tar_padded(first_run + second_run) + tar_member("b", "x") + tar_end_marker);
  EXPECT_THAT(result.rules(), IsEmpty());
  EXPECT_THAT(result.sides, IsEmpty());
  EXPECT_THAT(result.paths(), ElementsAre("sparse", "b"));
  EXPECT_TRUE(result.entries[0].entry.sparse);
  EXPECT_EQ(result.entries[0].entry.type, TarType::file);
  EXPECT_EQ(result.entries[0].entry.size, 3900u);
  EXPECT_EQ(result.entries[0].content, sparse_content);
  EXPECT_EQ(result.account.content, 813u);
}

TEST(Tar, ReadsOldGnuSparseExtensionBlocks) {
  TarBlock block("sparse", 'S', 30);
  block.gnu().octal(483, 12, 31000).set(482, "\1");
  std::string blocks, content, expanded;
  std::vector<std::pair<int, int>> runs;
  for (int i = 0; i < 30; ++i) {
    runs.emplace_back(i * 1000 + 5, 1);
    content += static_cast<char>('A' + i);
    expanded.resize(static_cast<std::size_t>(i) * 1000 + 5, '\0');
    expanded += content.back();
  }
  expanded.resize(31000, '\0');
  const auto entry = [](std::pair<int, int> run) {
    char text[25];
    std::snprintf(text, sizeof text, "%011o", static_cast<unsigned>(run.first));
    std::snprintf(text + 12, 13, "%011o", static_cast<unsigned>(run.second));
    return std::string(text, 24);
  };
  for (std::size_t i = 0; i < 4; ++i) block.set(386 + 24 * i, entry(runs[i]));
  std::string extensions[2];
  for (std::size_t i = 4; i < 30; ++i) extensions[i < 25 ? 0 : 1] += entry(runs[i]);
  for (auto& extension : extensions) extension.resize(512, '\0');
  extensions[0][504] = '\1';
  const std::string archive =
      block.str() + extensions[0] + extensions[1] + tar_padded(content) + tar_end_marker;
  const TarRecorder result = read(archive);
  EXPECT_THAT(result.rules(), IsEmpty());
  EXPECT_THAT(result.sides, IsEmpty());
  ASSERT_THAT(result.entries, SizeIs(1));
  EXPECT_EQ(result.entries[0].content, expanded);
  EXPECT_EQ(result.account.header, 3u * 512);

  // Bytes behind the entries of an extension block.
  std::string slack = archive;
  slack.replace(1024 + 300, 6, "hidden");
  EXPECT_THAT(read(slack).sides,
              ElementsAre(TarSide{"tar-header-slack", 1324, "hidden" + std::string(198, '\0')}));

  Limits limits;
  limits.extended_header_bytes = 600;
  const TarRecorder limited = read(archive, limits);
  EXPECT_EQ(limited.entries[0].content, content);
  EXPECT_FALSE(limited.entries[0].entry.sparse);
  EXPECT_THAT(limited.rules(), ElementsAre("anomaly.tar-sparse-map"));
}

std::string pax_sparse(const std::string& records, const std::string& stored) {
  return pax_header(records) + TarBlock("./GNUSparseFile.42/sparse", '0', stored.size()).str() +
         tar_padded(stored) + tar_member("b", "x") + tar_end_marker;
}
std::string sparse_1_0_records() {
  return pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0") +
         pax_record("GNU.sparse.name", "sparse") + pax_record("GNU.sparse.realsize", "3900");
}

TEST(Tar, ReadsPaxSparseFilesOfEachVersion) {
  const std::string version_0_0 =
      pax_record("GNU.sparse.size", "3900") + pax_record("GNU.sparse.numblocks", "3") +
      pax_record("GNU.sparse.offset", "1000") + pax_record("GNU.sparse.numbytes", "512") +
      pax_record("GNU.sparse.offset", "3512") + pax_record("GNU.sparse.numbytes", "300") +
      pax_record("GNU.sparse.offset", "3900") + pax_record("GNU.sparse.numbytes", "0") +
      pax_record("GNU.sparse.name", "sparse");
  const std::string version_0_1 = pax_record("GNU.sparse.size", "3900") +
                                  pax_record("GNU.sparse.numblocks", "3") +
                                  pax_record("GNU.sparse.name", "sparse") +
                                  pax_record("GNU.sparse.map", "1000,512,3512,300,3900,0");
  const std::string map = "3\n1000\n512\n3512\n300\n3900\n0\n";
  for (const std::string& archive :
       {pax_sparse(version_0_0, first_run + second_run),
        pax_sparse(version_0_1, first_run + second_run),
        pax_sparse(sparse_1_0_records(), tar_padded(map) + first_run + second_run)}) {
    const TarRecorder result = read(archive);
    EXPECT_THAT(result.rules(), IsEmpty());
    EXPECT_THAT(result.sides, IsEmpty());
    ASSERT_THAT(result.paths(), ElementsAre("sparse", "b"));
    EXPECT_TRUE(result.entries[0].entry.sparse);
    EXPECT_EQ(result.entries[0].entry.size, 3900u);
    EXPECT_EQ(result.entries[0].content, sparse_content);
    EXPECT_EQ(result.account.content, 813u);
  }
}

TEST(Tar, ASparseMapMayBeLongerThanABlock) {
  std::string map = "200\n", stored;
  for (int i = 0; i < 200; ++i) {
    map += std::to_string(i * 10) + "\n1\n";
    stored += 'x';
  }
  const TarRecorder result = read(pax_sparse(sparse_1_0_records(), tar_padded(map) + stored));
  EXPECT_THAT(result.rules(), IsEmpty());
  EXPECT_EQ(result.entries[0].size, 3900u);
  EXPECT_EQ(result.entries[0].content.substr(0, 12), std::string("x\0\0\0\0\0\0\0\0\0x\0", 12));
}

TEST(Tar, MalformedSparseMapsGiveTheStoredBytes) {
  const std::string stored = first_run + second_run;
  for (const std::string& map : {std::string("2\n1000\n512\n900\n300\n"),   // out of order
                                 std::string("2\n1000\n512\n3512\n900\n"),  // beyond the end
                                 std::string("2\n1000\n512\n3512\n388\n"),  // more than is stored
                                 std::string("2\n1000\n512\nx\n300\n"),     // no number
                                 std::string("x\n"), std::string("9999999999999999999\n"),
                                 std::string("1\n9223372036854775807\n9223372036854775807\n")}) {
    const TarRecorder result = read(pax_sparse(sparse_1_0_records(), tar_padded(map) + stored));
    EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-sparse-map")) << map;
    EXPECT_THAT(result.paths(), ElementsAre("sparse", "b"));
    EXPECT_FALSE(result.entries[0].entry.sparse);
    EXPECT_EQ(result.entries[0].content, stored) << map;
  }
}

TEST(Tar, StoredBytesInNoSegmentAreLookedAt) {
  const TarRecorder result =
      read(old_sparse_block(900).str() + tar_padded(first_run + second_run + std::string(88, 'C')) +
           tar_member("b", "x") + tar_end_marker);
  EXPECT_EQ(result.entries[0].content, sparse_content);
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-sparse-map"));
  EXPECT_THAT(result.sides,
              ElementsAre(TarSide{"tar-sparse-rest", 512 + 812, std::string(88, 'C')}));
  EXPECT_EQ(result.entries[1].content, "x");
}

TEST(Tar, AHugeHoleCostsNothing) {
  TarBlock block("sparse", 'S', 1);
  block.gnu().binary(483, 12, 0x7fffffffffffffff).octal(386, 12, 0).octal(398, 12, 1);
  const TarRecorder result = read(block.str() + tar_padded("x") + tar_end_marker);
  EXPECT_EQ(result.entries[0].entry.size, 0x7fffffffffffffffull);
  EXPECT_EQ(result.entries[0].size, 0x7fffffffffffffffull);
  EXPECT_THAT(result.rules(), IsEmpty());
}

TEST(Tar, UnknownSparseVersionsAreReported) {
  const TarRecorder result =
      read(pax_sparse(pax_record("GNU.sparse.major", "2") + pax_record("GNU.sparse.minor", "0") +
                          pax_record("GNU.sparse.name", "sparse"),
                      "stored"));
  EXPECT_THAT(result.paths(), ElementsAre("./GNUSparseFile.42/sparse", "b"));
  EXPECT_EQ(result.entries[0].content, "stored");
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-sparse-map"));
}

TEST(Tar, ASparseNameOtherThanTheHeadersIsADisagreement) {
  std::string archive = pax_sparse(
      pax_record("GNU.sparse.size", "5") + pax_record("GNU.sparse.numblocks", "1") +
          pax_record("GNU.sparse.map", "0,5") + pax_record("GNU.sparse.name", "etc/evil"),
      "hello");
  const TarRecorder result = read(archive);
  EXPECT_THAT(result.paths(), ElementsAre("etc/evil", "b"));
  EXPECT_THAT(result.rules(), ElementsAre("anomaly.tar-pax-disagreement"));
}

// --- every prefix of an archive with everything in it

std::string everything() {
  const std::string name = "long/" + std::string(150, 'n');
  return TarBlock("folder/", '5').str() + tar_member("file", std::string(700, 'f')) +
         pax_header(pax_record("comment", "c"), 'g') +
         pax_header(pax_record("path", name) + pax_record("SCHILY.xattr.user.a", "b")) +
         TarBlock(name.substr(0, 100), '0', 5).str() + tar_padded("hello") + gnu_long(name) +
         TarBlock(name.substr(0, 100)).gnu().str() + old_sparse_block(812).str() +
         tar_padded(first_run + second_run) + pax_header(sparse_1_0_records()) +
         TarBlock("./GNUSparseFile.1/sparse", '0', 512 + 812).str() +
         tar_padded("2\n1000\n512\n3512\n300\n") + tar_padded(first_run + second_run) +
         TarBlock("link", '1', 3).link("file").str() + tar_padded("abc") + tar_member("z", "z") +
         tar_end_marker;
}

TEST(Tar, EveryPrefixIsRead) {
  const std::string archive = everything();
  EXPECT_THAT(read(archive).paths(), SizeIs(8));
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const TarRecorder result = read_tar(std::string_view(archive).substr(0, size));
    ASSERT_TRUE(result.in_order) << size;
    ASSERT_TRUE(is_balanced(result.account)) << size;
    ASSERT_EQ(result.account.total, size);
    const TarRecorder split = read_tar(std::string_view(archive).substr(0, size), {}, 509);
    ASSERT_EQ(split.summary(), result.summary()) << size;
    if (size + 1024 < archive.size()) {
      ASSERT_THAT(result.rules(), Not(IsEmpty())) << size;
    }
  }
}

TEST(Tar, EveryDamagedByteIsSurvived) {
  const std::string archive = everything();
  for (std::size_t at = 0; at < archive.size(); ++at) {
    std::string damaged = archive;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x91);
    const TarRecorder result = read_tar(damaged);
    ASSERT_TRUE(result.in_order) << at;
    ASSERT_TRUE(is_balanced(result.account)) << at;
  }
}

TEST(Tar, IsRecognisedByItsFirstBlock) {
  EXPECT_TRUE(looks_like_tar(as_bytes(tar_member("a", ""))));
  EXPECT_TRUE(looks_like_tar(as_bytes(tar_end_marker)));
  EXPECT_TRUE(looks_like_tar(as_bytes(TarBlock("a").v7().str())));
  EXPECT_FALSE(looks_like_tar(as_bytes(tar_member("a", "").substr(0, 511))));
  EXPECT_FALSE(looks_like_tar(as_bytes(std::string(512, '\0'))));
  EXPECT_FALSE(looks_like_tar(as_bytes(std::string(512, '\0') + std::string(512, 'x'))));
  EXPECT_FALSE(looks_like_tar(as_bytes(std::string(1024, 'x'))));
  EXPECT_FALSE(looks_like_tar({}));
}

}  // namespace
}  // namespace lazaret::format
