// Ways around a gate that other registries left open, one test each. R1 to R33 are the numbers of a catalogue of such cases.
#include <fmt/format.h>

#include <set>

#include "registry/registry_test_support.h"

namespace lazaret::registry {
namespace {

using namespace test;

std::string at(const std::string& repository, const std::string& reference) { return "/v2/" + repository + "/manifests/" + reference; }
std::string blob_at(const std::string& repository, const std::string& digest) { return "/v2/" + repository + "/blobs/" + digest; }

TEST(GateRows, R01_NothingIsGivenOutBeforeTheVerdict) {
  World world;
  const Image image = clean_image();
  net::Answer pushed;
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image, &pushed);
  std::vector<std::thread> clients;
  std::atomic<int> seen{0};
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back([&, i] {
      const std::string target = at("alice/x", i % 2 == 0 ? "t" : image.digest());
      const net::Answer answer = i % 4 < 2 ? world.get(target) : world.head(target);
      if (answer.status == 200) ++seen;
      EXPECT_EQ(answer.status, 429) << answer.body;
      EXPECT_EQ(answer.headers.at("retry-after"), "10");
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(seen, 0);
  world.release_audits();
  pusher.join();
  EXPECT_EQ(pushed.status, 201) << pushed.body;
  const net::Answer head = world.head(at("alice/x", "t")), get = world.get(at("alice/x", "t"));
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.body, image.manifest);
  for (const char* name : {"docker-content-digest", "content-length", "content-type"}) EXPECT_EQ(head.headers.at(name), get.headers.at(name)) << name;
}

TEST(GateRows, R01_ARequestThatWaitsIsAnsweredWithTheVerdict) {
  gate::Policy policy = World::quick();
  policy.pull_wait = std::chrono::seconds(60);
  World world(policy);
  const Image image = clean_image();
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image);
  std::vector<std::thread> clients;
  for (int i = 0; i < 10; ++i) clients.emplace_back([&] { EXPECT_EQ(world.get(at("alice/x", "t")).status, 200); });
  while (world.gate().waiting() < 11) std::this_thread::yield();
  world.release_audits();
  for (std::thread& client : clients) client.join();
  pusher.join();
  EXPECT_EQ(world.gate().waiting(), 0u);
}

TEST(GateRows, R02_AManifestIsNoBlob) {
  World world;
  const Image image = clean_image();
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image);
  for (const std::string user : {"", "alice", "admin"}) EXPECT_EQ(world.get(blob_at("alice/x", image.digest()), user).status, 404);
  world.release_audits();
  pusher.join();
  EXPECT_EQ(world.get(blob_at("alice/x", image.digest())).status, 404);
}

TEST(GateRows, R03_BlobsOfAnUnauditedImageStayIn) {
  World world;
  const Image image = clean_image();
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image);
  for (const std::string& blob : {image.layers[0], image.config}) {
    const std::string target = blob_at("alice/x", digest_of(blob));
    for (const std::string user : {"", "bob"}) {
      EXPECT_EQ(world.get(target, user).status, 404);
      EXPECT_EQ(world.head(target, user).status, 404);
      EXPECT_EQ(world.get(target, user, "Range: bytes=0-10\r\n").status, 404);
      EXPECT_EQ(world.get(target, user, "Range: bytes=0-10\r\nIf-Range: \"" + digest_of(blob) + "\"\r\n").status, 404);
      EXPECT_EQ(world.get(target, user, "If-None-Match: \"" + digest_of(blob) + "\"\r\n").status, 404);
    }
  }
  world.release_audits();
  pusher.join();
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0]))).body, image.layers[0]);
}

TEST(GateRows, R04_ABlobIsReadOnlyThroughARepositoryThatHoldsIt) {
  World world;
  const Image image = clean_image(), other = clean_image("other");
  EXPECT_EQ(world.push("secret/x", "t", "secret", image).status, 201);
  EXPECT_EQ(world.push("bob/y", "t", "bob", other).status, 201);
  const std::string layer = digest_of(image.layers[0]);
  EXPECT_EQ(world.get(blob_at("secret/x", layer), "secret").status, 200);
  EXPECT_EQ(world.get(blob_at("secret/x", layer)).status, 401);
  EXPECT_EQ(world.get(blob_at("secret/x", layer), "bob").status, 403);
  EXPECT_EQ(world.get(blob_at("bob/y", layer), "bob").status, 404);
  EXPECT_EQ(world.head(blob_at("bob/y", layer), "bob").status, 404);
  // Uploaded there but named by no manifest of that repository: its publisher sees it, nobody else.
  EXPECT_EQ(world.push_blob("bob/y", "bob", image.layers[0]).status, 201);
  EXPECT_EQ(world.get(blob_at("bob/y", layer), "alice").status, 404);
}

