#include "format/kubernetes_pods.h"

#include <gtest/gtest.h>

namespace lazaret::format {
namespace {

const std::string a(64, 'a'), b(64, 'b');

std::string pod_list() {
  return R"({"apiVersion":"v1","kind":"List","items":[
    {"metadata":{"name":"web-1","namespace":"shop"},"spec":{"nodeName":"n1","containers":[{"name":"web","image":"registry.example/alice/tomcat:latest"},{"name":"side","image":"registry.example/x@sha256:)" +
         b + R"("}],"initContainers":[{"name":"prepare","image":"busybox"}]},
     "status":{"containerStatuses":[{"name":"web","image":"registry.example/alice/tomcat:latest","imageID":"docker-pullable://registry.example/alice/tomcat@sha256:)" +
         a + R"(","state":{"running":{"startedAt":"2018-05-10T08:00:00Z"}}}],
       "initContainerStatuses":[{"name":"prepare","image":"busybox:latest","imageID":"docker://sha256:)" +
         b + R"(","state":{"terminated":{"exitCode":0}}}],"ephemeralContainerStatuses":[{"name":"debug","image":"sh","imageID":"sha256:)" + a + R"(","state":{"running":{}}}]}}]})";
}

TEST(KubernetesPods, SaysWhatRunsAndWhatIsAskedFor) {
  const PodContainers pods = read_pods(pod_list());
  ASSERT_TRUE(pods.valid);
  ASSERT_EQ(pods.containers.size(), 4u);
  const PodContainer& web = pods.containers[0];
  EXPECT_EQ(std::tuple(web.name_space, web.pod, web.node, web.container, web.kind), std::tuple("shop", "web-1", "n1", "web", "container"));
  EXPECT_EQ(web.image, "registry.example/alice/tomcat:latest");
  EXPECT_TRUE(web.asked.empty());
  EXPECT_EQ(web.runs.hex(), a);
  EXPECT_TRUE(web.running);
  EXPECT_EQ(pods.containers[1].asked.hex(), b) << "not started yet, but pinned";
  EXPECT_TRUE(pods.containers[1].runs.empty());
  EXPECT_EQ(pods.containers[2].kind, "init");
  EXPECT_EQ(pods.containers[2].runs.hex(), b);
  EXPECT_FALSE(pods.containers[2].running);
  EXPECT_EQ(pods.containers[3].kind, "ephemeral");
  EXPECT_EQ(pods.containers[3].runs.hex(), a);
}

TEST(KubernetesPods, OnePodIsAListOfOne) {
  const PodContainers pods = read_pods(R"({"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})");
  ASSERT_TRUE(pods.valid);
  ASSERT_EQ(pods.containers.size(), 1u);
  EXPECT_EQ(pods.containers[0].pod, "p");
}

TEST(KubernetesPods, WhatIsNoPodListIsSaidToBeNone) {
  for (const std::string text : {"", "[]", "{}", "null", "no json", R"({"items":3})"}) EXPECT_FALSE(read_pods(text).valid) << text;
  EXPECT_TRUE(read_pods(R"({"items":[]})").valid);
}

TEST(KubernetesPods, EveryPrefixIsRead) {
  const std::string whole = pod_list();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read_pods(std::string_view(whole).substr(0, size)).valid) << size;
}

TEST(KubernetesPods, NoDigestIsReadOutOfAName) {
  const PodContainers pods = read_pods(R"({"items":[{"spec":{"containers":[{"name":"c","image":"xsha256:)" + a + R"("},{"name":"d","image":"x@sha256:12"}]}}]})");
  ASSERT_EQ(pods.containers.size(), 2u);
  EXPECT_TRUE(pods.containers[0].asked.empty());
  EXPECT_TRUE(pods.containers[1].asked.empty());
}

}  // namespace
}  // namespace lazaret::format
