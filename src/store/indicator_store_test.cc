// The contract of the index of indicators, on a file and in memory.
#include "store/indicator_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace lazaret::store {
namespace {

class IndicatorStores : public testing::TestWithParam<const char*> {
 protected:
  IndicatorStores() {
    if (std::string(GetParam()) == "file") {
      char name[] = "/tmp/lazaret-index-XXXXXX";
      folder_ = ::mkdtemp(name);
    }
    open();
  }
  ~IndicatorStores() override {
    store_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  void open() {
    store_.reset();
    store_ = std::move(*open_sqlite_indicator_store(folder_.empty() ? "" : folder_ + "/index.sqlite"));
  }
  void write(const std::function<void(IndicatorWriter&)>& work) {
    ASSERT_TRUE(store_->write([&](IndicatorWriter& writer) {
      work(writer);
      return Result<void>();
    }).ok());
  }
  static std::int64_t add(IndicatorWriter& writer, const std::string& name, bool bad, const std::string& publisher, const std::vector<Observation>& observations) {
    Node node;
    node.name = name;
    node.bad = bad;
    const std::int64_t id = writer.put_node(node);
    writer.add_place(id, {publisher, publisher + "/app", 5});
    writer.put_observations(id, observations);
    return id;
  }
  std::string folder_;
  std::unique_ptr<IndicatorStore> store_;
};
INSTANTIATE_TEST_SUITE_P(, IndicatorStores, testing::Values("file", "memory"), [](const auto& kind) { return std::string(kind.param); });

TEST_P(IndicatorStores, CountsPublishersAndNotImages) {
  write([&](IndicatorWriter& writer) {
    add(writer, "a", true, "eve", {{"wallet", "w", true}});
    add(writer, "b", true, "eve", {{"wallet", "w", true}});
    add(writer, "c", false, "bob", {{"wallet", "w", false}, {"layer", "l", false}});
    const auto counts = writer.indicator("wallet", "w");
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->publishers, 2u);
    EXPECT_EQ(counts->innocent_publishers, 1u);
    EXPECT_EQ(writer.publisher_counts("eve"), (std::pair<std::uint64_t, std::uint64_t>(2, 2)));
    const auto postings = writer.postings(counts->id, false, 10);
    ASSERT_EQ(postings.size(), 3u);
    EXPECT_TRUE(postings[0].bad && postings[1].bad);
    EXPECT_FALSE(postings[2].bad);
    EXPECT_EQ(writer.postings(counts->id, true, 10).size(), 2u);
    EXPECT_EQ(writer.postings(counts->id, false, 1).size(), 1u);
  });
}

TEST_P(IndicatorStores, CountsFollowWhatChanges) {
  write([&](IndicatorWriter& writer) {
    const std::int64_t a = add(writer, "a", true, "eve", {{"wallet", "w", true}});
    const std::int64_t b = add(writer, "b", true, "bob", {{"wallet", "w", true}});
    Node node = *writer.node("b");
    node.bad = false;
    EXPECT_EQ(writer.put_node(node), b);
    writer.put_observations(b, {{"wallet", "w", false}});
    EXPECT_EQ(writer.indicator("wallet", "w")->innocent_publishers, 1u);
    EXPECT_EQ(writer.publisher_counts("bob"), (std::pair<std::uint64_t, std::uint64_t>(0, 1)));
    EXPECT_TRUE(writer.add_place(b, {"carol", "carol/app", 9}));
    EXPECT_FALSE(writer.add_place(b, {"carol", "carol/app", 10})) << "known already";
    EXPECT_EQ(writer.indicator("wallet", "w")->publishers, 3u);
    writer.put_observations(b, {});
    EXPECT_EQ(writer.indicator("wallet", "w")->publishers, 1u);
    EXPECT_EQ(writer.indicator("wallet", "w")->innocent_publishers, 0u);
    writer.remove_node(a);
    EXPECT_EQ(writer.indicator("wallet", "w")->publishers, 0u);
    EXPECT_TRUE(writer.indicators("", "", "", 10).empty()) << "what nobody has any more is not listed";
    EXPECT_FALSE(writer.node("a"));
  });
}

TEST_P(IndicatorStores, LinksHaveTheirReasonsAndSayWhenTheseChange) {
  write([&](IndicatorWriter& writer) {
    const std::int64_t a = add(writer, "a", true, "eve", {{"wallet", "w", true}});
    const std::int64_t b = add(writer, "b", true, "bob", {{"wallet", "w", true}});
    const std::int64_t wallet = writer.indicator("wallet", "w")->id;
    EXPECT_TRUE(writer.changed_indicators(10).empty()) << "nothing depends on it yet";
    writer.put_link({a, b, 100, false, {{wallet, 100, "note"}}});
    ASSERT_EQ(writer.links_of(b).size(), 1u);
    EXPECT_EQ(writer.links_of(b)[0].evidence[0].note, "note");
    EXPECT_EQ(writer.links_by(wallet, 10).size(), 1u);
    add(writer, "c", false, "carol", {{"wallet", "w", false}});
    EXPECT_EQ(writer.changed_indicators(10), std::vector<std::int64_t>{wallet});
    writer.clear_changed(wallet);
    EXPECT_TRUE(writer.changed_indicators(10).empty());
    writer.remove_node(a);
    EXPECT_TRUE(writer.links_of(b).empty());
  });
}

TEST_P(IndicatorStores, SimilarOnesAreFoundByTheirKeys) {
  write([&](IndicatorWriter& writer) {
    add(writer, "a", true, "eve", {{"script-tlsh", "x", true}, {"script-tlsh", "y", true}});
    writer.put_keys(writer.indicator("script-tlsh", "x")->id, "script-tlsh", {1, 2, 3});
    writer.put_keys(writer.indicator("script-tlsh", "y")->id, "script-tlsh", {3, 4});
    const auto found = writer.with_keys("script-tlsh", {2, 3}, 10);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].value, "x") << "the one with more keys comes first";
    EXPECT_EQ(writer.with_keys("script-tlsh", {2, 3}, 1).size(), 1u);
    EXPECT_TRUE(writer.with_keys("program-tlsh", {2, 3}, 10).empty());
  });
}