TEST(GateRows, R05_WhatMayNotBeReadCannotBeMounted) {
  World world;
  const Image secret = clean_image("secret"), evil = evil_image(), pending = clean_image("pending"), good = clean_image("good");
  EXPECT_EQ(world.push("secret/x", "t", "secret", secret).status, 201);
  EXPECT_EQ(world.push("alice/evil", "t", "alice", evil).status, 403);
  EXPECT_EQ(world.push("alice/good", "t", "alice", good).status, 201);
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", pending);
  const auto mount = [&](const std::string& layer, const std::string& from) {
    return world.request("POST", "/v2/bob/z/blobs/uploads/?mount=" + digest_of(layer) + (from.empty() ? "" : "&from=" + from), "bob");
  };
  const std::string nothing = "nothing that exists";
  for (const auto& [layer, from] : std::vector<std::pair<std::string, std::string>>{{secret.layers[0], "secret/x"},
                                                                                   {evil.layers[1], "alice/evil"},
                                                                                   {pending.layers[0], "alice/x"},
                                                                                   {nothing, "alice/x"},
                                                                                   {good.layers[0], "alice/nowhere"},
                                                                                   {good.layers[0], "alice/x"}}) {
    for (const std::string& source : {from, std::string()}) {
      if (source.empty() && layer == good.layers[0]) continue;
      const net::Answer answer = mount(layer, source);
      EXPECT_EQ(answer.status, 202) << from;
      EXPECT_FALSE(answer.headers.contains("docker-content-digest"));
      EXPECT_EQ(answer.body, "");
    }
  }
  EXPECT_EQ(mount(good.layers[0], "alice/good").status, 201);
  world.release_audits();
  pusher.join();
  EXPECT_EQ(world.request("POST", "/v2/bob/w/blobs/uploads/?mount=" + digest_of(pending.layers[0]), "bob").status, 201) << "released now, and found without from";
}

TEST(GateRows, R06_AMountedBlobThatIsCondemnedLaterIsOfNoUse) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  for (const std::string& blob : {image.layers[0], image.config}) {
    EXPECT_EQ(world.request("POST", "/v2/bob/y/blobs/uploads/?mount=" + digest_of(blob) + "&from=alice/x", "bob").status, 201);
  }
  ASSERT_TRUE(world.gate().take_down("image", "alice/x@" + image.digest(), "admin", "miner").ok());
  const net::Answer answer = world.put_manifest("bob/y", "t", "bob", clean_image("clean", ",\"annotations\":{\"a\":\"b\"}").manifest);
  EXPECT_EQ(answer.status, 403) << answer.body;
  EXPECT_TRUE(has_code(answer, "DENIED"));
  EXPECT_EQ(world.get(blob_at("bob/y", digest_of(image.layers[0])), "bob").status, 403);
  EXPECT_EQ(world.get(blob_at("bob/y", digest_of(image.layers[0]))).status, 404);
}

TEST(GateRows, R07_ATagServesWhatWasReleasedLast) {
  World world;
  const Image first = clean_image("first"), second = clean_image("second"), bad = evil_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", first).status, 201);
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", second);
  for (const std::string user : {"", "alice"}) EXPECT_EQ(world.get(at("alice/x", "t"), user).body, first.manifest) << "at once, not after a wait";
  world.release_audits();
  pusher.join();
  EXPECT_EQ(world.get(at("alice/x", "t")).body, second.manifest);
  EXPECT_EQ(world.push("alice/x", "t", "alice", bad).status, 403);
  EXPECT_EQ(world.get(at("alice/x", "t")).body, second.manifest);
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
}

TEST(GateRows, R08_WhatIsServedIsWhatWasLookedAt) {
  World world;
  const Image a = clean_image("a"), b = clean_image("b");
  EXPECT_EQ(world.push("alice/x", "t", "alice", a).status, 201);
  EXPECT_EQ(world.push("alice/x", "t", "alice", b).status, 201);
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    for (int i = 0; !stop; ++i) world.put_manifest("alice/x", "t", "alice", i % 2 == 0 ? a.manifest : b.manifest);
  });
  for (int i = 0; i < 200; ++i) {
    const net::Answer answer = world.get(at("alice/x", "t"));
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("docker-content-digest"), digest_of(answer.body));
    EXPECT_EQ(answer.headers.at("etag"), "\"" + digest_of(answer.body) + "\"");
  }
  stop = true;
  mover.join();
}

TEST(GateRows, R09_ATagThatMovesBetweenHeadAndGet) {
  World world;
  const Image a = clean_image("a"), b = clean_image("b");
  EXPECT_EQ(world.push("alice/x", "t", "alice", a).status, 201);
  const std::string seen = world.head(at("alice/x", "t")).headers.at("docker-content-digest");
  EXPECT_EQ(world.push("alice/x", "t", "alice", b).status, 201);
  EXPECT_EQ(world.get(at("alice/x", seen)).body, a.manifest);
  EXPECT_EQ(world.get(at("alice/x", "t")).body, b.manifest);
  EXPECT_EQ(world.put_manifest("alice/x", "t", "alice", a.manifest).status, 201);
  EXPECT_EQ(world.head(at("alice/x", "t")).headers.at("docker-content-digest"), a.digest());
}

