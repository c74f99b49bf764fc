// Who was given what, also while 200 clients pull, push and mount and the act comes in the middle of it.
#include "gate/exposure.h"

#include <fmt/format.h>

#include "gate/user_reports.h"
#include "registry/registry_test_support.h"

namespace lazaret::registry {
namespace {

using namespace test;
using gate::SubjectKind;

std::string at(const std::string& repository, const std::string& reference) { return "/v2/" + repository + "/manifests/" + reference; }
std::string blob_at(const std::string& repository, const std::string& digest) { return "/v2/" + repository + "/blobs/" + digest; }

gate::Exposure exposure_of(World& world, const std::string& name, std::optional<SubjectKind> kind = std::nullopt) {
  auto content = gate::find_subject(world.metadata(), name, kind);
  EXPECT_TRUE(content.ok()) << content.error().message;
  auto exposure = gate::find_exposure(world.ledger(), std::move(*content), 0);
  EXPECT_TRUE(exposure.ok());
  return std::move(*exposure);
}

TEST(Exposure, SaysWhoPulledAnImageUnderWhateverName) {
  World world;
  const Image image = clean_image("bad"), other = clean_image("other");
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_EQ(world.push("alice/x", "other", "alice", other).status, 201);
  ASSERT_EQ(world.push("mirror/x", "copy", "mirror", image).status, 201);
  world.get(at("alice/x", "t"), "bob", "User-Agent: docker/20.10\r\n");
  world.advance(std::chrono::hours(1));
  world.get(at("alice/x", image.digest()), "bob", "User-Agent: skopeo/1.9\r\n");
  world.get(at("mirror/x", "copy"), "carol");
  world.get(at("alice/x", "other"), "dave");
  world.get(at("alice/x", "t"), "", "If-None-Match: \"" + image.digest() + "\"\r\n");
  const gate::Exposure exposure = exposure_of(world, "alice/x:t");
  EXPECT_EQ(exposure.content.subject.kind, SubjectKind::image);
  ASSERT_EQ(exposure.accounts.size(), 3u);
  EXPECT_FALSE(exposure.accounts.contains("dave"));
  EXPECT_EQ(exposure.accounts.at("bob").pulls, 2u);
  EXPECT_EQ(exposure.accounts.at("bob").last - exposure.accounts.at("bob").first, 3'600'000);
  EXPECT_EQ(exposure.accounts.at("bob").bytes, 2 * image.manifest.size());
  EXPECT_EQ(exposure.accounts.at("carol").images, (std::set<std::string>{"mirror/x:copy"}));
  EXPECT_EQ(exposure.accounts.at("").not_modified, 1u) << "it was told that what it has is right, so it has it";
  EXPECT_EQ(exposure.agents.at("docker/20.10").pulls, 1u);
  EXPECT_EQ(exposure.networks.at("127.0.0.0/24").pulls, 4u);
  EXPECT_EQ(exposure.all.pulls, 4u);
  EXPECT_FALSE(gate::find_subject(world.metadata(), "alice/none:t", std::nullopt).ok());
  EXPECT_FALSE(gate::find_subject(world.metadata(), "alice/x", SubjectKind::publisher).ok());
}

TEST(Exposure, AnIndexExposesWhoPulledItsChildrenAndTheOtherWayRound) {
  World world;
  const Image image = clean_image("bad");
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const std::string index = index_of({image.manifest});
  ASSERT_EQ(world.put_manifest("alice/x", "i", "alice", index, index_type).status, 201);
  world.get(at("alice/x", "i"), "bob");
  world.get(at("alice/x", image.digest()), "carol");
  for (const std::string name : {"alice/x:i", "alice/x:t"}) {
    const gate::Exposure exposure = exposure_of(world, name);
    EXPECT_EQ(exposure.accounts.size(), 2u) << name;
  }
}

TEST(Exposure, LayersOfWhatIsStillReleasedExposeNobody) {
  World world;
  using Files = std::vector<std::pair<std::string, std::string>>;
  const Image base(Files{{"etc/base", "a base that many have\n"}});
  const Image bad(Files{{"etc/base", "a base that many have\n"}, {"etc/bad", "bad\n"}});
  ASSERT_EQ(world.push("alice/bad", "t", "alice", bad).status, 201);
  ASSERT_EQ(world.push("bob/good", "t", "bob", base).status, 201);
  world.get(blob_at("bob/good", digest_of(base.layers[0])), "carol");
  world.get(blob_at("alice/bad", digest_of(bad.layers[1])), "dave");
  world.advance(std::chrono::milliseconds(1));
  const auto act = world.gate().take_down("publisher", "alice", "admin", "miners");
  ASSERT_TRUE(act.ok());
  for (const gate::Exposure& exposure : {exposure_of(world, "alice"), exposure_of(world, std::to_string(*act), SubjectKind::takedown)}) {
    EXPECT_FALSE(exposure.accounts.contains("carol"));
    EXPECT_EQ(exposure.accounts.at("dave").downloads, 1u) << "a blob alone is an exposure too";
    EXPECT_EQ(exposure.content.takedown, *act);
    EXPECT_EQ(exposure.all.late, 0u);
  }
}

// The test of the whole: pulls, pushes, mounts and a collection, and the act among them.
TEST(Exposure, R45_ATakedownAmong200Clients) {
  World world;
  const Image bad = clean_image("seventeen"), innocent = clean_image("innocent");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(world.push(fmt::format("alice/mirror{}", i), "t", "alice", bad).status, 201);
  ASSERT_EQ(world.push("bob/y", "t", "bob", innocent).status, 201);
  constexpr int pullers = 150, pushers = 20, mounters = 28;
  std::atomic<bool> done{false}, stop{false};
  std::atomic<int> late{0}, accepted_late{0}, innocent_failures{0}, before{0};
  std::vector<std::uint64_t> manifests(pullers), blobs(pullers);
  std::vector<std::thread> threads;
  for (int i = 0; i < pullers; ++i) {
    threads.emplace_back([&, i] {
      const std::string name = fmt::format("client{}", i), repository = fmt::format("alice/mirror{}", i % 3);
      for (int round = 0; !stop; ++round) {
        const bool after = done;
        const bool manifest = (round + i) % 2 == 0;
        const net::Answer answer = world.get(manifest ? at(repository, i % 4 < 2 ? "t" : bad.digest()) : blob_at(repository, digest_of(bad.layers[0])), name);
        if (answer.status == 200 && answer.complete) {
          ++(after ? late : before);
          ++(manifest ? manifests : blobs)[static_cast<std::size_t>(i)];
        }
        if (i % 10 == 0 && world.get(at("bob/y", "t"), name).status != 200) ++innocent_failures;
      }
    });
  }
  for (int i = 0; i < pushers; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; !stop; ++round) {
        const Image more = clean_image(fmt::format("more{}-{}", i, round));
        for (const std::string& blob : {more.layers[0], more.config}) world.push_blob("alice/new", "alice", blob);
        const bool after = done;
        if (world.put_manifest("alice/new", fmt::format("t{}", i), "alice", more.manifest).status == 201 && after) ++accepted_late;
      }
    });
  }
  for (int i = 0; i < mounters; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        const bool after = done;
        const std::string target = fmt::format("/v2/carol/m{}/blobs/uploads/?mount={}&from=alice/mirror{}", i, digest_of(bad.layers[0]), i % 3);
        if (world.request("POST", target, "carol").status == 201 && after) ++accepted_late;
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) EXPECT_TRUE(gate::collect(world.gate()).ok());
  });
  while (before < 500) std::this_thread::yield();
  const auto act = world.gate().take_down("publisher", "alice", "admin", "miners");
  ASSERT_TRUE(act.ok());
  done = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  stop = true;
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(late, 0) << "nothing of the publisher leaves after the act returned";
  EXPECT_EQ(accepted_late, 0) << "and nothing of it comes in";
  EXPECT_EQ(innocent_failures, 0);
  for (const std::string user : {"", "bob", "alice"}) {
    EXPECT_NE(world.get(at("alice/mirror0", "t"), user).status, 200);
    EXPECT_NE(world.get(blob_at("carol/m0", digest_of(bad.layers[0])), user).status, 200);
  }
  EXPECT_EQ(world.get("/v2/_catalog").body, R"({"repositories":["bob/y"]})");
  // Every pull that a client saw to its end is in the list, with nobody forgotten.
  const gate::Exposure exposure = exposure_of(world, "alice");
  for (int i = 0; i < pullers; ++i) {
    const std::size_t n = static_cast<std::size_t>(i);
    if (manifests[n] + blobs[n] == 0) continue;
    const auto found = exposure.accounts.find(fmt::format("client{}", i));
    ASSERT_NE(found, exposure.accounts.end()) << i;
    EXPECT_EQ(found->second.pulls, manifests[n]) << i;
    EXPECT_GE(found->second.downloads, blobs[n]) << i;
    EXPECT_LE(found->second.downloads - found->second.cut, blobs[n] + 1) << i;
  }
}

