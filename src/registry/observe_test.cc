// A gate that only observes, and what becomes of that when it enforces.
#include "registry/registry_test_support.h"

namespace lazaret::registry {
namespace {

using namespace test;

gate::Policy observing() {
  gate::Policy policy = World::quick();
  policy.enforce = false;
  return policy;
}

TEST(Observe, WhatAnEnforcingGateRefusesGoesOutWithAWarning) {
  World world(observing());
  const Image image = evil_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const net::Answer pulled = world.get("/v2/alice/x/manifests/t");
  EXPECT_EQ(pulled.status, 200);
  EXPECT_NE(pulled.headers.at("warning").find("malicious"), std::string::npos)
      << pulled.headers.at("warning");
  const auto verdict = world.gate().verdict(*Digest::parse(image.digest()));
  ASSERT_TRUE(verdict.ok() && verdict->has_value());
  EXPECT_EQ((*verdict)->verdict, "malicious");
}

TEST(Observe, EnforcingAgainCondemnsWhatWasGivenOut) {
  World world(observing());
  EXPECT_EQ(world.push("alice/x", "t", "alice", evil_image()).status, 201);
  EXPECT_EQ(world.push("alice/y", "t", "alice", clean_image()).status, 201);
  world.close();
  world.set_policy(World::quick());
  world.open();
  ASSERT_TRUE(world.gate().queue_outdated(16).ok());
  for (int i = 0; i < 500 && world.gate().queue_length() != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.get("/v2/alice/x/manifests/t").status, 404);
  EXPECT_EQ(world.get("/v2/alice/y/manifests/t").status, 200);
}

TEST(Observe, ATakedownHolds) {
  World world(observing());
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "test").ok());
  EXPECT_EQ(world.get("/v2/alice/x/manifests/t").status, 404);
  EXPECT_EQ(world.push_blob("bob/x", "bob", image.layers.front()).status, 403);
}

}  // namespace
}  // namespace lazaret::registry
