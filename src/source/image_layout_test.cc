#include "source/image_layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "source/oci_test_support.h"

namespace lazaret::source {
namespace {

class ImageLayoutTest : public ::testing::Test {
 protected:
  void add(const std::string& path, const std::string& content, bool document) {
    Member member;
    member.path = path;
    member.size = content.size();
    const auto index = members.add(std::move(member));
    ASSERT_TRUE(index);
    if (document) members.keep(*index, content);
  }
  // A layout folder of the blobs; those that look like JSON are kept as documents.
  void add_blobs() {
    for (const auto& [digest, bytes] : blobs.by_digest)
      add("blobs/sha256/" + digest.substr(7), bytes, bytes.starts_with('{'));
  }
  std::string blob_path(const std::string& bytes) {
    return "blobs/sha256/" + sha256(as_bytes(bytes)).hex();
  }
  Result<LayoutReading> read(const std::string& wanted = "") {
    Target target;
    target.transport = Transport::oci_archive;
    target.reference = wanted;
    return read_layout(members, target, "test", options);
  }

  OciBlobs blobs;
  SourceOptions options;
  ImageMembers members{options.limits};
};

TEST_F(ImageLayoutTest, NoImage) {
  EXPECT_EQ(read().error().code, ErrorCode::not_found);
  add("index.json", OciBlobs::index({}), true);
  EXPECT_EQ(read().error().code, ErrorCode::not_found);
}

TEST_F(ImageLayoutTest, AnOciLayout) {
  const std::string manifest = blobs.manifest("amd64", {"lower", "upper"});
  add("index.json",
      OciBlobs::index({blobs.descriptor(manifest_type, manifest, ref_name("latest"))}), true);
  add_blobs();
  const auto reading = read();
  ASSERT_TRUE(reading) << reading.error().message;
  EXPECT_EQ(reading->image.digest, sha256(as_bytes(manifest)));
  ASSERT_EQ(reading->image.manifests.size(), 1u);
  ASSERT_EQ(reading->image.manifests[0].layers.size(), 2u);
  const std::string key = reading->image.manifests[0].layers[0].key;
  EXPECT_EQ(key, blob_path("lower"));
  ASSERT_TRUE(reading->claims.contains(key));
  EXPECT_EQ(reading->claims.at(key).diff_id, sha256(as_bytes("lower")));
  EXPECT_TRUE(reading->excluded.empty());
  EXPECT_TRUE(reading->image.unaudited.empty());
}

TEST_F(ImageLayoutTest, OneOfSeveralImages) {
  const std::string one = blobs.manifest("amd64", {"shared", "one"}),
                    two = blobs.manifest("amd64", {"shared", "two"});
  add("index.json",
      OciBlobs::index(
          {blobs.descriptor(manifest_type, one, ref_name("1.0")),
           blobs.descriptor(manifest_type, two, ref_name("docker.io/library/app:2.0"))}),
      true);
  add_blobs();
  for (const std::string wanted :
       {"app:2.0", "docker.io/library/app:2.0", "index.docker.io/app:2.0"}) {
    const auto reading = read(wanted);
    ASSERT_TRUE(reading) << wanted;
    EXPECT_EQ(reading->image.digest, sha256(as_bytes(two)));
    EXPECT_EQ(reading->excluded, (std::unordered_set<std::string>{blob_path("one")}));
  }
  EXPECT_EQ(read("1.0")->image.digest, sha256(as_bytes(one)));
  EXPECT_EQ(read(sha256(as_bytes(one)).str())->image.digest, sha256(as_bytes(one)));
  EXPECT_EQ(read("@" + sha256(as_bytes(one)).str())->image.digest, sha256(as_bytes(one)));
  EXPECT_EQ(read()->image.manifests.size(), 2u);
  const auto none = read("3.0");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("1.0"), std::string::npos);
}

TEST_F(ImageLayoutTest, OnePlatform) {
  const std::string amd = blobs.manifest("amd64", {"a"}), arm = blobs.manifest("arm64", {"b"});
  add("index.json",
      OciBlobs::index({blobs.descriptor(
          index_type, OciBlobs::index({blobs.descriptor(manifest_type, amd, platform("amd64")),
                                       blobs.descriptor(manifest_type, arm, platform("arm64"))}))}),
      true);
  add_blobs();
  options.platform = "linux/arm64";
  const auto reading = read();
  ASSERT_TRUE(reading);
  ASSERT_EQ(reading->image.manifests.size(), 1u);
  EXPECT_EQ(reading->image.manifests[0].platform, "linux/arm64");
  EXPECT_TRUE(reading->excluded.contains(blob_path("a")));
  options.platform = "linux/s390x";
  EXPECT_EQ(read().error().code, ErrorCode::not_found);
}

class DockerArchiveTest : public ImageLayoutTest {
 protected:
  // An image of docker save's manifest.json.
  std::string image(const std::string& tag, const std::vector<std::string>& layers) {
    std::string names;
    for (const std::string& layer : layers) {
      names += (names.empty() ? "\"" : ",\"") + layer + "/layer.tar\"";
      if (!members.find(layer + "/layer.tar")) add(layer + "/layer.tar", layer, false);
    }
    const std::string config =
        R"({"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]},"tag":")" + tag + "\"}";
    const std::string name = sha256(as_bytes(config)).hex() + ".json";
    if (!members.find(name)) add(name, config, true);
    return fmt::format(R"({{"Config":"{}","RepoTags":["{}"],"Layers":[{}]}})", name, tag, names);
  }
};