TEST(UserReports, OfOneImageAreOneCaseWhoseClockRuns) {
  World world;
  const Image image = clean_image("bad");
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  const gate::Viewer stranger{"", false};
  const auto first = gate::report_image(world.gate(), {"alice/x", "t", " mines Monero ", "", "192.0.2.7"}, stranger);
  ASSERT_TRUE(first.ok()) << first.error().message;
  world.advance(std::chrono::hours(24 * 120));
  const auto second = gate::report_image(world.gate(), {"alice/x", image.digest(), "still there", "bob", "192.0.2.8"}, {"bob", false});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(second->reports, 2u);
  EXPECT_EQ(second->opened, first->opened);
  EXPECT_EQ(gate::report_image(world.gate(), {"alice/x", "none", "bad", "", ""}, stranger).error().code, ErrorCode::not_found);
  EXPECT_EQ(gate::report_image(world.gate(), {"alice/x", "t", " ", "", ""}, stranger).error().code, ErrorCode::invalid);
  ASSERT_TRUE(world.metadata().read([&](store::Reader& reader) {
    EXPECT_EQ(reader.open_cases(), (std::pair<std::uint64_t, store::Time>(1, first->opened)));
    const auto texts = reader.user_reports(first->id);
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_EQ(texts[0].reason, "mines Monero");
    EXPECT_EQ(texts[1].reporter, "bob");
  }));
  EXPECT_EQ(gate::close_case(world.gate(), first->id, false, gate::CaseAct::hold, "admin", "").error().code, ErrorCode::invalid);
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 200) << "a report alone takes nothing away";
  ASSERT_TRUE(gate::close_case(world.gate(), first->id, true, gate::CaseAct::condemn, "admin", "it does").ok());
  EXPECT_EQ(world.get(at("alice/x", "t")).status, 404);
  EXPECT_EQ(gate::close_case(world.gate(), first->id, true, gate::CaseAct::none, "admin", "").error().code, ErrorCode::busy);
  // What the publisher says of a condemned image afterwards is another case.
  const auto again = gate::report_image(world.gate(), {"alice/x", image.digest(), "it is harmless", "alice", ""}, {"alice", true});
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_NE(again->id, first->id);
}

TEST(UserReports, WhatAStrangerCannotSeeCannotBeReportedEither) {
  World world;
  const Image image = clean_image("held");
  ASSERT_EQ(world.push("alice/x", "t", "alice", image).status, 201);
  ASSERT_TRUE(world.gate().decide(*Digest::parse(image.digest()), store::State::held, "admin", "a look").ok());
  EXPECT_EQ(gate::report_image(world.gate(), {"alice/x", "t", "bad", "", ""}, {"", false}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace lazaret::registry