TEST(GateRows, R10_AnIndexIsWhatTheWorstOfItsManifestsIs) {
  World world;
  const Image good = clean_image("good"), late = clean_image("late"), bad = evil_image();
  EXPECT_EQ(world.push("alice/x", "good", "alice", good).status, 201);

  // One is missing: held until it comes.
  const std::string sparse = index_of({good.manifest, late.manifest});
  EXPECT_EQ(world.put_manifest("alice/x", "sparse", "alice", sparse, index_type).status, 403);
  EXPECT_EQ(world.get(at("alice/x", "sparse")).status, 404);
  EXPECT_EQ(world.push("alice/x", "late", "alice", late).status, 201);
  for (int i = 0; i < 500 && world.get(at("alice/x", "sparse")).status != 200; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.get(at("alice/x", "sparse")).body, sparse);

  // One is condemned: named at once, or coming later.
  const std::string with_bad = index_of({good.manifest, bad.manifest});
  EXPECT_EQ(world.put_manifest("alice/x", "bad", "alice", with_bad, index_type).status, 403);
  EXPECT_EQ(world.push("alice/x", "evil", "alice", bad).status, 403);
  EXPECT_EQ(world.get(at("alice/x", "bad")).status, 404);
  EXPECT_EQ(world.put_manifest("alice/x", "bad2", "alice", index_of({bad.manifest}), index_type).status, 403);

  // One is being audited: the index waits with it.
  const Image slow = clean_image("slow");
  std::thread pusher = world.push_and_hold("alice/x", "slow", "alice", slow);
  std::thread index_pusher([&] { EXPECT_EQ(world.put_manifest("alice/x", "waits", "alice", index_of({good.manifest, slow.manifest}), index_type).status, 201); });
  world.wait_for_audit(2);
  EXPECT_NE(world.get(at("alice/x", "waits")).status, 200);
  world.release_audits();
  pusher.join();
  index_pusher.join();
  EXPECT_EQ(world.get(at("alice/x", "waits")).status, 200);

  // A released child that is condemned later takes the index with it.
  ASSERT_TRUE(world.gate().decide(*Digest::parse(slow.digest()), store::State::condemned, "admin", "found out").ok());
  for (int i = 0; i < 500 && world.get(at("alice/x", "waits")).status == 200; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.get(at("alice/x", "waits")).status, 404);
}

TEST(GateRows, R11_DepthAndNumberOfManifestsAreLimited) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  std::string nested = image.manifest;
  std::vector<int> statuses;
  for (int depth = 0; depth < 7; ++depth) {
    nested = index_of({nested});
    statuses.push_back(world.put_manifest("alice/x", fmt::format("d{}", depth), "alice", nested, index_type).status);
  }
  EXPECT_EQ(statuses.front(), 201);
  EXPECT_EQ(statuses.back(), 403);
  EXPECT_EQ(world.get(at("alice/x", "d6")).status, 404);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += (i == 0 ? "" : ",") + descriptor(std::to_string(i), manifest_type);
  EXPECT_EQ(world.put_manifest("alice/x", "many", "alice", "{\"schemaVersion\":2,\"mediaType\":\"" + index_type + "\",\"manifests\":[" + many + "]}", index_type).status, 400);
}

TEST(GateRows, R12_NothingIsConvertedForTheClient) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const std::string index = index_of({image.manifest});
  EXPECT_EQ(world.put_manifest("alice/x", "i", "alice", index, index_type).status, 201);
  for (const std::string accept : {"", "Accept: */*\r\n", "Accept: application/vnd.docker.distribution.manifest.v2+json\r\n", "Accept: text/html;q=1\r\nAccept: image/png\r\n"}) {
    const net::Answer answer = world.get(at("alice/x", "i"), "", accept);
    EXPECT_EQ(answer.body, index);
    EXPECT_EQ(answer.headers.at("content-type"), index_type);
    EXPECT_EQ(answer.headers.at("docker-content-digest"), digest_of(index));
  }
}

TEST(GateRows, R13_DeclaredTypesDecideNothing) {
  World world;
  const auto files = [](const std::string& name) {
    return std::vector<std::pair<std::string, std::string>>{{"etc/base", "base\n"}, {"run.sh", shell_script + "# " + name + "\n"}};
  };
  EXPECT_EQ(world.push("alice/a", "t", "alice", Image(files("a"), "/run.sh", "", "application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")).status, 403);
  EXPECT_EQ(world.push("alice/b", "t", "alice", Image(files("b"), "/run.sh", ",\"artifactType\":\"application/vnd.in-toto+json\"", config_type, "application/vnd.in-toto+json")).status, 403);
  EXPECT_EQ(world.push("alice/c", "t", "alice", Image(files("c"), "/run.sh", "", config_type, "application/vnd.dev.cosign.simplesigning.v1+json")).status, 403);
  // A harmless artifact is released.
  const std::string chart = "name: x\nversion: 1\n", empty = "{}";
  EXPECT_EQ(world.push_blob("alice/d", "alice", chart).status, 201);
  EXPECT_EQ(world.push_blob("alice/d", "alice", empty).status, 201);
  const std::string artifact = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"artifactType\":\"application/vnd.example\",\"config\":" +
                               descriptor(empty, "application/vnd.oci.empty.v1+json") + ",\"layers\":[" + descriptor(chart, "text/yaml") + "]}";
  EXPECT_EQ(world.put_manifest("alice/d", "t", "alice", artifact).status, 201);
  EXPECT_EQ(world.get(blob_at("alice/d", digest_of(chart))).body, chart);
}

TEST(GateRows, R14_NoTagAndNoSubjectExempts) {
  World world;
  const Image base = clean_image("base");
  EXPECT_EQ(world.push("alice/x", "t", "alice", base).status, 201);
  const std::string subject = ",\"subject\":" + descriptor(base.manifest, manifest_type);
  for (const std::string suffix : {".sig", ".att", ".sbom", ""}) {
    const std::string tag = "sha256-" + base.digest().substr(7) + suffix;
    EXPECT_EQ(world.push("alice/x", tag, "alice", evil_image("evil" + suffix, subject)).status, 403) << suffix;
    EXPECT_EQ(world.get(at("alice/x", tag)).status, 404);
  }
}

