#include "gate/takedown_journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lazaret::gate {
namespace {

TEST(TakedownJournal, AnActIsWrittenWithAllThatKeepsItsContentOut) {
  char name[] = "/tmp/lazaret-journal-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string path = folder + "/takedowns.log";
  const auto metadata = std::move(*store::open_sqlite_metadata_store(""));
  ASSERT_TRUE(metadata->write([](store::Writer& writer) -> Result<void> {
    EXPECT_EQ(writer.add_takedown({0, "publisher", "alice", "admin", "miners", 5, 0, true}), 1);
    writer.add_tombstone({store::TombstoneKind::blob, sha256(as_bytes("x")), 1, "miners", 5});
    writer.add_file_tombstone({{1, 2, 3}, 1, "/usr/bin/x", "miners", true});
    return {};
  }));
  TakedownJournal journal(path);
  ASSERT_TRUE(journal.write(*metadata, 1));
  EXPECT_EQ(journal.write(*metadata, 2).error().code, ErrorCode::not_found);
  std::ifstream file(path);
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  for (const std::string part : {R"("subject":"alice")", R"("closes_account":true)", R"("kind":"blob")", R"("path":"/usr/bin/x")", R"("condemns":true)"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lazaret::gate
