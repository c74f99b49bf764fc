#include "report/campaign_report.h"

#include <gtest/gtest.h>

#include "format/json.h"

namespace lazaret::report {
namespace {

// What attackers choose (names, values, paths) holds what would be markup elsewhere.
intel::Story sample() {
  intel::Story story;
  story.campaign.id = 7;
  story.campaign.created = 1'525'000'000'000;
  story.title = "<b>spiders</b> | \x1b[2J";
  story.first_upload = 1'495'000'000'000;
  story.first_verdict = 1'525'900'000'000;
  story.pulls = 12;
  story.attack = {"T1053.003"};
  intel::StoryImage image;
  image.digest = "sha256:" + std::string(64, 'a');
  image.places = {{"eve", "eve/<script>alert(1)</script>", 1'495'000'000'000}};
  image.titles = {"a | b ![x](http://evil.example/y.png)"};
  image.verdict = "malicious";
  image.state = "condemned";
  image.bad = true;
  image.why = "shares wallet 4abc (100) with sha256:b";
  image.attack = {"T1053.003"};
  story.images = {image};
  story.accounts.emplace_back().name = "eve";
  intel::StoryIndicator server;
  server.kind = "c2";
  server.title = "server and port";
  server.value = "203.0.113.7:8220";
  server.images = 2;
  server.weight = 100;
  intel::StoryIndicator odd = server;
  odd.kind = "login";
  odd.title = "login at a mining pool";
  odd.value = "o'neill\\x";
  story.indicators = {server, odd};
  story.timeline = {{"2017-05", "the account | appears", "a report"}};
  story.advice = {"Rebuild the host."};
  return story;
}

TEST(CampaignReport, HtmlHoldsNoMarkupOfAttackers) {
  const std::string page = campaign_html(sample());
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<b>spiders"), std::string::npos);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("203.0.113.7:8220"), std::string::npos);
}

TEST(CampaignReport, MarkdownFetchesNothingAndKeepsItsTables) {
  const std::string text = campaign_markdown(sample());
  EXPECT_EQ(text.find("](http"), std::string::npos);
  EXPECT_EQ(text.find("<script"), std::string::npos);
  EXPECT_NE(text.find("## Timeline"), std::string::npos);
  EXPECT_EQ(text.find("account | appears"), std::string::npos) << "a bar would end the cell";
}

TEST(CampaignReport, JsonSaysEverything) {
  const auto document = format::parse_json(campaign_json(sample()));
  ASSERT_TRUE(document.valid);
  EXPECT_EQ(document.value.text("schema"), "lazaret.campaign/v1");
  EXPECT_EQ(document.value.find("pulls")->as_size(), 12u);
  EXPECT_EQ(document.value.find("images")->as_array()->size(), 1u);
  EXPECT_EQ(document.value.find("indicators")->as_array()->size(), 2u);
}

TEST(CampaignReport, StixTimesHaveMillisecondsAndPatternsAreQuoted) {
  const std::string text = campaign_stix(sample());
  EXPECT_EQ(text, campaign_stix(sample())) << "the same story gives the same bundle";
  const auto document = format::parse_json(text);
  ASSERT_TRUE(document.valid);
  std::size_t patterns = 0;
  for (const format::JsonValue& object : *document.value.find("objects")->as_array()) {
    EXPECT_TRUE(object.text("created").ends_with(".000Z")) << object.text("type");
    const std::string_view pattern = object.text("pattern");
    patterns += !pattern.empty();
    if (pattern.find("login") != std::string_view::npos) {
      EXPECT_EQ(pattern, "[x-lazaret-login:value = 'o\\'neill\\\\x']");
    }
  }
  EXPECT_EQ(patterns, 3u) << "two indicators and the image";
}

TEST(CampaignReport, TheTableStaysOnTheTerminal) {
  EXPECT_EQ(campaign_table(sample()).find('\x1b'), std::string::npos);
  EXPECT_NE(campaign_table(sample()).find("203.0.113.7:8220"), std::string::npos);
  EXPECT_EQ(campaign_list_table({}), "no campaigns\n");
}

}  // namespace
}  // namespace lazaret::report