TEST(GateRows, R15_NoUserAgentExempts) {
  World world;
  const Image image = clean_image();
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image);
  for (const std::string agent : {"cosign/v2.0", "notation/1.0", "harbor-registry-client", "lazaret", "trivy"}) {
    EXPECT_EQ(world.get(at("alice/x", "t"), "", "User-Agent: " + agent + "\r\n").status, 429);
    EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0])), "", "User-Agent: " + agent + "\r\n").status, 404);
  }
  world.release_audits();
  pusher.join();
}

TEST(GateRows, R15_APublisherReadsBackWhatIsHeldByDigestAlone) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_TRUE(world.gate().decide(*Digest::parse(image.digest()), store::State::held, "admin", "to be looked at").ok());
  EXPECT_EQ(world.get(at("alice/x", image.digest()), "alice").status, 200);
  const net::Answer by_tag = world.get(at("alice/x", "t"), "alice");
  EXPECT_EQ(by_tag.status, 403);
  EXPECT_NE(by_tag.body.find("held for review"), std::string::npos);
  for (const std::string& reference : {std::string("t"), image.digest()}) {
    EXPECT_EQ(world.get(at("alice/x", reference), "bob").status, 404);
    EXPECT_EQ(world.get(at("alice/x", reference)).status, 404);
  }
}

TEST(GateRows, R16_NoNameMakesAScanner) {
  World world;
  const Image image = clean_image();
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image);
  for (const std::string name : {"scanner", "scanner-1", "robot$scanner", "lazaret", "system"}) {
    EXPECT_EQ(world.get(at("alice/x", "t"), name).status, 429);
    EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0])), name).status, 404);
    EXPECT_EQ(world.request("POST", "/v2/alice/x/blobs/uploads/", name).status, 403);
  }
  world.release_audits();
  pusher.join();
}

TEST(GateRows, R17_ReferrersShowOnlyWhatIsReleased) {
  World world;
  const Image base = clean_image("base");
  EXPECT_EQ(world.push("alice/x", "t", "alice", base).status, 201);
  const std::string subject = ",\"artifactType\":\"application/vnd.example\",\"subject\":" + descriptor(base.manifest, manifest_type);
  const Image good = clean_image("good", subject), slow = clean_image("slow", subject), bad = evil_image("bad", subject);
  const net::Answer pushed = world.push("alice/x", good.digest(), "alice", good);
  EXPECT_EQ(pushed.status, 201);
  EXPECT_EQ(pushed.headers.at("oci-subject"), base.digest());
  const net::Answer refused = world.push("alice/x", bad.digest(), "alice", bad);
  EXPECT_EQ(refused.status, 403);
  EXPECT_FALSE(refused.headers.contains("oci-subject"));
  std::thread pusher = world.push_and_hold("alice/x", slow.digest(), "alice", slow);
  for (const std::string user : {"", "alice"}) {
    const net::Answer list = world.get("/v2/alice/x/referrers/" + base.digest(), user);
    EXPECT_EQ(list.status, 200);
    EXPECT_NE(list.body.find(good.digest()), std::string::npos);
    EXPECT_EQ(list.body.find(slow.digest()), std::string::npos);
    EXPECT_EQ(list.body.find(bad.digest()), std::string::npos);
  }
  world.release_audits();
  pusher.join();
  EXPECT_NE(world.get("/v2/alice/x/referrers/" + base.digest()).body.find(slow.digest()), std::string::npos);
  // The list that clients keep under a tag is an index like any other.
  EXPECT_EQ(world.put_manifest("alice/x", "sha256-" + base.digest().substr(7), "alice", index_of({good.manifest, bad.manifest}), index_type).status, 403);
  // Of a condemned subject nothing is listed.
  ASSERT_TRUE(world.gate().decide(*Digest::parse(base.digest()), store::State::condemned, "admin", "bad").ok());
  EXPECT_EQ(world.get("/v2/alice/x/referrers/" + base.digest()).body.find(good.digest()), std::string::npos);
}

TEST(GateRows, R18_TheVerdictOfASubjectIsItsOwn) {
  World world;
  const Image base = evil_image("base"), fine = clean_image("fine");
  const Image signature = clean_image("signature", ",\"subject\":" + descriptor(base.manifest, manifest_type));
  EXPECT_EQ(world.push("alice/x", signature.digest(), "alice", signature).status, 201) << "the subject is not here yet";
  EXPECT_EQ(world.push("alice/x", "t", "alice", base).status, 403);
  EXPECT_EQ(world.get(at("alice/x", signature.digest())).status, 200);
  EXPECT_EQ(world.get(at("alice/x", base.digest())).status, 404);
  const Image bad_signature = evil_image("bad signature", ",\"subject\":" + descriptor(fine.manifest, manifest_type));
  EXPECT_EQ(world.push("alice/x", bad_signature.digest(), "alice", bad_signature).status, 403);
  EXPECT_EQ(world.push("alice/x", "fine", "alice", fine).status, 201);
}

