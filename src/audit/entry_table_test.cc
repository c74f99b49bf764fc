#include "audit/entry_table.h"

#include <gtest/gtest.h>

#include <thread>

namespace lazaret::audit {
namespace {

Entry sample(unsigned number) {
  Entry entry;
  entry.path = "/usr/share/folder" + std::to_string(number / 50) + "/file" + std::to_string(number);
  entry.type = number % 7 == 0 ? format::TarType::symlink : format::TarType::file;
  if (entry.type == format::TarType::symlink) entry.link_target = "../target" + std::to_string(number);
  entry.mode = number % 5 == 0 ? 04755 : 0644;
  entry.uid = number * 1000;
  entry.gid = number % 3;
  entry.size = static_cast<std::uint64_t>(number) << 20;
  if (number % 11 == 0) entry.capabilities = std::string("\1\0\0\2\0\4\0\0", 8);
  entry.file_type = {format::FileKind::elf, format::Language::none};
  entry.content = content_digest(sha256(as_bytes(entry.path)));
  return entry;
}

void expect_same(const Entry& a, const Entry& b) {
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.link_target, b.link_target);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.gid, b.gid);
  EXPECT_EQ(a.size, b.size);
  EXPECT_EQ(a.capabilities, b.capabilities);
  EXPECT_EQ(a.file_type.kind, b.file_type.kind);
  EXPECT_EQ(a.content, b.content);
}

TEST(EntryTableFields, AreTheSameByNumberInOrderAndFromTheCache) {
  constexpr unsigned count = 40'000;  // several blocks
  EntryTable table;
  for (unsigned i = 0; i < count; ++i) table.append(sample(i));
  EntryTable loaded;
  ASSERT_TRUE(loaded.load(as_bytes(table.save())));
  for (const EntryTable* each : {&table, &loaded}) {
    ASSERT_EQ(each->size(), count);
    EntryTable::Cursor cursor(*each);
    Entry entry;
    for (unsigned i = 0; cursor.next(entry); ++i) {
      if (i % 997 == 0 || i % 16 == 0) expect_same(each->at(i), sample(i));
      ASSERT_EQ(entry.path, sample(i).path);
    }
    expect_same(each->at(count - 1), sample(count - 1));
    EntryTable::Cursor views(*each);
    EntryView view;
    for (unsigned i = 0; views.next(view); ++i) {
      const Entry wanted = sample(i);
      ASSERT_EQ(view.path, wanted.path);
      if (i % 997 != 0) continue;
      EXPECT_EQ(view.link_target, wanted.link_target);
      EXPECT_EQ(view.capabilities, wanted.capabilities);
      EXPECT_EQ(view.size, wanted.size);
      EXPECT_EQ(view.uid, wanted.uid);
    }
    for (unsigned i = 0; i < count; i += 13) {
      const std::string path = sample(i).path;
      EXPECT_TRUE(each->has_path(i, path));
      EXPECT_FALSE(each->has_path(i, path + "x"));
      EXPECT_FALSE(each->has_path(i, path.substr(0, path.size() - 1)));
      EXPECT_FALSE(each->has_path(i, "/x" + path.substr(2)));
      EXPECT_FALSE(each->has_path(i, ""));
    }
  }
  EXPECT_EQ(loaded.save(), table.save());
}

TEST(EntryTableFields, ADigestMayComeLaterAndFromAnotherThread) {
  EntryTable table;
  std::vector<ContentDigest*> slots;
  for (unsigned i = 0; i < 5000; ++i) {
    slots.push_back(table.next_content());
    Entry entry = sample(i);
    entry.content = {};
    table.append(entry);
  }
  std::thread([&] {
    for (unsigned i = 0; i < 5000; ++i) *slots[i] = sample(i).content;
  }).join();
  for (unsigned i = 0; i < 5000; i += 7) EXPECT_EQ(table.at(i).content, sample(i).content);
}

TEST(EntryTableFields, AnEmptyTableIsSavedAndLoaded) {
  EntryTable loaded;
  ASSERT_TRUE(loaded.load(as_bytes(EntryTable().save())));
  EXPECT_EQ(loaded.size(), 0u);
}

// A type written in two bytes (83 00) passed the check and was read as one byte: what followed was read from the wrong place.
TEST(EntryTableDamage, ANumberInTwoBytesWhereOneIsReadIsRefused) {
  EntryTable table;
  Entry entry;
  entry.path = "/a";
  table.append(entry);
  std::string saved = table.save();
  const std::size_t type = saved.find("/a") + 2;
  saved.replace(type, 1, std::string("\x80\0", 2));
  saved[2] = static_cast<char>(saved[2] + 1);  // the length of the block
  EntryTable loaded;
  EXPECT_FALSE(loaded.load(as_bytes(saved)));
}

TEST(EntryTableDamage, NoPrefixAndNoFlippedBitIsReadOverTheEnd) {
  EntryTable table;
  for (unsigned i = 0; i < 40; ++i) table.append(sample(i));
  const std::string saved = table.save();
  for (std::size_t size = 0; size < saved.size(); ++size) {
    EntryTable loaded;
    EXPECT_FALSE(loaded.load(as_bytes(std::string_view(saved).substr(0, size))));
  }
  for (std::size_t at = 0; at < saved.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string damaged = saved;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EntryTable loaded;
      if (!loaded.load(as_bytes(damaged))) continue;
      EntryTable::Cursor cursor(loaded);
      Entry entry;
      std::size_t number = 0;
      for (; cursor.next(entry); ++number) {
      }
      EXPECT_EQ(number, loaded.size());
      if (number > 0) (void)loaded.at(number - 1);
    }
  }
}

}  // namespace
}  // namespace lazaret::audit
