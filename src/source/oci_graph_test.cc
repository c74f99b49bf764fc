#include "source/oci_graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "source/oci_test_support.h"

namespace lazaret::source {
namespace {

class OciGraphTest : public ::testing::Test {
 protected:
  OciGraph& follow(const std::string& top, std::string_view type) {
    graph = std::make_unique<OciGraph>(
        [this](const format::Descriptor& descriptor, std::uint64_t limit) -> Result<std::string> {
          ++reads;
          const auto found = blobs.by_digest.find(descriptor.digest.str());
          if (found == blobs.by_digest.end()) return Error{ErrorCode::not_found, "missing"};
          if (found->second.size() > limit) return Error{ErrorCode::limit, "too large"};
          return found->second;
        },
        [](const Digest& digest) { return digest.str(); }, options);
    format::Descriptor descriptor;
    descriptor.media_type = type;
    descriptor.digest = sha256(as_bytes(top));
    descriptor.size = top.size();
    graph->follow(descriptor, top);
    return *graph;
  }
  bool has(const std::vector<Diagnostic>& list, std::string_view family) const {
    return std::any_of(list.begin(), list.end(),
                       [&](const Diagnostic& item) { return item.rule == family; });
  }

  OciBlobs blobs;
  SourceOptions options;
  int reads = 0;
  std::unique_ptr<OciGraph> graph;
};

TEST_F(OciGraphTest, AnIndexOfTwoPlatforms) {
  const std::string amd = blobs.manifest("amd64", {"one", "two"}),
                    arm = blobs.manifest("arm64", {"one", "three"});
  follow(OciBlobs::index({blobs.descriptor(manifest_type, amd, platform("amd64")),
                          blobs.descriptor(manifest_type, arm, platform("arm64"))}),
         index_type);
  ASSERT_EQ(graph->manifests.size(), 2u);
  const auto& first = graph->manifests[0].description;
  EXPECT_EQ(first.platform, "linux/amd64");
  EXPECT_EQ(first.digest, sha256(as_bytes(amd)));
  ASSERT_EQ(first.layers.size(), 2u);
  EXPECT_EQ(first.layers[1].key, sha256(as_bytes("two")).str());
  EXPECT_EQ(first.config.diff_ids.size(), 2u);
  EXPECT_TRUE(graph->unaudited.empty());
  EXPECT_TRUE(graph->diagnostics.empty());

  options.platform = "linux/arm64";
  std::vector<GraphManifest> left_out;
  ASSERT_TRUE(select_platform(graph->manifests, options, &left_out));
  ASSERT_EQ(graph->manifests.size(), 1u);
  EXPECT_EQ(graph->manifests[0].description.platform, "linux/arm64");
  EXPECT_EQ(left_out.size(), 1u);
  options.platform = "linux/s390x";
  const auto none = select_platform(graph->manifests, options);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("linux/arm64"), std::string::npos);
}

TEST_F(OciGraphTest, BytesThatAreNotWhatTheDigestSays) {
  const std::string manifest = blobs.manifest("amd64", {"one"});
  const std::string top = OciBlobs::index({blobs.descriptor(manifest_type, manifest)});
  blobs.by_digest[sha256(as_bytes(manifest)).str()] = blobs.manifest("amd64", {"other"}) + " ";
  follow(top, index_type);
  ASSERT_EQ(graph->manifests.size(), 1u);
  EXPECT_TRUE(has(graph->manifests[0].diagnostics, "anomaly.manifest-digest"));
  EXPECT_TRUE(has(graph->manifests[0].diagnostics, "anomaly.manifest-size"));
}

TEST_F(OciGraphTest, WhatIsMissingIsSaid) {
  const std::string amd = blobs.manifest("amd64", {"one"}), arm = blobs.manifest("arm64", {"two"});
  const std::string top =
      OciBlobs::index({blobs.descriptor(manifest_type, amd), blobs.descriptor(manifest_type, arm)});
  blobs.by_digest.erase(sha256(as_bytes(arm)).str());
  follow(top, index_type);
  EXPECT_EQ(graph->manifests.size(), 1u);
  EXPECT_TRUE(graph->unaudited.empty());
  EXPECT_TRUE(has(graph->diagnostics, "anomaly.platform-not-present"));
  // Nothing of it is there.
  blobs.by_digest.erase(sha256(as_bytes(amd)).str());
  follow(top, index_type);
  EXPECT_EQ(graph->unaudited.size(), 2u);
  // A config that cannot be had makes the manifest incomplete.
  blobs.by_digest.clear();
  const std::string manifest = blobs.manifest("amd64", {"one"});
  blobs.by_digest.clear();
  follow(manifest, manifest_type);
  ASSERT_EQ(graph->manifests.size(), 1u);
  EXPECT_EQ(graph->manifests[0].unaudited.size(), 1u);
}

TEST_F(OciGraphTest, AManifestThatIsAnIndexToo) {
  const std::string inner = blobs.manifest("amd64", {"inner"});
  std::string both = blobs.manifest("amd64", {"outer"});
  both.pop_back();
  both += ",\"manifests\":[" + blobs.descriptor(manifest_type, inner) + "]}";
  for (const std::string_view type : {manifest_type, index_type}) {
    follow(both, type);
    EXPECT_EQ(graph->manifests.size(), 2u);
    EXPECT_TRUE(has(graph->diagnostics, "anomaly.manifest-and-index"));
  }
}

TEST_F(OciGraphTest, LimitsOfDepthNumberAndSize) {
  std::string top = blobs.manifest("amd64", {"one"});
  std::string_view type = manifest_type;
  for (int i = 0; i < 8; ++i) {
    top = OciBlobs::index({blobs.descriptor(type, top)});
    type = index_type;
  }
  follow(top, index_type);
  EXPECT_TRUE(graph->manifests.empty());
  EXPECT_EQ(graph->unaudited.size(), 1u);

  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i)
    many.push_back(blobs.descriptor(manifest_type, blobs.manifest("amd64", {std::to_string(i)})));
  options.limits.manifests = 10;
  follow(OciBlobs::index(many), index_type);
  EXPECT_LE(graph->manifests.size(), 10u);
  EXPECT_FALSE(graph->unaudited.empty());

