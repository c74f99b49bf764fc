#include "format/tar_split.h"

#include <gmock/gmock.h>

namespace lazaret::format {
namespace {

using testing::HasSubstr;

struct Reading {
  std::vector<TarSplitEntry> entries;
  std::string problem;
};

Reading read(std::string_view text, const Limits& limits = {}, std::size_t piece = SIZE_MAX) {
  Reading reading;
  TarSplitReader reader(limits, [&](const TarSplitEntry& entry) {
    reading.entries.push_back(entry);
    return true;
  });
  while (!text.empty() && reader.feed(as_bytes(text.substr(0, piece))))
    text.remove_prefix(std::min(piece, text.size()));
  reader.finish();
  reading.problem = reader.problem();
  return reading;
}

constexpr std::string_view sample = R"({"type":2,"payload":"aGVhZGVy","position":0}
{"type":1,"name":"etc/motd","size":9,"payload":"uZCpnIu6yhU=","position":1}
{"type":1,"name":"etc/","payload":"AAAAAAAAAAA=","position":2}
{"type":1,"name_raw":"/2E=","size":0,"position":3}
{"type":2,"payload":"","position":4}
)";

TEST(TarSplit, ReadsSegmentsAndFiles) {
  const Reading reading = read(sample);
  EXPECT_EQ(reading.problem, "");
  ASSERT_EQ(reading.entries.size(), 5u);
  EXPECT_FALSE(reading.entries[0].is_file);
  EXPECT_EQ(reading.entries[0].segment, "header");
  EXPECT_TRUE(reading.entries[1].is_file);
  EXPECT_EQ(reading.entries[1].name, "etc/motd");
  EXPECT_EQ(reading.entries[1].size, 9u);
  EXPECT_EQ(reading.entries[1].crc64, 0xb990a99c8bbaca15u);
  EXPECT_EQ(reading.entries[3].name,
            "\xff"
            "a");
  EXPECT_EQ(reading.entries[4].segment, "");
}

TEST(TarSplit, IsTheSameInPiecesOfAnySize) {
  for (const std::size_t piece : {1u, 2u, 7u, 64u}) {
    const Reading reading = read(sample, {}, piece);
    EXPECT_EQ(reading.problem, "");
    EXPECT_EQ(reading.entries.size(), 5u) << piece;
  }
}

TEST(TarSplit, EveryPrefixGivesTheEntriesItHasWhole) {
  std::size_t most = 0;
  for (std::size_t size = 0; size < sample.size(); ++size) {
    const Reading reading = read(sample.substr(0, size));
    EXPECT_GE(reading.entries.size(), most);
    most = reading.entries.size();
  }
  EXPECT_EQ(most, 5u);
}

TEST(TarSplit, SaysWhatCannotBeFollowed) {
  EXPECT_THAT(read("nothing\n").problem, HasSubstr("no JSON object"));
  EXPECT_THAT(read("[1]\n").problem, HasSubstr("no JSON object"));
  EXPECT_THAT(read("{\"type\":3}\n").problem, HasSubstr("unknown type"));
  EXPECT_THAT(read("{}\n").problem, HasSubstr("unknown type"));
  EXPECT_THAT(read("{\"type\":2,\"payload\":\"a\"}\n").problem, HasSubstr("base64"));
  EXPECT_THAT(read("{\"type\":2,\"payload\":\"a=b=\"}\n").problem, HasSubstr("base64"));
  EXPECT_THAT(read("{\"type\":1,\"size\":-1}\n").problem, HasSubstr("no size"));
  EXPECT_THAT(read("{\"type\":1,\"size\":18446744073709551615}\n").problem, HasSubstr("no size"));
  EXPECT_THAT(read("{\"type\":1,\"size\":1}\n").problem, HasSubstr("no checksum"));
  EXPECT_THAT(read("{\"type\":2}\n{\"type\":4}\n").problem, HasSubstr("line 2"));
}

TEST(TarSplit, HasLimits) {
  Limits limits;
  limits.tar_split_line = 50;
  EXPECT_THAT(read(std::string(1000, 'a'), limits, 10).problem, HasSubstr("longer"));
  EXPECT_THAT(read(std::string(1000, 'a'), limits).problem, HasSubstr("longer"));
  limits = {};
  limits.layer_entries = 1;
  EXPECT_THAT(read(sample, limits).problem, HasSubstr("one entry more"));
}

TEST(TarSplit, StopsWhenNoMoreIsWanted) {
  unsigned count = 0;
  const Limits limits;
  TarSplitReader reader(limits, [&](const TarSplitEntry&) { return ++count < 2; });
  EXPECT_FALSE(reader.feed(as_bytes(sample)));
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(reader.problem(), "");
}

std::uint64_t crc(std::string_view text, std::size_t piece = SIZE_MAX) {
  Crc64 value;
  while (!text.empty()) {
    value.update(as_bytes(text.substr(0, piece)));
    text.remove_prefix(std::min(piece, text.size()));
  }
  return value.value();
}

TEST(TarSplit, ChecksumsAreThoseOfGo) {
  // The catalogue's check value of CRC-64/GO-ISO, and one of hash/crc64's own test.
  EXPECT_EQ(crc(""), 0u);
  EXPECT_EQ(crc("123456789"), 0xb90956c775a41001u);
  EXPECT_EQ(crc("a"), 0x3420000000000000u);
  const std::string text = "Free! Free!/A trip/to Mars/for 900/empty jars/Burma Shave";
  for (std::size_t piece = 1; piece < 20; ++piece) EXPECT_EQ(crc(text, piece), crc(text));
}

}  // namespace
}  // namespace lazaret::format