TEST_P(IndicatorStores, CampaignsKeepMembersActsAndDistance) {
  write([&](IndicatorWriter& writer) {
    const std::int64_t first = writer.add_campaign({0, "one", "", true, 7, 0, 0}), second = writer.add_campaign({0, "", "x-2020", false, 8, 0, 0});
    const std::int64_t node = add(writer, "a", true, "eve", {});
    writer.set_campaign(node, first, true);
    EXPECT_EQ(writer.campaign(first)->members, 1u);
    EXPECT_EQ(writer.members(first)[0].name, "a");
    EXPECT_TRUE(writer.members(0).empty());
    EXPECT_EQ(writer.campaign_of_incident("x-2020")->id, second);
    EXPECT_FALSE(writer.campaign_of_incident(""));
    writer.keep_apart(second, first, true);
    EXPECT_EQ(writer.kept_apart_from(first), std::vector<std::int64_t>{second});
    writer.keep_apart(first, second, false);
    EXPECT_TRUE(writer.kept_apart_from(second).empty());
    writer.add_act({first, 9, "kim", "named", "one"});
    EXPECT_EQ(writer.acts_of(first)[0].actor, "kim");
    Campaign campaign = *writer.campaign(second);
    campaign.merged_into = first;
    writer.update_campaign(campaign);
    EXPECT_EQ(writer.campaigns().size(), 1u);
  });
}

TEST_P(IndicatorStores, NothingHappensInATransactionThatFails) {
  EXPECT_FALSE(store_->write([&](IndicatorWriter& writer) -> Result<void> {
    add(writer, "a", true, "eve", {{"wallet", "w", true}});
    return Error{ErrorCode::invalid, "no"};
  }).ok());
  ASSERT_TRUE(store_->read([](IndicatorReader& reader) { EXPECT_EQ(reader.node_count(), 0u); }).ok());
}

TEST_P(IndicatorStores, WhatWasWrittenIsThereAfterANewStart) {
  if (folder_.empty()) GTEST_SKIP() << "memory ends with the process";
  write([&](IndicatorWriter& writer) { add(writer, "a", true, "eve", {{"wallet", "w", true}}); });
  open();
  ASSERT_TRUE(store_->read([](IndicatorReader& reader) {
    ASSERT_TRUE(reader.node("a"));
    EXPECT_EQ(reader.indicators_of(reader.node("a")->id).size(), 1u);
  }).ok());
}

}  // namespace
}  // namespace lazaret::store
