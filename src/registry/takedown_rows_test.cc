// Content of somebody who was taken down that comes back in other clothes; what ties a new account to an old one, and what must not.
#include <fmt/format.h>

#include "registry/registry_test_support.h"

namespace lazaret::registry {
namespace {

using namespace test;
using Files = std::vector<std::pair<std::string, std::string>>;

std::string at(const std::string& repository, const std::string& reference) { return "/v2/" + repository + "/manifests/" + reference; }

// A script that no rule finds anything in.
std::string tool(const std::string& name) { return "#!/bin/sh\n# the " + name + " of the miners, which no rule knows yet and a person found out about\necho " + name + "\n"; }

// All files in one layer, as a new build of them would be.
Image one_layer(const Files& files, const std::string& entrypoint = "/bin/true") {
  std::string tar;
  for (const auto& [path, content] : files) tar += format::TarBlock(path, '0', content.size()).octal(100, 8, 0755).str() + format::tar_padded(content);
  Image image({}, entrypoint);
  image.layers = {tar + format::tar_end_marker};
  image.config = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"" + entrypoint + "\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" +
                 digest_of(image.layers[0]) + "\"]}}";
  image.manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(image.config, config_type) + ",\"layers\":[" +
                   descriptor(image.layers[0], layer_type) + "]}";
  return image;
}

TEST(TakedownRows, R29_AProgramMovedIntoAnotherLayerIsKnownAgain) {
  World world;
  ASSERT_EQ(world.push("alice/x", "t", "alice", Image({{"etc/a", "a\n"}, {"usr/bin/run", tool("runner")}}, "/usr/bin/run")).status, 201);
  ASSERT_TRUE(world.gate().take_down("repository", "alice/x", "admin", "a person found out").ok());
  // Another name, another place, between other files, pushed by somebody else.
  const net::Answer answer = world.push("bob/y", "t", "bob", one_layer({{"etc/innocent", "innocent\n"}, {"opt/lib/helper", tool("runner")}, {"etc/more", "more\n"}}));
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("held for review"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("a person found out"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("/usr/bin/run"), std::string::npos) << answer.body;
  EXPECT_EQ(world.get(at("bob/y", "t")).status, 404);
  // What shares nothing with it passes.
  EXPECT_EQ(world.push("bob/z", "t", "bob", one_layer({{"opt/lib/helper", tool("other")}})).status, 201);
}

TEST(TakedownRows, R29_AFileThatConvictedItsImageCondemnsTheNext) {
  World world;
  const std::string script = shell_script + "# one of a kind, and long enough to be nobody else's\n";
  ASSERT_EQ(world.push("alice/x", "t", "alice", Image({{"etc/a", "a\n"}, {"run.sh", script}}, "/run.sh")).status, 403);
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "reverse shells").ok());
  // The verdict alone would say suspicious at most: nothing starts it here.
  const Image again = one_layer({{"usr/share/doc/x", "text\n"}, {"var/lib/x", script}});
  ASSERT_EQ(world.push("bob/y", "t", "bob", again).status, 403);
  std::optional<store::Manifest> stored;
  ASSERT_TRUE(world.metadata().read([&](store::Reader& reader) { stored = reader.manifest(*Digest::parse(again.digest())); }));
  EXPECT_EQ(stored->state, store::State::condemned);
}

TEST(TakedownRows, AFileThatOthersHaveTooTiesNothing) {
  World world;
  // Both have the same entrypoint script of a well-known project; alice has something of her own besides.
  ASSERT_EQ(world.push("carol/good", "t", "carol", one_layer({{"docker-entrypoint.sh", tool("popular script")}, {"etc/carol", "carol\n"}})).status, 201);
  ASSERT_EQ(world.push("alice/x", "t", "alice", Image({{"docker-entrypoint.sh", tool("popular script")}, {"usr/bin/own", tool("own")}})).status, 201);
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  EXPECT_EQ(world.get(at("carol/good", "t")).status, 200);
  EXPECT_EQ(world.push("bob/y", "t", "bob", one_layer({{"docker-entrypoint.sh", tool("popular script")}})).status, 201) << "the very layer that alice had";
  EXPECT_EQ(world.push("bob/z", "t", "bob", one_layer({{"bin/x", tool("own")}})).status, 403);
  // Files that say nothing are no tie either.
  EXPECT_EQ(world.push("bob/w", "t", "bob", one_layer({{"etc/a", "#!/bin/sh\ntrue\n"}})).status, 201);
}

TEST(TakedownRows, APackageDatabaseThatTheImageBringsAlongExcusesNothing) {
  World world;
  const std::string program = tool("packaged");
  const std::string md5 = hash(HashAlgorithm::md5, as_bytes(program)).hex();
  const std::string status = "Package: nice\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nMaintainer: m\nDescription: d\n\n";
  const Files files = {{"var/lib/dpkg/status", status},
                       {"var/lib/dpkg/info/nice.list", "/.\n/usr\n/usr/bin\n/usr/bin/nice-tool\n"},
                       {"var/lib/dpkg/info/nice.md5sums", md5 + "  usr/bin/nice-tool\n"},
                       {"usr/bin/nice-tool", program}};
  ASSERT_EQ(world.push("alice/x", "t", "alice", one_layer(files)).status, 201);
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  EXPECT_EQ(world.push("bob/y", "t", "bob", one_layer({{"bin/x", program}})).status, 403);
  // Yet a layer that is nothing but a package is not refused, only held until a person has looked once: others may stand on the same base.
  const Image same = one_layer(files, "/usr/bin/nice-tool");
  const net::Answer held = world.push("bob/z", "t", "bob", same);
  EXPECT_EQ(held.status, 403);
  EXPECT_NE(held.body.find("held for review"), std::string::npos) << held.body;
  ASSERT_TRUE(world.gate().decide(*Digest::parse(same.digest()), store::State::released, "admin", "a base").ok());
  EXPECT_EQ(world.push("carol/z", "t", "carol", one_layer({{"bin/y", program}})).status, 201);
}

TEST(TakedownRows, R47_TheSameActorUnderANewAccount) {
  World world;
  ASSERT_EQ(world.push("docker123321/tomcat", "t", "docker123321", Image({{"etc/a", "a\n"}, {"usr/bin/m1", tool("miner one")}, {"usr/bin/m2", tool("miner two")}})).status, 201);
  const auto act = world.gate().take_down("publisher", "docker123321", "admin", "miners");
  ASSERT_TRUE(act.ok());
  // The new account changes names, layers, entrypoint and one of the programs, and keeps the other.
  const Image next = one_layer({{"etc/b", "b\n"}, {"srv/a", tool("miner one") + "# changed\n"}, {"srv/b", tool("miner two")}}, "/srv/b");
  const net::Answer answer = world.push("docker456/mysql", "latest", "docker456", next);
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find(fmt::format("act {}", *act)), std::string::npos) << answer.body;
  for (const std::string user : {"", "bob"}) EXPECT_EQ(world.get(at("docker456/mysql", "latest"), user).status, 404);
  EXPECT_EQ(world.get("/v2/_catalog").body, R"({"repositories":[]})");
  std::optional<store::Manifest> stored;
  const auto state_of = [&](const Image& image) {
    EXPECT_TRUE(world.metadata().read([&](store::Reader& reader) { stored = reader.manifest(*Digest::parse(image.digest())); }));
    return stored->state;
  };
  EXPECT_EQ(state_of(next), store::State::held) << "held, not condemned: a person looks, and may find that it is somebody else";
  // A person's word holds, and makes the file innocent for the next image too.
  ASSERT_TRUE(world.gate().decide(*Digest::parse(next.digest()), store::State::released, "admin", "somebody else").ok());
  EXPECT_EQ(world.get(at("docker456/mysql", "latest")).status, 200);
  EXPECT_EQ(world.push("docker456/nginx", "t", "docker456", one_layer({{"etc/c", "c\n"}, {"srv/c", tool("miner two")}})).status, 201);
  EXPECT_EQ(world.push("docker789/x", "t", "docker789", one_layer({{"srv/c", tool("miner one")}})).status, 403) << "the other is as guilty as before";
}