TEST(GateRows, R19_ListsDoNotShowWhatIsNotReleased) {
  World world;
  EXPECT_EQ(world.push("alice/x", "a", "alice", clean_image("a")).status, 201);
  EXPECT_EQ(world.push("alice/x", "c", "alice", clean_image("c")).status, 201);
  EXPECT_EQ(world.push("alice/x", "d", "alice", clean_image("d")).status, 201);
  EXPECT_EQ(world.push("alice/evil", "t", "alice", evil_image("only")).status, 403);
  EXPECT_EQ(world.push("alice/x", "e", "alice", evil_image("e")).status, 403);
  std::thread pusher = world.push_and_hold("alice/x", "b", "alice", clean_image("b"));
  EXPECT_EQ(world.get("/v2/alice/x/tags/list").body, R"({"name":"alice/x","tags":["a", "c", "d"]})");
  const net::Answer page = world.get("/v2/alice/x/tags/list?n=2");
  EXPECT_EQ(page.body, R"({"name":"alice/x","tags":["a", "c"]})") << "a full page, whatever is hidden";
  EXPECT_EQ(page.headers.at("link"), "</v2/alice/x/tags/list?n=2&last=c>; rel=\"next\"");
  EXPECT_FALSE(world.get("/v2/alice/x/tags/list?n=3").headers.contains("link")) << "what comes is hidden";
  EXPECT_EQ(world.get("/v2/alice/x/tags/list?n=1&last=a").body, R"({"name":"alice/x","tags":["c"]})");
  EXPECT_TRUE(has_code(world.get("/v2/alice/evil/tags/list"), "NAME_UNKNOWN"));
  EXPECT_EQ(world.get("/v2/alice/evil/tags/list").body, world.get("/v2/alice/nothing/tags/list").body);
  EXPECT_EQ(world.get("/v2/_catalog").body, R"({"repositories":["alice/x"]})");
  EXPECT_EQ(world.get("/v2/_catalog", "alice").body, R"({"repositories":["alice/evil", "alice/x"]})");
  world.release_audits();
  pusher.join();
  EXPECT_EQ(world.get("/v2/alice/x/tags/list").body, R"({"name":"alice/x","tags":["a", "b", "c", "d"]})");
}

TEST(GateRows, R20_AnUploadBelongsToItsPublisherAndRepository) {
  World world;
  const std::string location = world.start_upload("alice/x", "alice");
  EXPECT_EQ(world.request("PATCH", location, "alice", "", "12345").status, 202);
  const std::string elsewhere = "/v2/alice/y/blobs/uploads/" + location.substr(location.rfind('/') + 1);
  for (const auto& [path, user] : std::vector<std::pair<std::string, std::string>>{{location, "bob"}, {location, ""}, {location, "admin"}, {elsewhere, "alice"}}) {
    for (const std::string method : {"GET", "PATCH", "PUT", "DELETE"}) {
      const int status = world.request(method, path + (method == "PUT" ? "?digest=" + digest_of("12345") : ""), user, "", method == "PATCH" ? "x" : "").status;
      EXPECT_TRUE(status == 401 || status == 403 || status == 404) << method << " " << path << " by " << user << ": " << status;
    }
  }
  EXPECT_EQ(world.get(location, "alice").headers.at("range"), "0-4") << "untouched";
  ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
  EXPECT_EQ(world.request("PUT", location + "?digest=" + digest_of("12345"), "alice").status, 403);
  EXPECT_EQ(world.request("POST", "/v2/alice/x/blobs/uploads/", "alice").status, 403);
}

TEST(GateRows, R21_AVerdictBelongsToBytesThatWereHashedHere) {
  World world;
  const Image image = clean_image();
  const std::string location = world.start_upload("alice/x", "alice");
  net::Answer answer = world.request("PUT", location + "?digest=" + digest_of(image.layers[0]), "alice", "", "other bytes");
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(has_code(answer, "DIGEST_INVALID"));
  EXPECT_EQ(world.head(blob_at("alice/x", digest_of(image.layers[0])), "alice").status, 404);
  EXPECT_EQ(world.push_blob("alice/x", "alice", image.layers[0], sha512_of(image.layers[0])).status, 201);
  EXPECT_EQ(world.push_blob("alice/x", "alice", image.config).status, 201);
  // One content, two names, one verdict.
  EXPECT_EQ(world.put_manifest("alice/x", sha512_of(image.manifest), "alice", image.manifest).status, 201);
  const int audits = world.audits;
  EXPECT_EQ(world.put_manifest("alice/x", image.digest(), "alice", image.manifest).status, 201);
  EXPECT_EQ(world.audits, audits);
  EXPECT_EQ(world.get(at("alice/x", sha512_of(image.manifest))).headers.at("docker-content-digest"), sha512_of(image.manifest));
  EXPECT_EQ(world.get(blob_at("alice/x", sha512_of(image.layers[0]))).body, image.layers[0]);
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0]))).body, image.layers[0]);
  ASSERT_TRUE(world.gate().take_down("image", "alice/x@" + sha512_of(image.manifest), "admin", "bad").ok());
  for (const std::string& name : {image.digest(), sha512_of(image.manifest)}) EXPECT_EQ(world.get(at("alice/x", name)).status, 404);
  for (const std::string& name : {digest_of(image.layers[0]), sha512_of(image.layers[0])}) EXPECT_EQ(world.get(blob_at("alice/x", name)).status, 404);
}

