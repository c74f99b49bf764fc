#include "audit/layer_auditor.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "format/tar_test_support.h"

namespace lazaret::audit {
namespace {

// A tar of one file of `size` bytes.
std::string tar_of(std::size_t size) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, "file");
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  char octal[12];
  std::snprintf(octal, sizeof octal, "%011zo", size);
  put(124, octal);
  put(136, "00000000000");
  put(148, "        ");
  header[156] = '0';
  put(257, std::string("ustar\0" "00", 8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(octal, sizeof octal, "%06o", sum);
  put(148, std::string(octal, 7));
  header[155] = ' ';
  return header + std::string((size + 511) / 512 * 512, 'x') + std::string(1024, '\0');
}

class LayerAuditorTest : public testing::Test {
 protected:
  static std::shared_ptr<const Ruleset> ruleset() {
    static const auto made = Ruleset::make({});
    return *made;
  }
};

// With 24 chunks for all, 24 layers that each wait for their next bytes held all of them, and a 25th could not begin.
TEST_F(LayerAuditorTest, FortyLayersAtATimeDoNotWaitForEachOther) {
  AuditMachine machine(2, Limits{});
  constexpr int layers = 40;
  constexpr std::size_t size = 2'500'000;
  const std::string tar = tar_of(size);
  std::vector<LayerAudit> audits(layers);
  std::vector<std::unique_ptr<LayerAuditor>> auditors;
  for (int i = 0; i < layers; ++i) {
    auditors.push_back(std::make_unique<LayerAuditor>(ruleset(), machine, BlobOffer{}, [&audits, i](LayerAudit audit) { audits[i] = std::move(audit); }));
  }
  for (std::size_t at = 0; at < tar.size(); at += 700'000) {
    for (auto& auditor : auditors) auditor->write(clamp(as_bytes(tar), at, 700'000));
  }
  for (auto& auditor : auditors) auditor->finish();
  for (const LayerAudit& audit : audits) {
    EXPECT_EQ(audit.diff_id, sha256(as_bytes(tar)));
    EXPECT_EQ(audit.entries.size(), 1u);
    EXPECT_TRUE(audit.incomplete.empty());
  }
}

// The image of docker.io once hung: one layer held a buffer for a large file and waited for a chunk; the other held all chunks in its queue and
// waited for a buffer.
TEST_F(LayerAuditorTest, ALayerThatWaitsForABufferLeavesChunksToTheOneThatHoldsIt) {
  Limits limits;
  limits.buffer_bytes = 8 << 20;
  limits.whole_file_bytes = 6 << 20;
  AuditMachine machine(2, limits);
  const std::string tar = tar_of(6 << 20), more = tar_of(40 << 20);
  LayerAudit first, second;
  LayerAuditor holder(ruleset(), machine, BlobOffer{}, [&](LayerAudit audit) { first = std::move(audit); });
  holder.write(as_bytes(tar).first(3 << 20));
  std::thread other([&] {
    LayerAuditor auditor(ruleset(), machine, BlobOffer{}, [&](LayerAudit audit) { second = std::move(audit); });
    for (int i = 0; i < 8; ++i) auditor.write(as_bytes(tar).first(tar.size() - 1024));
    auditor.write(as_bytes(more));
    auditor.finish();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  holder.write(as_bytes(tar).subspan(3 << 20));
  holder.finish();
  other.join();
  EXPECT_EQ(first.diff_id, sha256(as_bytes(tar)));
  EXPECT_EQ(second.entries.size(), 9u);
}

// One small file in each chunk, and else folders: the files wait for each other in a batch, and each keeps a chunk.
TEST_F(LayerAuditorTest, FewFilesAmongManyFoldersDoNotHoldAllChunks) {
  std::string folder = tar_of(0).substr(0, 512);
  folder[156] = '5';
  unsigned sum = 0;
  folder.replace(148, 8, "        ");
  for (const char c : folder) sum += static_cast<unsigned char>(c);
  char octal[12];
  std::snprintf(octal, sizeof octal, "%06o", sum);
  folder.replace(148, 7, std::string(octal, 7));
  std::string piece = tar_of(10).substr(0, 1024);
  while (piece.size() < AuditMachine::chunk_bytes) piece += folder;
  AuditMachine machine(2, Limits{});
  LayerAudit audit;
  LayerAuditor auditor(ruleset(), machine, BlobOffer{}, [&](LayerAudit done) { audit = std::move(done); });
  constexpr unsigned pieces = 60;
  for (unsigned i = 0; i < pieces; ++i) auditor.write(as_bytes(piece));
  auditor.write(as_bytes(std::string(1024, '\0')));
  auditor.finish();
  EXPECT_EQ(audit.entries.size(), pieces * (piece.size() / 512 - 1));
  EXPECT_TRUE(audit.incomplete.empty());
}

TEST_F(LayerAuditorTest, EachFileHasTheDigestOfItsContentHoweverLarge) {
  Limits limits;
  limits.whole_file_bytes = 1 << 20;
  limits.file_window_bytes = 256 << 10;
  std::string large(3'000'000, 'a');
  for (std::size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>('b' + i / 1000 % 20);
  const std::string tar = format::tar_member("small", "content") + format::tar_member("folder/", "", '5') + format::tar_member("large", large) +
                          format::pax_header(format::pax_record("SCHILY.xattr.security.capability", std::string("\1\0\0\2", 4))) +
                          format::tar_member("empty", "") + format::tar_end_marker;
  for (const std::size_t piece : {tar.size(), std::size_t{100'000}}) {
    AuditMachine machine(2, limits);
    LayerAudit audit;
    LayerAuditor auditor(ruleset(), machine, BlobOffer{}, [&](LayerAudit done) { audit = std::move(done); });
    for (std::size_t at = 0; at < tar.size(); at += piece) auditor.write(clamp(as_bytes(tar), at, piece));
    auditor.finish();
    ASSERT_EQ(audit.entries.size(), 4u);
    EXPECT_EQ(audit.entries.at(0).content, content_digest(sha256(as_bytes("content"))));
    EXPECT_EQ(audit.entries.at(1).content, ContentDigest{});
    EXPECT_EQ(audit.entries.at(2).content, content_digest(sha256(as_bytes(large))));
    EXPECT_EQ(audit.entries.at(3).content, ContentDigest{});
    EXPECT_EQ(audit.entries.at(3).capabilities, std::string("\1\0\0\2", 4));
    EXPECT_EQ(audit.entries.at(0).capabilities, "");
  }
}

TEST_F(LayerAuditorTest, ALayerThatEndsEarlySaysSo) {
  AuditMachine machine(1, Limits{});
  LayerAudit audit;
  {
    LayerAuditor auditor(ruleset(), machine, BlobOffer{}, [&](LayerAudit done) { audit = std::move(done); });
    auditor.write(as_bytes(tar_of(1000)).first(700));
  }
  EXPECT_TRUE(audit.ended_early);
  EXPECT_FALSE(audit.incomplete.empty());
}

TEST_F(LayerAuditorTest, TruncationAtEveryPlaceIsToldAndHarmless) {
  const std::string tar = tar_of(600);
  for (std::size_t size = 0; size < tar.size(); size += 37) {
    AuditMachine machine(1, Limits{});
    LayerAudit audit;
    LayerAuditor auditor(ruleset(), machine, BlobOffer{}, [&](LayerAudit done) { audit = std::move(done); });
    auditor.write(as_bytes(tar).first(size));
    auditor.finish();
    EXPECT_EQ(audit.decoded_size, size);
    EXPECT_EQ(audit.blob_digest, sha256(as_bytes(tar).first(size)));
  }
}

}  // namespace
}  // namespace lazaret::audit
