#include "source/unpacked_layer.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/store_test_support.h"

namespace lazaret::source {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Written {
  LayerOutcome outcome;
  std::string bytes;
};

// The layer whose record is <folder>/record and whose files are in <folder>/diff.
Written write(const TemporaryFolder& folder, bool overlay = true,
              const SourceOptions& options = {}) {
  UnpackedLayer layer;
  layer.overlay = overlay;
  layer.folder = std::move(*open_folder(folder.path("diff")));
  if (std::filesystem::exists(folder.path("record")))
    layer.tar_split.emplace(std::move(*LocalFile::open(folder.path("record"))));
  Collector collector;
  BlobOffer offer;
  offer.key = "layer";
  const auto writer = collector.begin(offer);
  auto outcome = write_unpacked_layer(layer, options, *writer);
  EXPECT_TRUE(outcome.ok());
  return {std::move(*outcome), collector.blobs["layer"].bytes};
}

// Two files, a link and a folder.
RecordedLayer make(const TemporaryFolder& folder) {
  RecordedLayer layer;
  layer.add("etc/", "", '5');
  layer.add("./etc/motd", "welcome\n");
  layer.add("/usr/bin/run", std::string(100'000, 'x'));
  layer.add("link", "", '2', "/etc/motd");
  layer.add(".wh.gone", "");
  layer.end();
  folder.write("diff/etc/motd", "welcome\n");
  folder.write("diff/usr/bin/run", std::string(100'000, 'x'));
  std::filesystem::create_symlink("/etc/motd", folder.path("diff/link"));
  folder.write("record", layer.record);
  return layer;
}

TEST(UnpackedLayer, IsTheExactLayer) {
  const TemporaryFolder folder;
  const RecordedLayer layer = make(folder);
  const Written written = write(folder);
  EXPECT_TRUE(written.outcome.exact) << written.outcome.changed;
  EXPECT_EQ(written.bytes, layer.tar);
}

TEST(UnpackedLayer, ChangedContentIsAuditedAsItIs) {
  const TemporaryFolder folder;
  make(folder);
  folder.write("diff/etc/motd", "trojan!\n");  // of the same size: only the checksum tells
  Written written = write(folder);
  EXPECT_FALSE(written.outcome.exact);
  EXPECT_THAT(written.outcome.changed, HasSubstr("another content"));
  EXPECT_THAT(written.bytes, HasSubstr("trojan!\n"));
  folder.write("diff/etc/motd", "a longer trojan!\n");
  written = write(folder);
  EXPECT_THAT(written.outcome.changed, HasSubstr("has 17 bytes"));
  EXPECT_THAT(written.bytes, HasSubstr("a longer trojan!\n"));
}

TEST(UnpackedLayer, AnAddedFileIsAudited) {
  const TemporaryFolder folder;
  make(folder);
  folder.write("diff/etc/cron.d/job", "added\n");
  const Written written = write(folder);
  EXPECT_THAT(written.outcome.changed, HasSubstr("\"etc/cron.d/job\" was not brought"));
  EXPECT_THAT(written.bytes, HasSubstr("added\n"));
  // In a full copy it is what a lower layer brought.
  EXPECT_TRUE(write(folder, false).outcome.exact);
}

TEST(UnpackedLayer, AMissingFileIsTold) {
  const TemporaryFolder folder;
  make(folder);
  std::filesystem::remove(folder.path("diff/etc/motd"));
  const Written written = write(folder);
  EXPECT_THAT(written.outcome.changed, HasSubstr("etc/motd"));
  EXPECT_THAT(written.bytes, Not(HasSubstr("welcome")));
  EXPECT_THAT(written.bytes, HasSubstr("xxxx"));
}

TEST(UnpackedLayer, WithoutARecordItIsMadeOfTheFolder) {
  const TemporaryFolder folder;
  make(folder);
  std::filesystem::remove(folder.path("record"));
  const Written written = write(folder);
  EXPECT_FALSE(written.outcome.exact);
  EXPECT_EQ(written.outcome.changed, "");
  EXPECT_THAT(written.bytes, HasSubstr("welcome\n"));
}

TEST(UnpackedLayer, LinksNeverLeadOutOfTheFolder) {
  for (const std::string name : {"link/secret", "file", "../secret", "in/../../secret"}) {
    const TemporaryFolder folder;
    folder.write("secret", "outside");
    folder.write("diff/here", "inside");
    std::filesystem::create_directory(folder.path("diff/in"));
    std::filesystem::create_directory_symlink("..", folder.path("diff/link"));
    std::filesystem::create_symlink(folder.path("secret"), folder.path("diff/file"));
    RecordedLayer layer;
    layer.add("here", "inside");
    layer.add(name, "outside");
    layer.end();
    folder.write("record", layer.record);
    const Written written = write(folder);
    EXPECT_FALSE(written.outcome.exact) << name;
    EXPECT_THAT(written.bytes, Not(HasSubstr("outside"))) << name;
    EXPECT_THAT(written.bytes, HasSubstr("inside"));
  }
}

TEST(UnpackedLayer, AFileBehindALinkOfTheLayerItself) {
  const TemporaryFolder folder;
  RecordedLayer layer;
  layer.add("usr/lib/", "", '5');
  layer.add("lib", "", '2', "/usr/lib");
  layer.add("lib/libc.so", "library");
  layer.end();
  folder.write("diff/usr/lib/libc.so", "library");
  std::filesystem::create_directory_symlink("/usr/lib", folder.path("diff/lib"));
  folder.write("record", layer.record);
  const Written written = write(folder);
  EXPECT_TRUE(written.outcome.exact) << written.outcome.changed;
  EXPECT_EQ(written.bytes, layer.tar);
}

TEST(UnpackedLayer, APipeInPlaceOfAFileIsNotWaitedFor) {
  const TemporaryFolder folder;
  make(folder);
  std::filesystem::remove(folder.path("diff/etc/motd"));
  ASSERT_EQ(mkfifo(folder.path("diff/etc/motd").c_str(), 0600), 0);
  EXPECT_THAT(write(folder).outcome.changed, HasSubstr("no longer a file"));
}

TEST(UnpackedLayer, ADamagedRecordIsTold) {
  const TemporaryFolder folder;
  const RecordedLayer layer = make(folder);
  for (const std::string& record :
       {layer.record.substr(0, 700), layer.record + "nonsense\n", "\x1f\x8b" + layer.record,
        std::string(
            "{\"type\":1,\"name\":\"etc/motd\",\"size\":8,\"payload\":\"AAAAAAAAAAA=\"}\n")}) {
    folder.write("record", record);
    const Written written = write(folder);
    EXPECT_FALSE(written.outcome.exact);
    EXPECT_NE(written.outcome.changed, "");
    EXPECT_THAT(written.bytes, HasSubstr("welcome\n"));
  }
}

TEST(UnpackedLayer, TellsWhatAnOutcomeMeans) {
  format::ImageDescription description;
  LayerOutcome outcome;
  outcome.exact = true;
  tell_outcome("one", outcome, description);
  EXPECT_THAT(description.unaudited, IsEmpty());
  EXPECT_THAT(description.diagnostics, IsEmpty());
  outcome.exact = false;
  tell_outcome("two", outcome, description);
  EXPECT_THAT(description.unaudited, IsEmpty());
  ASSERT_EQ(description.diagnostics.size(), 1u);
  EXPECT_EQ(description.diagnostics[0].rule, "anomaly.layer-rebuilt");
  outcome.changed = "a reason";
  tell_outcome("three", outcome, description);
  ASSERT_EQ(description.unaudited.size(), 1u);
  EXPECT_THAT(description.unaudited[0].second, HasSubstr("a reason"));
}

}  // namespace
}  // namespace lazaret::source
