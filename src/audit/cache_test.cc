#include "audit/cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace lazaret::audit {
namespace {

class CacheTest : public testing::Test {
 protected:
  CacheTest() {
    std::string pattern = testing::TempDir() + "lazaret-cache-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~CacheTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Cache> open(const std::string& ruleset = "sha256:r", std::string* warning = nullptr, std::uint64_t bytes = 64 << 20) {
    std::string ignored;
    auto cache = Cache::open(folder_, ruleset, Limits{}, bytes, warning != nullptr ? warning : &ignored);
    EXPECT_TRUE(cache.ok());
    return cache ? std::move(*cache) : nullptr;
  }

  static BlobOffer offer(std::string_view content, bool proved) {
    BlobOffer offer;
    offer.digest = sha256(as_bytes(content));
    offer.digest_is_proved = proved;
    return offer;
  }
  static LayerAudit audit(std::string_view content) {
    LayerAudit audit;
    audit.blob_digest = audit.diff_id = sha256(as_bytes(content));
    audit.files = 7;
    return audit;
  }

  std::string folder_;
};

TEST_F(CacheTest, GivesBackWhatItWasGiven) {
  open()->store(offer("layer", true), audit("layer"));
  const auto found = open()->find(offer("layer", true));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->files, 7u);
  EXPECT_FALSE(open()->find(offer("other", true)));
}

// An archive may give a clean layer's name to other bytes.
TEST_F(CacheTest, AnUnprovedNameIsWorthNothing) {
  open()->store(offer("layer", true), audit("layer"));
  EXPECT_FALSE(open()->find(offer("layer", false)));
}

TEST_F(CacheTest, AnUnchangedFileIsKnownByItsIdentity) {
  BlobOffer local = offer("layer", false);
  local.file_identity = "dev:1 inode:2 size:3 time:4";
  open()->store(local, audit("layer"));
  EXPECT_TRUE(open()->find(local));
  local.file_identity = "dev:1 inode:2 size:3 time:5";
  EXPECT_FALSE(open()->find(local));
}

TEST_F(CacheTest, OtherRulesFindNothing) {
  open()->store(offer("layer", true), audit("layer"));
  EXPECT_FALSE(open("sha256:other")->find(offer("layer", true)));
}

TEST_F(CacheTest, AnAuditThatEndedEarlyIsNotKept) {
  LayerAudit partial = audit("layer");
  partial.ended_early = true;
  open()->store(offer("layer", true), partial);
  EXPECT_FALSE(open()->find(offer("layer", true)));
}

// Writing down the audit of three million files took the peak over 400 MiB.
TEST_F(CacheTest, AnAuditOfMoreThanAMillionFilesIsNotKept) {
  LayerAudit large = audit("layer");
  Entry entry;
  for (unsigned i = 0; i <= 1'000'000; ++i) {
    entry.path = "/f" + std::to_string(i);
    large.entries.append(entry);
  }
  open()->store(offer("layer", true), large);
  EXPECT_FALSE(open()->find(offer("layer", true)));
}

TEST_F(CacheTest, ADamagedFileIsReplacedWithAWarning) {
  open()->store(offer("layer", true), audit("layer"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (!entry.is_regular_file()) continue;
    std::ofstream file(entry.path(), std::ios::binary | std::ios::in);
    file << "this was a database";
  }
  std::string warning;
  const auto cache = open("sha256:r", &warning);
  EXPECT_NE(warning, "");
  cache->store(offer("layer", true), audit("layer"));
  EXPECT_TRUE(cache->find(offer("layer", true)));
}

TEST_F(CacheTest, OthersMayNotReadIt) {
  open();
  struct stat status {};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077, 0u);
}

TEST_F(CacheTest, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder_ + "/file") << "x";
  std::string warning;
  EXPECT_FALSE(Cache::open(folder_ + "/file/cache", "sha256:r", Limits{}, 1 << 20, &warning).ok());
}

}  // namespace
}  // namespace lazaret::audit