  options.limits.layers = 3;
  follow(blobs.manifest("amd64", {"1", "2", "3", "4"}), manifest_type);
  EXPECT_EQ(graph->manifests[0].blobs.size(), 3u);
  const auto& said = graph->manifests[0].diagnostics;
  EXPECT_TRUE(
      std::any_of(said.begin(), said.end(), [](const Diagnostic& item) { return item.unaudited; }));

  options.limits.manifest_bytes = 10;
  follow(OciBlobs::index({many[0]}), index_type);
  EXPECT_EQ(graph->unaudited.size(), 1u);
}

TEST_F(OciGraphTest, NamedTwiceIsReadOnce) {
  const std::string item = blobs.descriptor(manifest_type, blobs.manifest("amd64", {"one"}));
  follow(OciBlobs::index({item, item, item}), index_type);
  EXPECT_EQ(graph->manifests.size(), 1u);
  EXPECT_EQ(reads, 2);  // and the config
}

TEST_F(OciGraphTest, TheBlobsOfArtifacts) {
  const std::string artifact = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","artifactType":"application/x-thing","config":{},"layers":[{}]}})",
      manifest_type, blobs.descriptor("application/x-thing.config", "anything"),
      blobs.descriptor("text/plain", "text"));
  follow(artifact, manifest_type);
  ASSERT_EQ(graph->manifests.size(), 1u);
  EXPECT_FALSE(graph->manifests[0].description.is_image);
  EXPECT_EQ(graph->manifests[0].blobs.size(), 2u);
}

TEST_F(OciGraphTest, NonsenseIsAManifestWithNothing) {
  for (const char* text :
       {"", "null", "[]", "{", "{}", R"({"manifests":7})", R"({"layers":[7,null,{}]})"})
    follow(text, manifest_type);
}

TEST(PlatformMatches, TakesAnyVariant) {
  EXPECT_TRUE(platform_matches("linux/arm64", "linux/arm64/v8"));
  EXPECT_TRUE(platform_matches("linux/arm64/v8", "linux/arm64/v8"));
  EXPECT_FALSE(platform_matches("linux/arm64/v8", "linux/arm64"));
  EXPECT_FALSE(platform_matches("linux/arm", "linux/arm64"));
  EXPECT_FALSE(platform_matches("linux", "linux/arm64"));
}

}  // namespace
}  // namespace lazaret::source