TEST(TakedownRows, R46_WhatWasHeldForAnActIsJudgedAgainWhenItIsUndone) {
  World world;
  ASSERT_EQ(world.push("alice/x", "t", "alice", Image({{"usr/bin/m", tool("tool")}})).status, 201);
  const auto act = world.gate().take_down("publisher", "alice", "admin", "a mistake");
  ASSERT_TRUE(act.ok());
  const Image image = one_layer({{"opt/m", tool("tool")}});
  ASSERT_EQ(world.push("bob/y", "t", "bob", image).status, 403);
  ASSERT_TRUE(world.gate().undo_takedown(*act, "admin").ok());
  for (int i = 0; i < 500 && world.get(at("bob/y", "t")).status != 200; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.get(at("bob/y", "t")).status, 200);
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 200);
  EXPECT_EQ(world.push("carol/z", "t", "carol", one_layer({{"opt/n", tool("tool")}})).status, 201);
}

TEST(TakedownRows, AnActThatComesDuringAnAuditIsSeenByIt) {
  World world;
  ASSERT_EQ(world.push("alice/x", "t", "alice", Image({{"usr/bin/m", tool("tool")}})).status, 201);
  const Image image = one_layer({{"opt/m", tool("tool")}, {"etc/x", "x\n"}});
  net::Answer answer;
  std::thread pusher = world.push_and_hold("bob/y", "t", "bob", image, &answer);
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  world.release_audits();
  pusher.join();
  EXPECT_EQ(answer.status, 403) << answer.body;
}

}  // namespace
}  // namespace lazaret::registry
