// What leaves: downloads that are cut, what is written down of them, takedowns beside everything else.
#include <fmt/format.h>

#include "registry/registry_test_support.h"

namespace lazaret::registry {
namespace {

using namespace test;

std::string at(const std::string& repository, const std::string& reference) { return "/v2/" + repository + "/manifests/" + reference; }
std::string blob_at(const std::string& repository, const std::string& digest) { return "/v2/" + repository + "/blobs/" + digest; }

Image large_image() {
  std::string content;
  for (std::size_t i = 0; content.size() < 48u << 20; ++i) content += std::to_string(i * 2654435761u) + "\n";
  return Image({{"data", content}});
}

TEST(Transfers, R42_ADownloadThatIsUnderWayIsCut) {
  World world;
  const Image image = large_image();
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const std::string target = blob_at("alice/x", digest_of(image.layers[0]));
  net::RawClient client(world.port());
  client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nX-User: bob\r\nUser-Agent: test/1\r\n\r\n");
  ASSERT_TRUE(client.fill());
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  EXPECT_FALSE(client.read().complete);
  EXPECT_EQ(world.get(target).status, 404);
  // Exposed, and with what went out: an entry of the beginning, and one that says how it ended.
  for (int i = 0; i < 500; ++i) {
    world.ledger().flush();
    if (world.ledger_store().find({.digest = *Digest::parse(digest_of(image.layers[0])), .repository = "", .identity = "bob", .from = 0, .until = 0, .after = 0, .limit = 10})->size() == 2) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto pulls = world.ledger_store().find({.digest = *Digest::parse(digest_of(image.layers[0])), .repository = "", .identity = "bob", .from = 0, .until = 0, .after = 0, .limit = 10});
  ASSERT_EQ(pulls->size(), 2u);
  EXPECT_EQ((*pulls)[0].bytes, image.layers[0].size());
  EXPECT_EQ((*pulls)[0].agent, "test/1");
  EXPECT_EQ((*pulls)[0].address, "127.0.0.1");
  EXPECT_FALSE((*pulls)[1].complete);
  EXPECT_LT((*pulls)[1].bytes, image.layers[0].size());
  EXPECT_EQ((*pulls)[1].bytes + (*pulls)[1].missing, image.layers[0].size());
}

TEST(Transfers, ADeletedBlobIsCutToo) {
  World world;
  const Image image = large_image();
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  net::RawClient client(world.port());
  client.send("GET " + blob_at("alice/x", digest_of(image.layers[0])) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(client.fill());
  EXPECT_EQ(world.request("DELETE", blob_at("alice/x", digest_of(image.layers[0])), "alice").status, 202);
  EXPECT_FALSE(client.read().complete);
}

TEST(Transfers, R43_EveryPullIsWrittenDown) {
  World world;
  const Image image = clean_image();
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const std::string layer = digest_of(image.layers[0]);
  const auto pulls = [&] {
    world.ledger().flush();
    return *world.ledger_store().find({});
  };
  EXPECT_EQ(pulls().size(), 0u) << "a push is no pull";
  world.head(at("alice/x", "t"), "bob");
  world.head(blob_at("alice/x", layer), "bob");
  EXPECT_EQ(pulls().size(), 0u) << "a HEAD gives nothing away";
  for (int i = 0; i < 2; ++i) world.get(at("alice/x", "t"), "bob", "User-Agent: harbor-registry-client\r\n");  // from the database, then from memory
  world.get(at("alice/x", image.digest()), "bob", "If-None-Match: \"" + image.digest() + "\"\r\n");
  world.get(blob_at("alice/x", layer), "bob");
  world.get(blob_at("alice/x", layer), "bob", "Range: bytes=1-3\r\n");
  world.get(blob_at("alice/x", layer), "", "If-None-Match: \"" + layer + "\"\r\n");
  world.get(at("alice/x", "none"), "bob");
  const auto all = pulls();
  ASSERT_EQ(all.size(), 6u);
  const std::vector<std::tuple<int, bool, std::uint64_t, std::string, std::string>> expected = {
      {200, true, image.manifest.size(), "t", "bob"}, {200, true, image.manifest.size(), "t", "bob"}, {304, true, 0, "", "bob"},
      {200, false, image.layers[0].size(), "", "bob"}, {206, false, 3, "", "bob"},                     {304, false, 0, "", ""}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(std::tuple(all[i].status, all[i].manifest, all[i].bytes, all[i].tag, all[i].identity), expected[i]) << i;
    EXPECT_EQ(all[i].repository, "alice/x");
    EXPECT_TRUE(all[i].complete);
    EXPECT_EQ(all[i].ruleset, all[i].manifest ? world.gate().rules() : "");
    EXPECT_EQ(all[i].verdict, all[i].manifest ? "clean" : "");
    EXPECT_EQ(all[i].state, "released");
  }
}

TEST(Transfers, WhatAPublisherReadsBackIsNotWrittenDownAsReleased) {
  World world;
  const Image image = clean_image();
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_TRUE(world.gate().decide(*Digest::parse(image.digest()), store::State::held, "admin", "a look").ok());
  ASSERT_EQ(world.get(at("alice/x", image.digest()), "alice").status, 200);
  ASSERT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0])), "alice").status, 200);
  world.ledger().flush();
  const auto pulls = *world.ledger_store().find({});
  ASSERT_EQ(pulls.size(), 2u);
  EXPECT_EQ(pulls[0].state, "held");
  EXPECT_EQ(pulls[1].state, "");
}