TEST(GateRows, R22_EmbeddedDataIsWhatItsDigestNames) {
  World world;
  const std::string config = "{}";
  EXPECT_EQ(world.push_blob("alice/x", "alice", config).status, 201);
  const auto manifest = [&](const std::string& data) {
    return "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(config, "application/vnd.oci.empty.v1+json", ",\"data\":\"" + data + "\"") + ",\"layers\":[]}";
  };
  EXPECT_EQ(world.put_manifest("alice/x", "t", "alice", manifest("e30=")).status, 201);
  const net::Answer answer = world.put_manifest("alice/x", "u", "alice", manifest("W10="));
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(has_code(answer, "MANIFEST_INVALID"));
}

TEST(GateRows, R23_ForeignLayersAreRefused) {
  const auto push = [](World& world) {
    Image image = clean_image();
    world.push_blobs("alice/x", "alice", image);
    const std::string manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(image.config, config_type) + ",\"layers\":[" +
                                 descriptor(image.layers[0], layer_type, ",\"urls\":[\"http://elsewhere.example/layer\"]") + "]}";
    return world.put_manifest("alice/x", "t", "alice", manifest);
  };
  World world;
  const net::Answer answer = push(world);
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(has_code(answer, "MANIFEST_INVALID"));
  gate::Policy policy = World::quick();
  policy.foreign_layers = true;
  World lenient(policy);
  EXPECT_NE(push(lenient).status, 400) << "then it is audited like any layer, since its bytes were uploaded";
}

TEST(GateRows, R23_ForeignLayersThatAreNotHereMakeAnImageIncomplete) {
  const auto push = [](World& world, const std::string& type) {
    Image image = clean_image();
    world.push_blobs("alice/x", "alice", image);
    const std::string manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(image.config, config_type) + ",\"layers\":[" +
                                 descriptor("bytes that never came here", type) + "]}";
    return world.put_manifest("alice/x", "t", "alice", manifest).status;
  };
  const std::string foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  World world;
  EXPECT_EQ(push(world, foreign), 404);
  gate::Policy policy = World::quick();
  policy.foreign_layers = true;
  World lenient(policy);
  EXPECT_EQ(push(lenient, layer_type), 404) << "a layer of any other type must be here";
  EXPECT_EQ(push(lenient, foreign), 403) << "taken, and held, since nobody has seen its bytes";
  EXPECT_EQ(lenient.get(at("alice/x", "t")).status, 404);
}

TEST(GateRows, R24_DocumentsThatCanBeReadInTwoWaysAreRefused) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const std::string config = descriptor(image.config, config_type), layer = descriptor(image.layers[0], layer_type), child = descriptor(image.manifest, manifest_type);
  const std::string begin = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",";
  for (const std::string& document : {
           begin + "\"config\":" + config + ",\"layers\":[" + layer + "],\"manifests\":[" + child + "]}",
           begin + "\"config\":" + config + ",\"layers\":[],\"layers\":[" + layer + "]}",
           begin + "\"config\":" + config + ",\"layers\":[],\"Layers\":[" + layer + "]}",
           begin + "\"config\":" + config + ",\"LAYERS\":[" + layer + "]}",
           begin + "\"config\":{\"mediaType\":\"x\",\"digest\":\"" + digest_of(image.config) + "\",\"Digest\":\"" + digest_of("x") + "\",\"size\":" + std::to_string(image.config.size()) + "},\"layers\":[]}",
           begin + "\"config\":" + config + ",\"layers\":[" + layer + "]}{}",
           begin + "\"config\":" + config + ",\"layers\":[" + layer + "]",
           std::string("{\"schemaVersion\":2,\"mediaType\":\"") + index_type + "\",\"config\":" + config + ",\"layers\":[" + layer + "]}",
           std::string("{\"schemaVersion\":1,\"fsLayers\":[]}"),
           std::string("[]"),
           std::string("null"),
           std::string(""),
       }) {
    const net::Answer answer = world.put_manifest("alice/x", "u", "alice", document);
    EXPECT_EQ(answer.status, 400) << document;
    EXPECT_TRUE(has_code(answer, "MANIFEST_INVALID")) << document << answer.body;
  }
  EXPECT_EQ(world.put_manifest("alice/x", "u", "alice", image.manifest, index_type).status, 400) << "mediaType against Content-Type";
  EXPECT_EQ(world.put_manifest("alice/x", "u", "alice", index_of({image.manifest}), manifest_type).status, 400);
}

TEST(GateRows, R25_TheSameBytesOfASecondPublisher) {
  for (const bool shared : {false, true}) {
    gate::Policy policy = World::quick();
    policy.takedown_takes_shared = shared;
    World world(policy);
    const Image image = clean_image();
    world.push_blobs("bob/y", "bob", image);
    std::thread first = world.push_and_hold("alice/x", "t", "alice", image);
    std::thread second([&] { EXPECT_EQ(world.put_manifest("bob/y", "t", "bob", image.manifest).status, 201); });
    while (world.gate().waiting() < 2) std::this_thread::yield();
    world.release_audits();
    first.join();
    second.join();
    EXPECT_EQ(world.audits, 1);
    EXPECT_EQ(world.get(at("bob/y", "t")).status, 200);
    ASSERT_TRUE(world.gate().take_down("publisher", "alice", "admin", "miners").ok());
    EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
    EXPECT_EQ(world.get(at("bob/y", "t")).status, shared ? 404 : 200);
    EXPECT_EQ(world.get(blob_at("bob/y", digest_of(image.layers[0]))).status, shared ? 404 : 200);
  }
}

