#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector impersonated_repository_detector;

namespace {

using Ids = std::vector<std::string>;

Ids of(std::string reference, std::vector<std::pair<std::string, std::string>> labels = {}) {
  test::FakeImage image;
  image.name = std::move(reference);
  image.description.config.labels = std::move(labels);
  Ids ids;
  for (const ImageFinding& finding : test::inspect_image(impersonated_repository_detector, image)) ids.emplace_back(finding.rule->id);
  return ids;
}
const Ids publisher{"impersonation.publisher-name"}, name{"impersonation.repository-name"}, numbered{"impersonation.numbered-name"}, none{};

TEST(ImpersonatedRepository, Accounts) {
  for (const char* account : {"1ibrary", "libary", "librarry", "l1brary", "lib-rary", "bitnarni", "hashic0rp", "googel", "rnicrosoft"})
    EXPECT_EQ(of("docker.io/" + std::string(account) + "/nginx:latest"), publisher) << account;
  for (const char* account : {"library", "bitnami", "alice", "bob", "google", "librarian2000"}) EXPECT_EQ(of("docker.io/" + std::string(account) + "/nginx:latest"), none) << account;
}

TEST(ImpersonatedRepository, Images) {
  for (const char* image : {"ngimx", "ng1nx", "ubunttu", "postgers", "p0stgres", "redi5", "nginx-official", "official_nginx", "alpinne"}) EXPECT_EQ(of("docker.io/alice/" + std::string(image) + ":1"), name) << image;
  for (const char* image : {"tomcat11", "mysql2", "mysql0", "tomcat22"}) EXPECT_EQ(of("docker.io/alice/" + std::string(image)), numbered) << image;
  for (const char* image : {"nginx", "my-nginx", "nginx-proxy", "app", "sl2x", "gcr", "note", "nodes-exporter", "pythonista"}) EXPECT_EQ(of("docker.io/alice/" + std::string(image)), none) << image;
  EXPECT_EQ(of("docker.io/library/nginx@sha256:00"), none);
  EXPECT_EQ(of("registry.example:5000/alice/ngimx:1"), name);
  EXPECT_EQ(of(""), none);
  EXPECT_EQ(of("folder/ngimx"), none) << "no registry, so no name of a repository";
}

TEST(ImpersonatedRepository, Labels) {
  EXPECT_EQ(of("docker.io/alice/app", {{"org.opencontainers.image.vendor", "Docker Inc."}}), Ids{"impersonation.claimed-vendor"});
  EXPECT_EQ(of("docker.io/library/app", {{"org.opencontainers.image.vendor", "Docker Inc."}}), none);
  EXPECT_EQ(of("docker.io/alice/app", {{"org.opencontainers.image.vendor", "Alice"}, {"description", "for Docker Inc. machines"}}), none);
}

}  // namespace
}  // namespace lazaret::detect