TEST(Transfers, R45_ATakedownBesideEverything) {
  World world;
  const Image image = clean_image("seventeen"), other = clean_image("innocent");
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_EQ(world.push("bob/y", "t", "bob", other).status, 201);
  std::atomic<bool> done{false}, stop{false};
  std::atomic<int> after{0}, before{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        // Asked after the act returned: nothing may come.
        const bool late = done;
        const net::Answer answer = i % 2 == 0 ? world.get(at("alice/x", "t")) : world.get(blob_at("alice/x", digest_of(image.layers[0])));
        if (answer.status == 200) ++(late ? after : before);
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      // Refused from the act on.
      const Image more = clean_image("more" + std::to_string(i));
      for (const std::string& blob : {more.layers[0], more.config}) world.push_blob("alice/x", "alice", blob);
      const bool late = done;
      EXPECT_FALSE(world.put_manifest("alice/x", "t", "alice", more.manifest).status == 201 && late);
    }
  });
  threads.emplace_back([&] {
    while (!stop) world.request("POST", "/v2/bob/z/blobs/uploads/?mount=" + digest_of(image.layers[0]) + "&from=alice/x", "bob");
  });
  threads.emplace_back([&] {
    while (!stop) EXPECT_TRUE(gate::collect(world.gate()).ok());
  });
  while (before < 50) std::this_thread::yield();
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  done = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(after, 0);
  EXPECT_EQ(world.get(at("bob/y", "t")).status, 200);
  EXPECT_EQ(world.get("/v2/_catalog").body, R"({"repositories":["bob/y"]})");
  EXPECT_EQ(world.get("/v2/_catalog", "alice").body.find("alice/x"), std::string::npos);
}

TEST(Transfers, R46_AWrongTakedownIsUndoneExactly) {
  World world;
  const Image a = clean_image("a"), b = clean_image("b"), held = clean_image("held"), bad = evil_image();
  ASSERT_EQ(world.push("alice/x", "a", "alice", a).status, 201);
  ASSERT_EQ(world.push("alice/x", "b", "alice", b).status, 201);
  ASSERT_EQ(world.push("alice/y", "held", "alice", held).status, 201);
  ASSERT_EQ(world.push("alice/y", "bad", "alice", bad).status, 403);
  ASSERT_TRUE(world.gate().decide(*Digest::parse(held.digest()), store::State::held, "admin", "a look").ok());
  const auto act = world.gate().take_down("publisher", "alice", "admin", "a mistake");
  ASSERT_TRUE(act.ok());
  EXPECT_EQ(world.get(at("alice/x", "a")).status, 404);
  EXPECT_EQ(world.push_blob("bob/y", "bob", a.layers[0]).status, 403);
  world.advance(std::chrono::hours(100));
  ASSERT_TRUE(gate::collect(world.gate()).ok()) << "what is hidden is kept";
  ASSERT_TRUE(world.gate().undo_takedown(*act, "admin").ok());
  EXPECT_EQ(world.get(at("alice/x", "a")).body, a.manifest);
  EXPECT_EQ(world.get(at("alice/x", "b")).body, b.manifest);
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(a.layers[0]))).body, a.layers[0]);
  EXPECT_EQ(world.get("/v2/alice/x/tags/list").body, R"({"name":"alice/x","tags":["a", "b"]})");
  EXPECT_EQ(world.get(at("alice/y", "held")).status, 404) << "held before, held again";
  EXPECT_EQ(world.get(at("alice/y", held.digest()), "alice").status, 200);
  EXPECT_EQ(world.get(at("alice/y", "bad"), "alice").status, 403);
  EXPECT_EQ(world.push("alice/x", "c", "alice", clean_image("c")).status, 201);
  EXPECT_FALSE(world.gate().undo_takedown(*act, "admin").ok()) << "once";
  std::vector<std::string> kinds;
  ASSERT_TRUE(world.metadata().read([&](store::Reader& reader) {
    for (const store::Event& event : reader.events(0, 1000)) kinds.push_back(event.kind);
  }));
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "takedown"), 1);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "takedown-undone"), 1);
}