TEST(GateRows, R26_AnOldVerdictHoldsUntilTheNewOneIsFinal) {
  const auto lenient = audit::Policy::parse("[category-limit]\n\"reverse-shell\" = 0\n\"persistence\" = 0\n\"dropper\" = 0\n\"obfuscation\" = 0\n\"anomaly\" = 0\n", "lenient");
  ASSERT_TRUE(lenient.ok()) << lenient.error().message;
  World world(World::quick(), *lenient);
  const Image image = evil_image();
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201) << "nothing weighs anything";
  world.close();
  world.set_audit_policy(audit::Policy::standard());
  world.hold_audits();
  world.open();
  EXPECT_EQ(*world.gate().queue_outdated(10), 1u);
  world.wait_for_audit();
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 200) << "judged again, and served meanwhile";
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[1]))).status, 200);
  world.release_audits();
  for (int i = 0; i < 500 && world.get(at("alice/x", "t")).status == 200; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[1]))).status, 404);
  EXPECT_EQ(*world.gate().queue_outdated(10), 0u);
}

TEST(GateRows, R27_WhatEndsBadlyIsHeld) {
  World world;
  world.on_audit = [] { throw std::runtime_error("a library failed"); };
  const Image image = clean_image();
  const net::Answer answer = world.push("alice/x", "t", "alice", image);
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("held for review"), std::string::npos) << answer.body;
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
}

TEST(GateRows, R27_AnAuditThatTakesTooLongIsHeld) {
  gate::Policy policy = World::quick();
  policy.audit_time = std::chrono::seconds(1);
  World world(policy);
  net::Answer pushed;
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", clean_image(), &pushed);
  world.advance(std::chrono::seconds(5));
  pusher.join();
  EXPECT_EQ(pushed.status, 403);
  EXPECT_NE(pushed.body.find("took longer"), std::string::npos) << pushed.body;
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
}

TEST(GateRows, R27_WhatWasPendingIsTakenUpAgain) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  world.close();
  // As a process leaves it that is killed in the middle of an audit.
  ASSERT_TRUE(world.metadata().write([&](store::Writer& writer) {
    writer.set_state(*Digest::parse(image.digest()), store::State::pending, "", false);
    return Result<void>();
  }));
  world.set_audit_policy(*audit::Policy::parse("[category-limit]\n\"anomaly\" = 1\n", "another"));
  world.open();
  for (int i = 0; i < 500 && world.gate().queue_length() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.audits, 2);
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 200);
}

TEST(GateRows, R27_AnImageThatKillsItsAuditIsHeldInTheEnd) {
  World world;
  const Image image = clean_image();
  std::filesystem::create_directories(world.folder() + "/auditing");
  std::FILE* const mark = std::fopen((world.folder() + "/auditing/" + image.digest().substr(7)).c_str(), "w");
  ASSERT_NE(mark, nullptr);
  std::fputs("...", mark);
  std::fclose(mark);
  const net::Answer answer = world.push("alice/x", "t", "alice", image);
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("ended with the process"), std::string::npos) << answer.body;
  EXPECT_EQ(world.audits, 0);
}

TEST(GateRows, R27_AnImageDeletedDuringItsAuditEndsCleanly) {
  World world;
  const Image image = clean_image();
  net::Answer pushed;
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image, &pushed);
  EXPECT_EQ(world.request("DELETE", at("alice/x", image.digest()), "alice").status, 202);
  world.release_audits();
  pusher.join();
  EXPECT_EQ(pushed.status, 404);
  for (int i = 0; i < 500 && world.gate().queue_length() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
}

TEST(GateRows, R28_ACollectionTakesNothingThatIsNeeded) {
  World world;
  const Image image = clean_image(), later = clean_image("later");
  std::thread pusher = world.push_and_hold("alice/x", "t", "alice", image);
  EXPECT_EQ(world.push_blob("alice/x", "alice", "loose").status, 201);
  world.push_blobs("alice/y", "alice", later);
  ASSERT_TRUE(gate::collect(world.gate()).ok());
  EXPECT_EQ(world.head(blob_at("alice/x", digest_of("loose")), "alice").status, 200) << "a push under way";
  world.advance(std::chrono::hours(48));
  // A push that asks what is there may rely on the answer.
  for (const std::string& blob : {later.layers[0], later.config}) EXPECT_EQ(world.head(blob_at("alice/y", digest_of(blob)), "alice").status, 200);
  const auto collected = gate::collect(world.gate());
  ASSERT_TRUE(collected.ok());
  EXPECT_EQ(collected->blobs, 1u);
  EXPECT_EQ(world.head(blob_at("alice/x", digest_of("loose")), "alice").status, 404);
  world.release_audits();
  pusher.join();
  EXPECT_EQ(world.put_manifest("alice/y", "t", "alice", later.manifest).status, 201);
  EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0]))).body, image.layers[0]);
}

TEST(GateRows, R28_ACollectionBesidePushes) {
  gate::Policy policy = World::quick();
  policy.blob_age = std::chrono::hours(1);
  World world(policy);
  std::atomic<bool> stop{false};
  std::thread collector([&] {
    while (!stop) EXPECT_TRUE(gate::collect(world.gate()).ok());
  });
  const Image image = clean_image();
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
    EXPECT_EQ(world.get(blob_at("alice/x", digest_of(image.layers[0]))).body, image.layers[0]);
    EXPECT_EQ(world.request("DELETE", at("alice/x", image.digest()), "alice").status, 202);
    for (const std::string& blob : {image.layers[0], image.config}) world.request("DELETE", blob_at("alice/x", digest_of(blob)), "alice");
  }
  stop = true;
  collector.join();
}