TEST_F(DockerArchiveTest, ByTagAndNumber) {
  add("manifest.json",
      "[" + image("a:1", {"shared", "x"}) + "," + image("r.example/b:2", {"shared", "y"}) + "]",
      true);
  EXPECT_EQ(read()->image.manifests.size(), 2u);
  for (const char* wanted : {"a:1", "docker.io/library/a:1", "@0"}) {
    const auto reading = read(wanted);
    ASSERT_TRUE(reading) << wanted;
    ASSERT_EQ(reading->image.manifests.size(), 1u);
    EXPECT_EQ(reading->image.manifests[0].layers[1].key, "x/layer.tar");
    EXPECT_EQ(reading->excluded, (std::unordered_set<std::string>{"y/layer.tar"}));
  }
  EXPECT_EQ(read("r.example/b:2")->image.manifests[0].layers[1].key, "y/layer.tar");
  EXPECT_EQ(read("@2").error().code, ErrorCode::not_found);
  EXPECT_EQ(read("b:2").error().code, ErrorCode::not_found);
}

TEST_F(DockerArchiveTest, AConfigThatIsNotWhatItsNameSays) {
  add(std::string(64, '0') + ".json", "{}", true);
  add("manifest.json", R"([{"Config":")" + std::string(64, '0') + R"(.json","Layers":[]}])", true);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_TRUE(
      std::any_of(reading->image.diagnostics.begin(), reading->image.diagnostics.end(),
                  [](const Diagnostic& item) { return item.rule == "integrity.document-digest"; }));
}

TEST_F(DockerArchiveTest, AConfigThatIsMissing) {
  add("manifest.json", R"([{"Config":"absent.json","Layers":["l"]}])", true);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->image.unaudited.size(), 1u);
}

// docker load reads the one document, podman the other: both images are part of the target.
TEST_F(DockerArchiveTest, TwoFormsWithDifferentImages) {
  const std::string manifest = blobs.manifest("amd64", {"harmless"});
  add("index.json", OciBlobs::index({blobs.descriptor(manifest_type, manifest)}), true);
  add("manifest.json", "[" + image("a:1", {"harmful"}) + "]", true);
  add_blobs();
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->image.manifests.size(), 2u);
  EXPECT_TRUE(reading->excluded.empty());
}

TEST_F(DockerArchiveTest, TwoFormsOfOneImage) {
  const std::string manifest = blobs.manifest("amd64", {"layer"});
  std::string config;
  for (const auto& [digest, bytes] : blobs.by_digest) {
    if (bytes.starts_with("{\"os\"")) config = bytes;
  }
  add("index.json", OciBlobs::index({blobs.descriptor(manifest_type, manifest)}), true);
  add("manifest.json",
      fmt::format(R"([{{"Config":"{}","RepoTags":["a:1"],"Layers":["{}"]}}])", blob_path(config),
                  blob_path("layer")),
      true);
  add_blobs();
  EXPECT_EQ(read()->image.manifests.size(), 1u);
  // The tag stands in one of the two only.
  EXPECT_EQ(read("a:1")->image.manifests.size(), 1u);
}

TEST_F(ImageLayoutTest, DocumentsThatNobodyNames) {
  add("index.json",
      OciBlobs::index({blobs.descriptor(manifest_type, blobs.manifest("amd64", {"x"}))}), true);
  add_blobs();
  add("notes.json", R"({"x":1})", true);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_TRUE(std::any_of(reading->image.documents.begin(), reading->image.documents.end(),
                          [](const auto& item) { return item.first == "notes.json"; }));
}

TEST_F(ImageLayoutTest, ALayerThatIsADocument) {
  const std::string layer = R"({"#!/bin/sh":1})";
  const std::string manifest = blobs.manifest("amd64", {layer});
  add("index.json", OciBlobs::index({blobs.descriptor(manifest_type, manifest)}), true);
  add_blobs();
  const auto reading = read();
  ASSERT_TRUE(reading);
  const auto pending = document_blobs(members, *reading);
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].offer.key, blob_path(layer));
  EXPECT_EQ(pending[0].offer.digest, sha256(as_bytes(layer)));
}

}  // namespace
}  // namespace lazaret::source
