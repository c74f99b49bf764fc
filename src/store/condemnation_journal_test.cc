#include "store/condemnation_journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace lazaret::store {
namespace {

const Digest image = *Digest::parse("sha256:" + std::string(64, '1'));
const Digest layer = *Digest::parse("sha256:" + std::string(64, '2'));

class JournalTest : public testing::Test {
 protected:
  ~JournalTest() override {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".sqlite");
  }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(path_).rdbuf();
    return all.str();
  }
  static void push(MetadataStore& store) {
    const auto done = store.write([](Writer& writer) {
      const auto repository = writer.add_repository("alice/app", "alice", 1);
      Manifest manifest;
      manifest.digest = image;
      manifest.media_type = "m";
      manifest.created = 1;
      writer.add_blob(layer, 3, 1);
      writer.link_blob(repository, layer, {"alice", 1, 0});
      writer.add_manifest(manifest, "{}", {{ReferenceKind::layer, layer, 3, "l"}});
      writer.bind(repository, image, {"alice", 1, 0});
      writer.set_state(image, State::released, "r", false);
      return Result<void>();
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  // What an older backup looks like after the journal was done to it.
  std::optional<Manifest> restored(JournalReplay* replayed = nullptr) {
    const auto old = std::move(*open_sqlite_metadata_store(""));
    push(*old);
    std::optional<Manifest> manifest;
    const JournalText journal = read_journal(text());
    EXPECT_EQ(journal.unreadable, 0u);
    const auto done = old->write([&](Writer& writer) {
      const JournalReplay result = replay(journal.entries, writer);
      if (replayed != nullptr) *replayed = result;
      manifest = writer.manifest(image);
      const auto repository = writer.repository("alice/app");
      hidden_ = repository ? repository->takedown : -1;
      return Result<void>();
    });
    EXPECT_TRUE(done.ok()) << done.error().message;
    return manifest;
  }

  const std::string path_ = testing::TempDir() + "lazaret-journal-" + std::to_string(::getpid());
  std::int64_t hidden_ = 0;
};

TEST_F(JournalTest, EveryEntryIsReadAsItWasWritten) {
  std::string lines;
  JournalEntry entry;
  entry.tombstone = {TombstoneKind::files, layer, 3, "a\treason\nwith 100% \\ of it\r" + std::string(1, '\0'), 77};
  for (const auto act : {JournalEntry::Act::tombstone, JournalEntry::Act::tombstone_removed, JournalEntry::Act::tombstones_removed}) {
    entry.act = act;
    lines += to_line(entry);
  }
  entry = {};
  entry.act = JournalEntry::Act::file_tombstone;
  entry.file = {{1, 2, 255}, 4, "a path\t", "why%41", true};
  lines += to_line(entry);
  entry = {};
  entry.act = JournalEntry::Act::file_tombstones_removed;
  entry.blob = layer;
  lines += to_line(entry);
  entry = {};
  entry.act = JournalEntry::Act::takedown;
  entry.takedown = {5, "publisher", "alice", "admin", "miners\n", 8, 0};
  lines += to_line(entry);
  entry.act = JournalEntry::Act::takedown_undone;
  entry.takedown.undone = 9;
  lines += to_line(entry);
  const JournalText read = read_journal(lines);
  EXPECT_EQ(read.unreadable, 0u);
  ASSERT_EQ(read.entries.size(), 7u);
  std::string again;
  for (const JournalEntry& one : read.entries) again += to_line(one);
  EXPECT_EQ(again, lines);
  EXPECT_EQ(read.entries[0].tombstone.reason, "a\treason\nwith 100% \\ of it\r" + std::string(1, '\0'));
  EXPECT_EQ(read.entries[3].file.reason, "why%41");
  EXPECT_TRUE(read.entries[3].file.condemns);
  // Cut anywhere, whole lines are read and the rest is left out.
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const JournalText part = read_journal(std::string_view(lines).substr(0, i));
    EXPECT_EQ(part.unreadable, 0u);
    EXPECT_EQ(part.entries.size(), static_cast<std::size_t>(std::count(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(i), '\n')));
  }
  EXPECT_EQ(read_journal("tombstone\tblob\tnone\nnonsense\n\n").unreadable, 2u);
}

TEST_F(JournalTest, WhatWasCondemnedAfterABackupStaysCondemnedInIt) {
  {
    const auto store = std::move(*open_sqlite_metadata_store(path_ + ".sqlite", path_));
    push(*store);
    ASSERT_TRUE(store->write([](Writer& writer) {
                       writer.add_tombstone({TombstoneKind::manifest, image, 0, "a miner", 5});
                       return Result<void>();
                     }).ok());
  }
  EXPECT_EQ(restored()->state, State::condemned);
}

TEST_F(JournalTest, ATransactionThatFailsIsNotInTheJournal) {
  const auto store = std::move(*open_sqlite_metadata_store(path_ + ".sqlite", path_));
  const std::string before = text();
  EXPECT_FALSE(store->write([](Writer& writer) -> Result<void> {
                      writer.add_tombstone({TombstoneKind::manifest, image, 0, "a miner", 5});
                      return Error{ErrorCode::invalid, "no"};
                    }).ok());
  EXPECT_EQ(text(), before);
}

TEST_F(JournalTest, ATakedownAfterTheBackupHidesInItAndAnUndoneOneDoesNot) {
  const auto store = std::move(*open_sqlite_metadata_store(path_ + ".sqlite", path_));
  push(*store);
  std::int64_t act = 0;
  const auto taken = store->write([&](Writer& writer) {
    act = writer.add_takedown({0, "publisher", "alice", "admin", "miners", 6, 0});
    writer.hide_publisher("alice", act);
    writer.add_tombstone({TombstoneKind::manifest, image, act, "miners", 6});
    writer.add_tombstone({TombstoneKind::blob, layer, act, "miners", 6});
    return Result<void>();
  });
  ASSERT_TRUE(taken.ok());
  JournalReplay replayed;
  EXPECT_EQ(restored(&replayed)->state, State::condemned);
  EXPECT_EQ(hidden_, act);
  EXPECT_EQ(replayed.takedowns, 1u);
  ASSERT_TRUE(store->write([&](Writer& writer) {
                     writer.show(act);
                     writer.remove_tombstones(act);
                     writer.restore_states(act);
                     writer.set_undone(act, 9);
                     return Result<void>();
                   }).ok());
  EXPECT_EQ(restored(&replayed)->state, State::released);
  EXPECT_EQ(hidden_, 0);
  EXPECT_EQ(replayed.undone, 1u);
}

TEST_F(JournalTest, AnImageThatHoldsCondemnedContentIsLookedAtAgain) {
  const auto store = std::move(*open_sqlite_metadata_store(path_ + ".sqlite", path_));
  ASSERT_TRUE(store->write([](Writer& writer) {
                     writer.add_tombstone({TombstoneKind::blob, layer, 0, "a miner", 5});
                     return Result<void>();
                   }).ok());
  EXPECT_EQ(restored()->state, State::pending);
}

TEST_F(JournalTest, AReleaseByHandAfterTheBackupTakesItsTombstoneAway) {
  const auto store = std::move(*open_sqlite_metadata_store(path_ + ".sqlite", path_));
  ASSERT_TRUE(store->write([](Writer& writer) {
                     writer.add_tombstone({TombstoneKind::manifest, image, 0, "a mistake", 5});
                     writer.remove_tombstone(TombstoneKind::manifest, image);
                     return Result<void>();
                   }).ok());
  EXPECT_EQ(restored()->state, State::released);
}

TEST_F(JournalTest, AJournalThatBeginsLateHoldsWhatTheStoreHeldBefore) {
  {
    const auto store = std::move(*open_sqlite_metadata_store(path_ + ".sqlite"));
    ASSERT_TRUE(store->write([](Writer& writer) {
                       writer.add_tombstone({TombstoneKind::manifest, image, 0, "a miner", 5});
                       return Result<void>();
                     }).ok());
  }
  ASSERT_TRUE(open_sqlite_metadata_store(path_ + ".sqlite", path_).ok());
  EXPECT_EQ(restored()->state, State::condemned);
}

TEST_F(JournalTest, WhatACrashLeftOfALineIsPassedOver) {
  std::ofstream(path_) << "tombstone\tmanifest\t" << image.str() << "\t0\t5\tone\ntombstone\tblob\tsha2";
  const auto journal = std::move(*CondemnationJournal::open(path_));
  JournalEntry entry;
  entry.tombstone = {TombstoneKind::blob, layer, 0, "two", 6};
  ASSERT_TRUE(journal->append({entry}).ok());
  const JournalText read = read_journal(text());
  EXPECT_EQ(read.entries.size(), 2u);
  EXPECT_EQ(read.unreadable, 0u);
}

}  // namespace
}  // namespace lazaret::store