TEST(GateRows, R29_CondemnedContentDoesNotComeBack) {
  World world;
  const Image image({{"usr/bin/tool", "#!/bin/sh\necho a tool that a person found out about\n"}}, "/usr/bin/tool");
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_TRUE(world.gate().take_down("image", "alice/x@" + image.digest(), "admin", "a person found out").ok());
  // The same digest, elsewhere.
  EXPECT_EQ(world.push_blob("bob/y", "bob", image.layers[0]).status, 403);
  EXPECT_EQ(world.push_blob("bob/y", "bob", image.config).status, 403);
  EXPECT_EQ(world.put_manifest("bob/y", "t", "bob", image.manifest).status, 403);
  // Another compression: the same diff_id under a new layer digest. A stored block is all it takes.
  std::string packed("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10);
  for (std::size_t done = 0; done < image.layers[0].size();) {
    const std::size_t part = std::min<std::size_t>(65535, image.layers[0].size() - done);
    packed += static_cast<char>(done + part == image.layers[0].size());
    packed += static_cast<char>(part & 0xff);
    packed += static_cast<char>(part >> 8);
    packed += static_cast<char>(~part & 0xff);
    packed += static_cast<char>((~part >> 8) & 0xff);
    packed += image.layers[0].substr(done, part);
    done += part;
  }
  std::uint32_t crc = ~0u;
  for (const char c : image.layers[0]) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  crc = ~crc;
  for (const std::uint32_t value : {crc, static_cast<std::uint32_t>(image.layers[0].size())}) {
    for (int shift = 0; shift < 32; shift += 8) packed += static_cast<char>(value >> shift & 0xff);
  }
  Image repacked = image;
  repacked.config = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"new\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + digest_of(image.layers[0]) + "\"]}}";
  repacked.layers = {packed};
  repacked.manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(repacked.config, config_type) + ",\"layers\":[" + descriptor(packed, layer_type + "+gzip") + "]}";
  const net::Answer answer = world.push("bob/z", "t", "bob", repacked);
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("a person found out"), std::string::npos) << answer.body;
  // Padding: the same files in a tar that is longer.
  Image padded = image;
  padded.layers = {image.layers[0] + std::string(512, '\0')};
  padded.config = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"padded\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + digest_of(padded.layers[0]) + "\"]}}";
  padded.manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(padded.config, config_type) + ",\"layers\":[" + descriptor(padded.layers[0], layer_type) + "]}";
  EXPECT_EQ(world.push("bob/z", "padded", "bob", padded).status, 403);
  EXPECT_EQ(world.get(at("bob/z", "padded")).status, 404);
}

TEST(GateRows, R31_NoCacheOutlivesATakedown) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.get(at("alice/x", "t")).status, 200);
  EXPECT_NE(world.gate().peek("alice/x", "t"), nullptr);
  // A reader that looked before the act and puts in what it saw after it.
  const auto resolved = world.gate().resolve("alice/x", "t", {});
  ASSERT_TRUE(world.gate().take_down("repository", "alice/x", "admin", "bad").ok());
  EXPECT_EQ(world.gate().peek("alice/x", "t"), nullptr);
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
  gate::ServedCache cache;
  const auto version = cache.version("alice/x");
  cache.forget_all();
  cache.put("alice/x", "t", version, resolved->served);
  EXPECT_EQ(cache.find("alice/x", "t"), nullptr);
}

TEST(GateRows, R32_NoAnswerPointsToWhereTheGateIsNot) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  for (const std::string& target : {at("alice/x", "t"), blob_at("alice/x", digest_of(image.layers[0])), blob_at("alice/x", digest_of(image.config))}) {
    const net::Answer answer = world.get(target);
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.headers.contains("location"));
  }
}

TEST(GateRows, R33_ConditionsAskTheGateToo) {
  World world;
  const Image image = clean_image();
  EXPECT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const std::string condition = "If-None-Match: \"" + image.digest() + "\"\r\n", bare = "If-None-Match: " + image.digest() + "\r\n";
  EXPECT_EQ(world.get(at("alice/x", "t"), "", condition).status, 304);
  EXPECT_EQ(world.get(at("alice/x", "t"), "", bare).status, 304);
  net::RawClient kept(world.port());
  EXPECT_EQ(kept.get(at("alice/x", "t")).status, 200);
  ASSERT_TRUE(world.gate().decide(*Digest::parse(image.digest()), store::State::condemned, "admin", "bad").ok());
  EXPECT_EQ(kept.get(at("alice/x", "t")).status, 404) << "the same connection, past the gate a moment ago";
  EXPECT_EQ(kept.get(at("alice/x", "t"), condition).status, 404);
  EXPECT_EQ(world.get(at("alice/x", image.digest()), "", condition).status, 404);
  const std::string layer = digest_of(image.layers[0]);
  EXPECT_EQ(world.get(blob_at("alice/x", layer), "", "Range: bytes=0-3\r\n").status, 404);
  EXPECT_EQ(world.get(blob_at("alice/x", layer), "", "If-None-Match: \"" + layer + "\"\r\n").status, 404);
}

}  // namespace
}  // namespace lazaret::registry
