#include "format/oci.h"

#include <gtest/gtest.h>

#include <string>

namespace lazaret::format {
namespace {

const std::string a_digest = "sha256:" + std::string(64, 'a'), b_digest = "sha256:" + std::string(64, 'b');

std::string manifest_text(const std::string& more = "") {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
         a_digest + R"(","size":7},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")" + b_digest +
         R"(","size":9,"urls":["https://layers.example/x"],"data":"aGVsbG8="}])" + more + "}";
}

TEST(Oci, ManifestWithItsDescriptors) {
  const auto manifest = parse_manifest(manifest_text(R"(,"subject":{"digest":")" + a_digest + R"(","size":1},"annotations":{"k":"v"})"), Limits{});
  EXPECT_EQ(manifest.config.digest.str(), a_digest);
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].digest.str(), b_digest);
  EXPECT_EQ(manifest.layers[0].size, 9u);
  EXPECT_EQ(manifest.layers[0].urls, std::vector<std::string>{"https://layers.example/x"});
  EXPECT_EQ(manifest.layers[0].data, "hello");
  EXPECT_EQ(manifest.subject.str(), a_digest);
  ASSERT_EQ(manifest.annotations.size(), 1u);
  EXPECT_EQ(manifest.annotations[0].second, "v");
}

TEST(Oci, DigestsThatAreNoneAreTold) {
  for (const char* bad : {"sha256:AAAA", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:../../etc/passwd", ""}) {
    const auto manifest = parse_manifest(std::string(R"({"config":{"digest":")") + bad + R"(","size":1},"layers":[]})", Limits{});
    EXPECT_TRUE(manifest.config.digest.empty()) << bad;
    EXPECT_FALSE(manifest.diagnostics.empty()) << bad;
  }
}

// CVE-2021-41190: one document that is an index to one reader and a manifest to another.
TEST(Oci, ADocumentOfTwoKindsShowsBoth) {
  const auto both = document_shape(manifest_text(R"(,"manifests":[])"), Limits{});
  EXPECT_TRUE(both.valid && both.has_manifests && both.has_layers);
  const auto one = document_shape(manifest_text(), Limits{});
  EXPECT_TRUE(one.valid && one.has_layers && !one.has_manifests);
  EXPECT_TRUE(document_shape(R"({"schemaVersion":1,"fsLayers":[]})", Limits{}).is_schema1);
  EXPECT_FALSE(document_shape("[]", Limits{}).valid);
}

TEST(Oci, IndexWithPlatforms) {
  const auto index = parse_index(R"({"manifests":[{"digest":")" + a_digest + R"(","size":3,"platform":{"os":"linux","architecture":"arm","variant":"v7"}}]})", Limits{});
  ASSERT_EQ(index.manifests.size(), 1u);
  EXPECT_EQ(index.manifests[0].platform, "linux/arm/v7");
}

TEST(Oci, ConfigWithEverythingThatRuns) {
  const auto document = parse_config(R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":["/e"],"Cmd":["c"],"Env":["A=b"],"Labels":{"l":"m"},
      "Healthcheck":{"Test":["CMD-SHELL","curl x"]},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"User":"root"},
      "rootfs":{"type":"layers","diff_ids":[")" + a_digest + R"("]},"history":[{"created_by":"RUN y","empty_layer":true}],"extra":{"deep":["seen"]}})", Limits{});
  const ImageConfig& config = document.config;
  EXPECT_EQ(config.entrypoint, std::vector<std::string>{"/e"});
  EXPECT_EQ(config.cmd, std::vector<std::string>{"c"});
  EXPECT_EQ(config.healthcheck, (std::vector<std::string>{"CMD-SHELL", "curl x"}));
  EXPECT_EQ(config.onbuild, std::vector<std::string>{"RUN x"});
  EXPECT_EQ(config.shell, (std::vector<std::string>{"/bin/bash", "-c"}));
  EXPECT_EQ(config.diff_ids.size(), 1u);
  ASSERT_EQ(config.history.size(), 1u);
  EXPECT_TRUE(config.history[0].empty_layer);
  EXPECT_EQ(platform_of(config), "linux/amd64");
  bool seen = false;
  for (const auto& [path, value] : config.other_strings) seen |= value == "seen";
  EXPECT_TRUE(seen) << "every string of a config is read";
}

TEST(Oci, DockerArchive) {
  const auto document = parse_docker_archive_manifest(R"([{"Config":"c.json","RepoTags":["a:1"],"Layers":["x/layer.tar","y/layer.tar"]}])", Limits{});
  ASSERT_EQ(document.images.size(), 1u);
  EXPECT_EQ(document.images[0].config, "c.json");
  EXPECT_EQ(document.images[0].layers.size(), 2u);
}

TEST(Oci, WrongTypesEverywhereAreHarmless) {
  for (const char* text : {"null", "3", R"({"config":3,"layers":{"a":1}})", R"({"layers":[3,null,{"digest":4,"size":-1}]})", R"({"manifests":[[]]})",
                           R"({"config":{"Env":"x","Labels":[1],"Entrypoint":{"a":2},"Healthcheck":[]},"history":{"x":1},"rootfs":[]})",
                           R"([{"Config":1,"Layers":"x","RepoTags":[1]}])"}) {
    (void)parse_manifest(text, Limits{});
    (void)parse_index(text, Limits{});
    (void)parse_config(text, Limits{});
    (void)parse_docker_archive_manifest(text, Limits{});
  }
  const std::string whole = manifest_text();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse_manifest(whole.substr(0, size), Limits{}).diagnostics.empty()) << size;
}

}  // namespace
}  // namespace lazaret::format