TEST(Transfers, AHeldImageThatAPersonReleasesIsServed) {
  gate::Policy policy = World::quick();
  const auto doubtful = audit::Policy::parse("[verdict]\n\"suspicious-from\" = 1\n\"malicious-from\" = 100\n[category-limit]\n\"reverse-shell\" = 50\n\"persistence\" = 50\n\"dropper\" = 50\n\"obfuscation\" = 50\n", "doubtful");
  ASSERT_TRUE(doubtful.ok()) << doubtful.error().message;
  World world(policy, *doubtful);
  const Image image = evil_image();
  const net::Answer pushed = world.push("alice/x", "t", "alice", image);
  ASSERT_EQ(pushed.status, 403);
  EXPECT_NE(pushed.body.find("held for review"), std::string::npos) << pushed.body;
  ASSERT_TRUE(world.gate().decide(*Digest::parse(image.digest()), store::State::released, "admin", "a test of a scanner").ok());
  const net::Answer answer = world.get(at("alice/x", "t"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.headers.at("warning").find("suspicious"), std::string::npos);
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[1]))).status, 200);

  policy.suspicious = gate::OnDoubt::release;
  World lenient(policy, *doubtful);
  const net::Answer accepted = lenient.push("alice/x", "t", "alice", image);
  EXPECT_EQ(accepted.status, 201) << accepted.body;
  EXPECT_NE(accepted.headers.at("warning").find("suspicious"), std::string::npos);
}

TEST(Transfers, LargeLayersAreAuditedWhileTheyAreUploaded) {
  World world;
  const Image image = large_image();
  const std::string location = world.start_upload("alice/x", "alice");
  // In pieces, with pauses in between, so that the audit catches up and waits.
  const std::size_t piece = image.layers[0].size() / 5 + 1;
  for (std::size_t begin = 0; begin < image.layers[0].size(); begin += piece) {
    EXPECT_EQ(world.request("PATCH", location, "alice", "", image.layers[0].substr(begin, piece)).status, 202);
  }
  EXPECT_EQ(world.request("PUT", location + "?digest=" + digest_of(image.layers[0]), "alice").status, 201);
  EXPECT_EQ(world.push_blob("alice/x", "alice", image.config).status, 201);
  EXPECT_EQ(world.put_manifest("alice/x", "t", "alice", image.manifest).status, 201);
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0]))).body, image.layers[0]);
  // An evil one in the middle of much that is harmless.
  Image bad = large_image();
  bad.layers[0].insert(0, format::TarBlock("run.sh", '0', shell_script.size()).octal(100, 8, 0755).str() + format::tar_padded(shell_script));
  bad.config = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/run.sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + digest_of(bad.layers[0]) + "\"]}}";
  bad.manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(bad.config, config_type) + ",\"layers\":[" + descriptor(bad.layers[0], layer_type) + "]}";
  EXPECT_EQ(world.push("alice/x", "bad", "alice", bad).status, 403);
}

TEST(Collection, AnUploadThatIsWrittenToForDaysIsNotCollected) {
  World world;
  Uploads& uploads = world.registry().uploads();
  auto lease = std::move(*uploads.begin("alice/app", "alice", HashAlgorithm::sha256));
  const std::string id = lease->id();
  ASSERT_TRUE(lease->append(as_bytes("begin")).ok());
  const auto collect = [&] { return gate::collect(world.gate(), [&](const std::string& one) { return uploads.open(one); }).value().uploads; };
  // One request that takes two days, and then requests that come again and again, with no record of it in the database.
  for (int i = 0; i < 3; ++i) {
    world.advance(std::chrono::hours(30));
    world.registry().tidy();
    EXPECT_EQ(collect(), 0u);
    ASSERT_TRUE(lease->append(as_bytes("more")).ok());
  }
  lease.reset();
  world.registry().tidy();
  EXPECT_EQ(collect(), 0u);
  lease = std::move(*uploads.resume(id, "alice/app", "alice"));
  EXPECT_EQ(lease->size(), 17u);
  lease.reset();
  world.advance(std::chrono::hours(30));
  world.registry().tidy();
  EXPECT_EQ(collect(), 1u) << "nobody went on with it for a day";
}

}  // namespace
}  // namespace lazaret::registry
