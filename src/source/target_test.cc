// What a target on the command line means.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "source/source.h"
#include "source/tar_writer.h"

namespace lazaret::source {
namespace {

namespace fs = std::filesystem;

std::string parsed(std::string_view text) {
  const auto target = parse_target(text);
  if (!target) return "error";
  return std::string(name_of(target->transport)) + "|" + target->path + "|" + target->reference;
}

TEST(Target, Transports) {
  EXPECT_EQ(parsed("docker-archive:/a/b.tar"), "docker-archive|/a/b.tar|");
  EXPECT_EQ(parsed("docker-archive:b.tar:nginx:1"), "docker-archive|b.tar|nginx:1");
  EXPECT_EQ(parsed("docker-archive:b.tar:@1"), "docker-archive|b.tar|@1");
  EXPECT_EQ(parsed("oci:/a/b"), "oci|/a/b|");
  EXPECT_EQ(parsed("oci:/a/b:latest"), "oci|/a/b|latest");
  EXPECT_EQ(parsed("oci-archive:-"), "oci-archive|-|");
  EXPECT_EQ(parsed("docker://nginx"), "docker||nginx");
  EXPECT_EQ(parsed("docker://r.example:5000/a/b:1"), "docker||r.example:5000/a/b:1");
  EXPECT_EQ(parsed("docker-daemon:nginx:latest"), "docker-daemon||nginx:latest");
  EXPECT_EQ(parsed("docker-daemon:sha256:" + std::string(64, 'a')),
            "docker-daemon||sha256:" + std::string(64, 'a'));
  EXPECT_EQ(parsed("containers-storage:nginx"), "containers-storage||nginx");
  EXPECT_EQ(parsed("containerd:k8s.io/nginx"), "containerd||k8s.io/nginx");
  EXPECT_EQ(parsed("rootfs:/a:b"), "rootfs|/a:b|");
}

TEST(Target, BareReferences) {
  EXPECT_EQ(parsed("nginx"), "docker||nginx");
  EXPECT_EQ(parsed("nginx:1.25"), "docker||nginx:1.25");
  // Images that are called like a transport.
  EXPECT_EQ(parsed("docker:latest"), "docker||docker:latest");
  EXPECT_EQ(parsed("localhost:5000/x"), "docker||localhost:5000/x");
  EXPECT_EQ(parsed("[::1]:5000/x:2"), "docker||[::1]:5000/x:2");
  EXPECT_EQ(parsed("registry:2"), "docker||registry:2");
}

TEST(Target, Mistakes) {
  for (const char* text :
       {"", "docker://", "docker://Nginx", "docker://a b", "docker-daemon:", "docker-daemon:../x",
        "oci:", "oci:dir:", "docker-archive::ref", "rootfs:", "containerd:", "dir:/a", "sif:./x",
        "./nowhere-to-be-found", "/nowhere/to/be/found", "a//b", "https://r.example/x"})
    EXPECT_EQ(parsed(text), "error") << text;
  EXPECT_EQ(parse_target("/nowhere/to/be/found").error().code, ErrorCode::not_found);
  EXPECT_EQ(parse_target("dir:/a").error().code, ErrorCode::unsupported);
}

TEST(Target, BarePathsAreLookedAt) {
  const fs::path root =
      fs::path(::testing::TempDir()) / ("lazaret-target-" + std::to_string(getpid()));
  fs::create_directories(root / "layout");
  fs::create_directories(root / "folder");
  std::ofstream(root / "layout/oci-layout") << "{}";
  TarMember member;
  member.path = "manifest.json";
  member.size = 2;
  const std::string tar = tar_header(member) + "[]" + tar_padding(2) + tar_end();
  std::ofstream(root / "image.tar") << tar;
  const gzFile gzip = gzopen((root / "image.tgz").c_str(), "wb");
  gzwrite(gzip, tar.data(), static_cast<unsigned>(tar.size()));
  gzclose(gzip);
  std::ofstream(root / "text") << "hello";
  std::ofstream(root / "empty") << "";

  EXPECT_EQ(parsed((root / "layout").string()), "oci|" + (root / "layout").string() + "|");
  EXPECT_EQ(parsed((root / "folder").string()), "rootfs|" + (root / "folder").string() + "|");
  for (const char* name : {"image.tar", "image.tgz"}) {
    const auto target = parse_target((root / name).string());
    ASSERT_TRUE(target) << name;
    EXPECT_EQ(target->transport, Transport::docker_archive);
    EXPECT_TRUE(target->any_archive);
  }
  EXPECT_EQ(parsed((root / "text").string()), "error");
  EXPECT_EQ(parsed((root / "empty").string()), "error");
  fs::remove_all(root);
}

}  // namespace
}  // namespace lazaret::source
