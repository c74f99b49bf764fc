#include "engine/literal_finder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "engine/literal_rarity.h"

namespace lazaret::engine {
namespace {

std::set<std::uint32_t> found_in(const LiteralFinder& finder, std::string_view bytes) {
  LiteralFinder::Scratch scratch;
  std::vector<std::uint32_t> found;
  finder.find(as_bytes(bytes), scratch, found);
  std::set<std::uint32_t> set(found.begin(), found.end());
  EXPECT_EQ(set.size(), found.size()) << "each once";
  return set;
}

TEST(LiteralFinder, FindsALiteralAtEveryPosition) {
  const std::string literal = "needle-12";
  const LiteralFinder finder({{literal, false}});
  for (std::size_t before = 0; before < 80; ++before) {
    for (std::size_t after = 0; after < 80; after += 3) {
      EXPECT_EQ(found_in(finder, std::string(before, '.') + literal + std::string(after, '.')).size(), 1u) << before << " " << after;
    }
    EXPECT_TRUE(found_in(finder, std::string(before, '.') + literal.substr(0, 8)).empty());
    EXPECT_TRUE(found_in(finder, std::string(before, '.') + "needle-13" + std::string(40, '.')).empty());
  }
}

TEST(LiteralFinder, CaseCountsUnlessItIsToBeIgnored) {
  const LiteralFinder finder({{"Mixed-Case[1]", false}, {"Mixed-Case[1]", true}});
  EXPECT_EQ(found_in(finder, "..Mixed-Case[1].."), (std::set<std::uint32_t>{0, 1}));
  EXPECT_EQ(found_in(finder, "..mIXED-cASE[1].."), (std::set<std::uint32_t>{1}));
  EXPECT_EQ(found_in(finder, "..mIXED-cASE{1}.."), (std::set<std::uint32_t>{})) << "brackets are no letters";
}

TEST(LiteralFinder, NothingToFind) {
  const LiteralFinder empty({});
  EXPECT_TRUE(found_in(empty, "some bytes").empty());
  const LiteralFinder finder({{"needle-12", false}});
  EXPECT_TRUE(found_in(finder, "").empty());
  EXPECT_TRUE(found_in(finder, "needle-1").empty());
}

TEST(LiteralFinder, OneScratchServesManyFilesAndFinders) {
  const LiteralFinder one({{"needle-12", false}}), other({{"needle-34", false}, {"needle-56", false}});
  LiteralFinder::Scratch scratch;
  std::vector<std::uint32_t> found;
  for (int round = 0; round < 3; ++round) {
    one.find(as_bytes("a needle-12, needle-12"), scratch, found);
    EXPECT_EQ(found, (std::vector<std::uint32_t>{0}));
    found.clear();
    other.find(as_bytes("needle-56"), scratch, found);
    EXPECT_EQ(found, (std::vector<std::uint32_t>{1}));
    found.clear();
    one.find(as_bytes("needle-56"), scratch, found);
    EXPECT_TRUE(found.empty());
  }
}

TEST(LiteralFinder, SomeLiteralsDoNotSuit) {
  EXPECT_FALSE(LiteralFinder::suits(""));
  EXPECT_FALSE(LiteralFinder::suits("needle-1"));
  EXPECT_TRUE(LiteralFinder::suits("needle-12"));
  EXPECT_FALSE(LiteralFinder::suits(std::string(40, '\0')));
  EXPECT_FALSE(LiteralFinder::suits(std::string(40, ' ')));
  EXPECT_TRUE(LiteralFinder::suits(std::string(40, '\0') + "needle-12"));
}

// The property that counts: what a plain search finds, and nothing else.
TEST(LiteralFinder, FindsWhatAPlainSearchFinds) {
  std::mt19937 random(3);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  for (int round = 0; round < 60; ++round) {
    // Few different bytes, so that literals overlap and share their grams.
    const unsigned letters = 2 + static_cast<unsigned>(below(30));
    const auto text = [&](std::size_t size) {
      std::string made;
      for (std::size_t i = 0; i < size; ++i) made += static_cast<char>(below(8) == 0 ? random() : "aAbB@`zZ\0 {[1-_x9.\x80\xc0\xe0 ~!qQwWeErR"[below(letters)]);
      return made;
    };
    std::vector<std::string> texts;
    while (texts.size() < 200) {
      std::string one = text(9 + below(below(4) == 0 ? 90 : 6));
      if (LiteralFinder::suits(one)) texts.push_back(std::move(one));
    }
    std::vector<LiteralFinder::Literal> literals;
    for (const std::string& one : texts) literals.push_back({one, below(3) == 0});
    const LiteralFinder finder(literals);
    std::string content = text(below(2000));
    for (std::size_t pieces = below(20); pieces > 0; --pieces) {
      std::string piece = texts[below(texts.size())];
      if (below(3) == 0) {
        for (char& c : piece) c = static_cast<char>(c >= 'a' && c <= 'z' ? c & ~0x20 : c >= 'A' && c <= 'Z' ? c | 0x20 : c);
      }
      content.insert(below(content.size() + 1), piece);
    }
    const auto lower = [](std::string all) {
      for (char& c : all) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
      return all;
    };
    std::set<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < literals.size(); ++i) {
      const bool there = literals[i].ignore_case ? lower(content).find(lower(texts[i])) != std::string::npos : content.find(texts[i]) != std::string::npos;
      if (there) expected.insert(i);
    }
    ASSERT_EQ(found_in(finder, content), expected) << "round " << round;
  }
}

TEST(LiteralRarity, WordsAndZerosAreCommon) {
  EXPECT_GT(frequency_of("type"), frequency_of("tqxj"));
  EXPECT_GT(frequency_of("function"), frequency_of("fnuctoin"));
  EXPECT_GT(frequency_of(std::string(4, '\0')), frequency_of("type"));
  EXPECT_GT(frequency_of("TYPE"), 1e-5) << "either case counts";
  EXPECT_LT(frequency_of("a longer text is met more seldom"), frequency_of("a longer text"));
  EXPECT_EQ(frequency_of(""), 1.0);
  EXPECT_LT(frequency_of("ab"), frequency_of("a"));
}

}  // namespace
}  // namespace lazaret::engine
