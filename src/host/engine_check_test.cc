#include "host/engine_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/check_test_support.h"

namespace lazaret::host {
namespace {

using detect::Severity;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(EngineCheck, CommandLines) {
  EXPECT_THAT(read_engine_command({"/usr/bin/dockerd", "-H", "fd://", "-H", "tcp://0.0.0.0:2375"}).addresses, ElementsAre("0.0.0.0:2375"));
  EXPECT_THAT(read_engine_command({"dockerd", "--host=tcp://:2375", "-Htcp://[::]:4243"}).addresses, SizeIs(2));
  EXPECT_TRUE(read_engine_command({"dockerd", "--tlsverify", "-H", "tcp://0.0.0.0:2376"}).verifies);
  EXPECT_FALSE(read_engine_command({"dockerd", "--tls", "-H", "tcp://0.0.0.0:2376"}).verifies);
  EXPECT_THAT(read_engine_command({"podman", "system", "service", "--time=0", "tcp:0.0.0.0:8080"}).addresses, ElementsAre("0.0.0.0:8080"));
  EXPECT_THAT(read_engine_command({"podman", "run", "-H", "tcp://x:1"}).addresses, IsEmpty());
  EXPECT_THAT(read_engine_command({"docker", "-H", "tcp://192.0.2.1:2375", "ps"}).addresses, IsEmpty()) << "a client";
  EXPECT_THAT(read_engine_command({}).addresses, IsEmpty());
  EXPECT_THAT(read_engine_command({"dockerd", "-H"}).addresses, IsEmpty());
}

TEST(EngineCheck, DaemonJson) {
  const PreparedHost host;
  host.folder.write("etc/docker/daemon.json", R"({"hosts":["unix:///var/run/docker.sock","tcp://0.0.0.0:2375"]})");
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::suspicious);
  EXPECT_EQ(severity_of(report, "container-escape.exposed-engine"), Severity::high);
  host.folder.write("etc/docker/daemon.json", R"({"hosts":["tcp://0.0.0.0:2376"],"tlsverify":true,"tlscacert":"/ca.pem"})");
  EXPECT_THAT(host.check().subjects, IsEmpty());
  host.folder.write("etc/docker/daemon.json", R"({"hosts":["tcp://127.0.0.1:2375"]})");
  EXPECT_EQ(host.check().verdict, audit::Verdict::clean);
  EXPECT_EQ(severity_of(host.check(), "container-escape.exposed-engine"), Severity::medium);
  for (const char* text : {"", "{", "[]", "{\"hosts\":7}", "{\"hosts\":[7,null]}"}) {
    host.folder.write("etc/docker/daemon.json", text);
    EXPECT_THAT(host.check().subjects, IsEmpty()) << text;
  }
}

TEST(EngineCheck, UnitsAndTheirDropIns) {
  const PreparedHost host;
  host.folder.write("lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n");
  EXPECT_THAT(host.check().subjects, IsEmpty());
  host.folder.write("etc/systemd/system/docker.service.d/tcp.conf", "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -H tcp://0.0.0.0:2375\n");
  EXPECT_THAT(rules_of(host.check(), SubjectKind::engine), ElementsAre("container-escape.exposed-engine"));
}

TEST(EngineCheck, WhatRuns) {
  PreparedHost host;
  host.table += " 0: 00000000:0947 00000000:0000 0A 0:0 0:0 0 0 0 21 1\n";
  host.add_process(10, "dockerd", "/usr/sbin/dockerd", {"dockerd"}, {"/dev/null", "/dev/null", "/dev/null", "socket:[21]"});
  EXPECT_THAT(rules_of(host.check(), SubjectKind::engine), ElementsAre("container-escape.exposed-engine"));
  const PreparedHost verified;
  verified.add_process(10, "dockerd", "/usr/sbin/dockerd", {"dockerd", "--tlsverify", "-H", "tcp://0.0.0.0:2376"});
  EXPECT_THAT(verified.check().subjects, IsEmpty());
}

}  // namespace
}  // namespace lazaret::host
