#include "host/container_settings.h"

#include <gtest/gtest.h>

namespace lazaret::host {
namespace {

TEST(ContainerSettings, Docker) {
  const auto settings = read_docker_settings(R"({"Path":"sh","Args":["-c","id"],"MountPoints":{
      "/host":{"Source":"/","Destination":"/host","RW":true,"Type":"bind"},
      "/data":{"Source":"/var/lib/docker/volumes/x/_data","Type":"volume","RW":true}}})",
                                             R"({"Privileged":true,"PidMode":"host","Binds":["/:/host","/etc:/e:ro,z","named:/n"]})");
  EXPECT_TRUE(settings.read);
  EXPECT_TRUE(settings.privileged);
  EXPECT_TRUE(settings.host_processes);
  EXPECT_EQ(settings.command, (std::vector<std::string>{"sh", "-c", "id"}));
  ASSERT_EQ(settings.mounts.size(), 2u);
  EXPECT_EQ(settings.mounts[0].source, "/");
  EXPECT_TRUE(settings.mounts[0].writable);
  EXPECT_EQ(settings.mounts[1].source, "/etc");
  EXPECT_FALSE(settings.mounts[1].writable);
}

constexpr std::string_view spec = R"({"process":{"args":["a","b"],"capabilities":{"bounding":["CAP_CHOWN"]}},
  "mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/h","type":"bind","source":"/etc","options":["rbind","ro"]},
            {"destination":"/w","type":"none","source":"/root","options":["rbind","rw"]}],
  "linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}})";

TEST(ContainerSettings, OciRuntime) {
  const auto settings = read_oci_settings(spec);
  EXPECT_TRUE(settings.read);
  EXPECT_FALSE(settings.privileged);
  EXPECT_FALSE(settings.host_processes);
  EXPECT_EQ(settings.command, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(settings.mounts.size(), 2u);
  EXPECT_FALSE(settings.mounts[0].writable);
  EXPECT_TRUE(settings.mounts[1].writable);
}

TEST(ContainerSettings, PodmansDocumentHasTheSpecInside) {
  const auto settings = read_oci_settings("{\"privileged\":true,\"spec\":" + std::string(spec) + "}");
  EXPECT_TRUE(settings.privileged);
  EXPECT_EQ(settings.command.size(), 2u);
}

TEST(ContainerSettings, WithoutAProcessNamespace) { EXPECT_TRUE(read_oci_settings(R"({"linux":{"namespaces":[{"type":"mount"}]}})").host_processes); }

TEST(ContainerSettings, AllCapabilitiesArePrivileged) {
  EXPECT_TRUE(read_oci_settings(R"({"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN","CAP_SYS_MODULE","CAP_SYS_RAWIO","CAP_SYS_PTRACE","CAP_SYS_BOOT"]}}})").privileged);
  EXPECT_FALSE(read_oci_settings(R"({"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN"]}}})").privileged);
}

TEST(ContainerSettings, DocumentsThatAreNone) {
  for (std::size_t size = 0; size < spec.size(); ++size) {
    EXPECT_FALSE(read_oci_settings(spec.substr(0, size)).read) << size;
    read_docker_settings(spec.substr(0, size), spec.substr(0, size));
  }
  for (const char* text : {"[]", "{}", "{\"process\":7,\"mounts\":{},\"linux\":[]}", "{\"spec\":[]}", "{\"Args\":{},\"MountPoints\":[1],\"Binds\":\"x\"}"}) {
    EXPECT_TRUE(read_oci_settings(text).command.empty()) << text;
    EXPECT_TRUE(read_docker_settings(text, text).mounts.empty()) << text;
  }
}

TEST(ContainerSettings, PlacesOfMounts) {
  EXPECT_EQ(place_of_mount("/"), HostPlace::root);
  EXPECT_EQ(place_of_mount("//../"), HostPlace::root);
  EXPECT_EQ(place_of_mount("/etc/"), HostPlace::control);
  EXPECT_EQ(place_of_mount("/root/.ssh"), HostPlace::control);
  EXPECT_EQ(place_of_mount("/var/run/docker.sock"), HostPlace::socket);
  EXPECT_EQ(place_of_mount("/home/alice/src"), HostPlace::other);
  EXPECT_EQ(place_of_mount("/etc/localtime"), HostPlace::other);
  EXPECT_EQ(place_of_mount("/srv"), HostPlace::other);
}

}  // namespace
}  // namespace lazaret::host
