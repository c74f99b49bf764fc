#include <gtest/gtest.h>

#include "audit/entry_table.h"
#include "audit/layer_audit.h"
#include "audit/paths.h"
#include "audit/root_file_system.h"

namespace lazaret::audit {
namespace {

Entry file(std::string path, format::TarType type = format::TarType::file, std::string target = "") {
  Entry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.link_target = std::move(target);
  return entry;
}

LayerAudit layer(std::initializer_list<Entry> entries) {
  LayerAudit audit;
  for (const Entry& entry : entries) audit.entries.append(entry);
  return audit;
}

TEST(CanonicalPath, ResolvesAsARuntimeDoes) {
  EXPECT_EQ(canonical_path("./usr//bin/../x/"), "/usr/x");
  EXPECT_EQ(canonical_path("../../etc/passwd"), "/etc/passwd");
  EXPECT_EQ(canonical_path(""), "/");
  EXPECT_TRUE(path_escapes("a/../../b"));
  EXPECT_FALSE(path_escapes("a/../b"));
  EXPECT_FALSE(path_escapes("a..b/..c"));
}

TEST(EntryTable, GivesBackWhatWasPutIn) {
  EntryTable table;
  for (int i = 0; i < 1000; ++i) table.append(file("/usr/lib/python3/dist-packages/module" + std::to_string(i) + "/x.py"));
  EXPECT_EQ(table.at(0).path, "/usr/lib/python3/dist-packages/module0/x.py");
  EXPECT_EQ(table.at(999).path, "/usr/lib/python3/dist-packages/module999/x.py");
  EntryTable loaded;
  ASSERT_TRUE(loaded.load(as_bytes(table.save())));
  EXPECT_EQ(loaded.at(517).path, table.at(517).path);
}

TEST(EntryTable, DamagedBytesAreRefusedNotRead) {
  EntryTable table;
  for (int i = 0; i < 40; ++i) table.append(file("/a/b" + std::to_string(i), format::TarType::symlink, "target"));
  const std::string saved = table.save();
  for (std::size_t size = 0; size < saved.size(); ++size) {
    EntryTable loaded;
    EXPECT_FALSE(loaded.load(as_bytes(std::string_view(saved).substr(0, size))));
  }
  for (std::size_t at = 0; at < saved.size(); ++at) {
    std::string damaged = saved;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EntryTable loaded;
    if (!loaded.load(as_bytes(damaged))) continue;
    EntryTable::Cursor cursor(loaded);
    for (Entry entry; cursor.next(entry);) {
    }
  }
}

TEST(RootFileSystem, HigherLayersReplaceLowerOnes) {
  const LayerAudit low = layer({file("/a"), file("/b")}), high = layer({file("/a")});
  const RootFileSystem root({&low, &high});
  EXPECT_EQ(root.find("/a")->layer, 1u);
  EXPECT_EQ(root.find("/b")->layer, 0u);
  EXPECT_FALSE(root.is_visible(0, 0));
  EXPECT_TRUE(root.is_visible(0, 1));
}

TEST(RootFileSystem, WhiteoutsRemoveFromLowerLayersOnly) {
  const LayerAudit low = layer({file("/d/x"), file("/d/y/z"), file("/e")});
  const LayerAudit high = layer({file("/d/.wh.x"), file("/d/.wh.y"), file("/d/y/new"), file("/.wh.e")});
  const RootFileSystem root({&low, &high});
  EXPECT_FALSE(root.find("/d/x"));
  EXPECT_FALSE(root.find("/d/y/z"));
  EXPECT_TRUE(root.find("/d/y/new"));
  EXPECT_FALSE(root.find("/e"));
}

TEST(RootFileSystem, OpaqueHidesTheFolderContentOfLowerLayers) {
  const LayerAudit low = layer({file("/d/x"), file("/dx")}), high = layer({file("/d/.wh..wh..opq"), file("/d/n")});
  const RootFileSystem root({&low, &high});
  EXPECT_FALSE(root.find("/d/x"));
  EXPECT_TRUE(root.find("/d/n"));
  EXPECT_TRUE(root.find("/dx"));
}

TEST(RootFileSystem, MarkersOfEmptyOrDotNamesRemoveNothing) {
  const LayerAudit low = layer({file("/etc/passwd")}), high = layer({file("/etc/.wh."), file("/etc/.wh.."), file("/etc/.wh...")});
  EXPECT_TRUE(RootFileSystem({&low, &high}).find("/etc/passwd"));
}

TEST(RootFileSystem, AFileInPlaceOfAFolderHidesWhatWasBelow) {
  const LayerAudit low = layer({file("/d/x")}), high = layer({file("/d", format::TarType::symlink, "/other")});
  const RootFileSystem root({&low, &high});
  EXPECT_FALSE(root.is_visible(0, 0));
}

TEST(RootFileSystem, LinksAreFollowedInsideAndLoopsEnd) {
  const LayerAudit only = layer({file("/bin", format::TarType::symlink, "usr/bin"), file("/usr/bin/sh", format::TarType::symlink, "/bin/dash"), file("/usr/bin/dash"),
                                 file("/loop", format::TarType::symlink, "loop"), file("/out", format::TarType::symlink, "../../../usr/bin/dash")});
  const RootFileSystem root({&only});
  EXPECT_EQ(root.find("/bin/sh")->record.path, "/usr/bin/dash");
  EXPECT_FALSE(root.find("/loop"));
  EXPECT_EQ(root.find("/out")->record.path, "/usr/bin/dash");
}

TEST(RootFileSystem, TheLastOfTwoEntriesOfOnePathWins) {
  const LayerAudit only = layer({file("/a"), file("/a")});
  const RootFileSystem root({&only});
  EXPECT_FALSE(root.is_visible(0, 0));
  EXPECT_TRUE(root.is_visible(0, 1));
}

TEST(LayerAudit, SurvivesTheCacheAndRefusesDamage) {
  LayerAudit audit = layer({file("/a"), file("/b")});
  audit.diff_id = sha256({});
  audit.blob_digest = sha256(as_bytes("x"));
  audit.findings.push_back({"rule", detect::Severity::high, detect::Confidence::low, 1, "/b", {"n"}, 7, 2, "evidence", {"c"}, {{"url", "u", true}}, "m", "s"});
  audit.kept.push_back({0, "/a", "text"});
  audit.incomplete.push_back({"/a", 3, "why"});
  const std::string saved = audit.save();
  const auto loaded = LayerAudit::load(as_bytes(saved));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->save(), saved);
  for (std::size_t size = 0; size < saved.size(); ++size) EXPECT_FALSE(LayerAudit::load(as_bytes(std::string_view(saved).substr(0, size))));
}

TEST(RootFileSystem, EntriesBelowALinkLandWhereItLeads) {
  const LayerAudit low = layer({file("/bin", format::TarType::symlink, "usr/bin"), file("/usr/bin/a")});
  const LayerAudit high = layer({file("/bin/x"), file("/bin/.wh.a")});
  const RootFileSystem root({&low, &high});
  EXPECT_EQ(root.place_of(1, 0), "/usr/bin/x");
  EXPECT_TRUE(root.find_exact("/usr/bin/x"));
  EXPECT_FALSE(root.find_exact("/bin/x"));
  EXPECT_FALSE(root.find("/usr/bin/a")) << "the marker follows the link too";
  EXPECT_EQ(root.find_exact("/bin")->record.type, format::TarType::symlink);
}

TEST(RootFileSystem, ALinkReplacedByAFolderLeadsNowhere) {
  const LayerAudit low = layer({file("/d", format::TarType::symlink, "e"), file("/e/a")});
  const LayerAudit high = layer({file("/d", format::TarType::directory), file("/d/x")});
  const RootFileSystem root({&low, &high});
  EXPECT_TRUE(root.find_exact("/d/x"));
  EXPECT_FALSE(root.find_exact("/e/x"));
}

TEST(RootFileSystem, LinksInALoopEndSomewhere) {
  const LayerAudit low = layer({file("/a", format::TarType::symlink, "b"), file("/b", format::TarType::symlink, "a")});
  const LayerAudit high = layer({file("/a/x")});
  const RootFileSystem root({&low, &high});
  EXPECT_TRUE(root.is_visible(1, 0));
}

TEST(RootFileSystem, AHardLinkKeepsContentThatIsReplaced) {
  const LayerAudit low = layer({file("/a"), file("/b", format::TarType::hard_link, "a")}), high = layer({file("/a")});
  const RootFileSystem root({&low, &high});
  EXPECT_FALSE(root.is_visible(0, 0));
  EXPECT_EQ(root.seen_as(0, 0), "/b");
  EXPECT_EQ(root.seen_as(1, 0), "/a");
}

TEST(RootFileSystem, AHardLinkIsToWhatItsTargetWasThen) {
  const LayerAudit low = layer({file("/a")}), high = layer({file("/a"), file("/b", format::TarType::hard_link, "a")}), top = layer({file("/.wh.a")});
  const RootFileSystem root({&low, &high, &top});
  EXPECT_FALSE(root.seen_as(0, 0)) << "the link is to the upper /a";
  EXPECT_EQ(root.seen_as(1, 0), "/b");
}

}  // namespace
}  // namespace lazaret::audit
