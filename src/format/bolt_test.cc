#include "format/bolt.h"

#include <gmock/gmock.h>

#include "format/bolt_test_support.h"

namespace lazaret::format {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// A namespace with `count` images, as containerd keeps them.
BoltTree images(unsigned count) {
  BoltTree tree;
  BoltTree& all = tree.buckets["v1"].buckets["default"].buckets["images"];
  for (unsigned i = 0; i < count; ++i) {
    BoltTree& image = all.buckets["image-" + std::to_string(1000 + i)];
    image.buckets["target"].values = {{"digest", "sha256:" + std::to_string(i)}, {"size", "\x02"}};
    image.values["createdat"] = std::string(100, 'x');
  }
  return tree;
}

std::vector<std::string> names(BoltDatabase& database, std::vector<std::string_view> path) {
  std::vector<std::string> result;
  database.list(path, [&](const BoltDatabase::Item& item) {
    result.emplace_back(item.key);
    return true;
  });
  return result;
}

std::optional<std::string_view> digest_of(BoltDatabase& database, std::string_view image) {
  const std::string_view path[] = {"v1", "default", "images", image, "target"};
  return database.get(path, "digest");
}

TEST(Bolt, ReadsBucketsOfOnePageOfManyAndInline) {
  for (const std::size_t inline_bytes : {0u, 1024u}) {
    for (const unsigned count : {1u, 3u, 200u}) {
      for (const std::size_t page_size : {512u, 4096u, 65536u}) {
        const std::string file = BoltWriter(page_size, 3, inline_bytes).write(images(count));
        BoltDatabase database(as_bytes(file));
        ASSERT_TRUE(database.valid());
        EXPECT_EQ(database.transaction(), 7u);
        EXPECT_THAT(names(database, {}), ElementsAre("v1"));
        EXPECT_EQ(names(database, {"v1", "default", "images"}).size(), count);
        EXPECT_EQ(digest_of(database, "image-1000"), "sha256:0");
        EXPECT_EQ(digest_of(database, "image-" + std::to_string(999 + count)),
                  "sha256:" + std::to_string(count - 1));
        EXPECT_EQ(digest_of(database, "image"), std::nullopt);
        EXPECT_FALSE(database.list(std::vector<std::string_view>{"v2"},
                                   [](const BoltDatabase::Item&) { return true; }));
        EXPECT_THAT(database.diagnostics(), IsEmpty());
      }
    }
  }
}

TEST(Bolt, AValueIsNoBucketAndABucketNoValue) {
  BoltTree tree;
  tree.values["value"] = std::string(32, '\0');
  tree.buckets["bucket"].values["a"] = "b";
  const std::string file = BoltWriter().write(tree);
  BoltDatabase database(as_bytes(file));
  EXPECT_THAT(names(database, {"value"}), IsEmpty());
  EXPECT_EQ(database.get({}, "bucket"), std::nullopt);
  EXPECT_EQ(database.get({}, "value"), std::string_view(tree.values["value"]));
  EXPECT_EQ(database.get(std::vector<std::string_view>{"bucket"}, "a"), "b");
}

TEST(Bolt, ValuesLargerThanAPage) {
  BoltTree tree;
  tree.values["large"] = std::string(100'000, 'v');
  tree.values["next"] = "n";
  const std::string file = BoltWriter(512, 1).write(tree);
  BoltDatabase database(as_bytes(file));
  EXPECT_EQ(database.get({}, "large"), std::string_view(tree.values["large"]));
  EXPECT_EQ(database.get({}, "next"), "n");
}

TEST(Bolt, TheNewerOfTwoSoundMetaPagesCounts) {
  BoltTree old_tree, new_tree;
  old_tree.values["state"] = "old";
  new_tree.values["state"] = "new";
  // The pages of the newer tree stand behind those of the older.
  const std::string old_file = BoltWriter().write(old_tree);
  std::string file = old_file;
  const std::string newer = BoltWriter().write(new_tree);
  file += newer.substr(3 * 4096);
  BoltWriter::put_meta(file, 0, 4096, 3, 10);
  BoltWriter::put_meta(file, 1, 4096, 4, 11);
  const auto state = [](const std::string& bytes) {
    BoltDatabase database(as_bytes(bytes));
    return std::string(database.get({}, "state").value_or("none"));
  };
  EXPECT_EQ(state(file), "new");
  std::string torn = file;
  torn[4096 + 60] ^= 1;  // the newer one does not match its checksum
  EXPECT_EQ(state(torn), "old");
  torn = file;
  torn[20] ^= 1;  // the first is damaged, so that it does not tell the page size
  EXPECT_EQ(state(torn), "new");
  torn[4096 + 20] ^= 1;
  EXPECT_FALSE(BoltDatabase(as_bytes(torn)).valid());
  EXPECT_EQ(state(torn), "none");
}

TEST(Bolt, IsInvalidWithoutAnyContent) {
  for (const std::string& file : {std::string(), std::string("x"), std::string(1 << 20, '\0')}) {
    BoltDatabase database(as_bytes(file));
    EXPECT_FALSE(database.valid());
    EXPECT_THAT(names(database, {}), IsEmpty());
  }
}

TEST(Bolt, CutOffAtAnyPlaceGivesWhatIsThere) {
  const std::string file = BoltWriter(512, 3, 256).write(images(40));
  for (std::size_t size = 0; size < file.size(); size += size < 2048 ? 1 : 101) {
    const std::string part = file.substr(0, size);
    BoltDatabase database(as_bytes(part));
    EXPECT_EQ(database.valid(), size >= 80);
    const std::size_t found = names(database, {"v1", "default", "images"}).size();
    EXPECT_EQ(found < 40, !database.valid() || !database.diagnostics().empty()) << size;
  }
}

TEST(Bolt, CutOffAtEveryPage) {
  const std::string file = BoltWriter(512, 3).write(images(40));
  for (std::size_t size = 1024; size < file.size(); size += 512) {
    BoltDatabase database(as_bytes(file).first(size));
    EXPECT_TRUE(database.valid());
    EXPECT_LT(names(database, {"v1", "default", "images"}).size(), 40u);
    EXPECT_THAT(database.diagnostics(), Not(IsEmpty()));
    EXPECT_TRUE(database.diagnostics().front().unaudited);
  }
}

// Sets the child of the first element of each branch page to the page itself.
TEST(Bolt, PagesThatGoRoundInCircles) {
  std::string file = BoltWriter(512, 3).write(images(40));
  for (std::size_t at = 0; at < file.size(); at += 512) {
    if (file[at + 8] == 0x01) BoltWriter::put64(file, at + 16 + 8, at / 512);
  }
  BoltDatabase database(as_bytes(file));
  names(database, {"v1", "default", "images"});
  EXPECT_THAT(database.diagnostics(), Not(IsEmpty()));
}

TEST(Bolt, ABucketThatIsItsOwnChild) {
  BoltTree tree;
  tree.buckets["a"].values["x"] = "y";
  std::string file = BoltWriter(512).write(tree);
  // The root leaf has one element, whose value is the bucket's header.
  const std::uint64_t root = *read_le<std::uint64_t>(as_bytes(file), 32);
  BoltWriter::put64(file, root * 512 + 16 + 16 + 1, root);
  BoltDatabase database(as_bytes(file));
  EXPECT_THAT(names(database, {"a"}), ElementsAre("a"));
  EXPECT_THAT(names(database, std::vector<std::string_view>(500, "a")), ElementsAre("a"));
}

TEST(Bolt, NumbersThatLeadOutOfTheFile) {
  const std::string sound = BoltWriter(512, 3, 256).write(images(12));
  for (std::size_t page = 3 * 512; page < sound.size(); page += 512) {
    for (const std::size_t field : {8u, 10u, 12u, 16u, 20u, 24u, 28u}) {
      std::string file = sound;
      BoltWriter::put32(file, page + field, 0xffffffff);
      BoltDatabase database(as_bytes(file));
      for (const auto& name : names(database, {"v1", "default", "images"}))
        digest_of(database, name);
    }
  }
}

TEST(Bolt, ManyDamagedPagesGiveFewDiagnostics) {
  std::string file = BoltWriter(512, 1).write(images(300));
  for (std::size_t at = 3 * 512; at < file.size(); at += 512) {
    if (file[at + 8] == 0x02) file[at + 8] = 0;
  }
  BoltDatabase database(as_bytes(file));
  for (int i = 0; i < 100; ++i) names(database, {});
  EXPECT_LE(database.diagnostics().size(), 20u);
}

}  // namespace
}  // namespace lazaret::format
