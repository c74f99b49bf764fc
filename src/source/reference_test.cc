#include "source/reference.h"

#include <gtest/gtest.h>

namespace lazaret::source {
namespace {

std::string full(std::string_view text) {
  const auto name = parse_image_name(text);
  return name ? name->str() : "";
}
const std::string hex(64, 'a');

TEST(ImageName, ShortNamesAreDockerHubs) {
  EXPECT_EQ(full("nginx"), "docker.io/library/nginx:latest");
  EXPECT_EQ(full("nginx:1.25"), "docker.io/library/nginx:1.25");
  EXPECT_EQ(full("docker123321/tomcat"), "docker.io/docker123321/tomcat:latest");
  EXPECT_EQ(full("a/b/c"), "docker.io/a/b/c:latest");
  EXPECT_EQ(full("library/nginx"), "docker.io/library/nginx:latest");
  for (const char* host : {"docker.io", "index.docker.io", "registry-1.docker.io"}) {
    EXPECT_EQ(full(std::string(host) + "/nginx"), "docker.io/library/nginx:latest") << host;
    EXPECT_EQ(full(std::string(host) + "/a/b:1"), "docker.io/a/b:1") << host;
  }
}

TEST(ImageName, HostsAndPorts) {
  EXPECT_EQ(full("localhost/x"), "localhost/x:latest");
  EXPECT_EQ(full("localhost:5000/x:2"), "localhost:5000/x:2");
  EXPECT_EQ(full("r.example/x"), "r.example/x:latest");
  EXPECT_EQ(full("r:5000/x"), "r:5000/x:latest");
  EXPECT_EQ(full("192.0.2.7:5000/a/b"), "192.0.2.7:5000/a/b:latest");
  EXPECT_EQ(full("[2001:db8::1]:5000/x:2"), "[2001:db8::1]:5000/x:2");
  EXPECT_EQ(full("[::1]/x"), "[::1]/x:latest");
}

TEST(ImageName, Digests) {
  EXPECT_EQ(full("nginx@sha256:" + hex), "docker.io/library/nginx@sha256:" + hex);
  EXPECT_EQ(full("r.example:5000/x:1@sha256:" + hex), "r.example:5000/x:1@sha256:" + hex);
  EXPECT_EQ(full("nginx@sha256:" + hex.substr(1)), "");
  EXPECT_EQ(full("nginx@" + hex), "");
  EXPECT_EQ(full("nginx@sha256:" + hex + "@sha256:" + hex), "");
}

TEST(ImageName, WhatIsNone) {
  for (const char* text : {"",
                           ":1",
                           "@",
                           "/x",
                           "x/",
                           "a//b",
                           "Nginx",
                           "r.example/Nginx",
                           "a b",
                           "nginx:",
                           "nginx:-x",
                           "nginx:a b",
                           "..",
                           "../x",
                           "r.example/../x",
                           "r.example/x/..",
                           "a..b",
                           "a___b",
                           "-a",
                           "a-",
                           "r.example:x/y",
                           "r.example:/y",
                           "r.example:123456/y",
                           "user@r.example/x",
                           "r.example/x?y",
                           "r.example/x#y",
                           "r.example/x%2fy",
                           ".example/x",
                           "r..example/x",
                           "[::1/x",
                           "[]/x",
                           "[::1]x/y",
                           "a\nb",
                           "r_x.example/y"})
    EXPECT_EQ(full(text), "") << text;
  EXPECT_EQ(full("nginx:" + std::string(129, 'a')), "");
  EXPECT_EQ(full(std::string(256, 'a')), "");
  EXPECT_EQ(full("a__b/c-d--e.f"), "docker.io/a__b/c-d--e.f:latest");
}

}  // namespace
}  // namespace lazaret::source
