#include "engine/yara.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "engine/yara_pack_test_support.h"

namespace lazaret::engine {
namespace {

std::unique_ptr<YaraRules> compiled(const std::vector<std::pair<std::string, std::string>>& sources, bool prefilter = true) {
  auto rules = YaraRules::compile(sources, {"", prefilter});
  EXPECT_TRUE(rules.ok()) << (rules.ok() ? "" : rules.error().message);
  return rules.ok() ? std::move(*rules) : nullptr;
}

std::vector<std::string> described(const YaraRules& rules, const YaraResult& result) {
  std::vector<std::string> lines;
  for (const YaraMatch& match : result.matches) {
    const YaraRule& rule = rules.rules()[match.rule];
    lines.push_back(rule.namespace_name + " " + rule.name + " " + match.string_name + "@" + std::to_string(match.offset) + " " + match.excerpt);
  }
  return lines;
}

std::vector<std::string> names(const YaraRules& rules, std::string_view content, const YaraFile& file = {}) {
  std::vector<std::string> list;
  for (const YaraMatch& match : rules.scan(as_bytes(content), file, 60).matches) list.push_back(rules.rules()[match.rule].name);
  return list;
}

TEST(Yara, EverySourceOfThePackIsUnderstood) {
  const auto rules = compiled(yara_pack());
  ASSERT_NE(rules, nullptr);
  EXPECT_EQ(rules->statistics().rules_run_always, 0u);
}

// The property that all else serves: with the prefilter, the matches are those of libyara with all rules.
TEST(Yara, MatchesAreThoseOfLibyaraWithAllRules) {
  const auto rules = compiled(yara_pack()), plain = compiled(yara_pack(), false);
  ASSERT_TRUE(rules != nullptr && plain != nullptr);
  std::mt19937 random(1);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  static const std::vector<YaraFile> files = {{"", ""}, {"/opt/named.bin", "elf"}, {"/usr/bin/NAMING.BIN", "text"}, {"/etc/x.sh", "script"}};
  std::set<std::string> fired, stayed;
  std::size_t run = 0, rounds = 0;
  const auto compare = [&](const std::string& content, const YaraFile& file) {
    const YaraResult with = rules->scan(as_bytes(content), file, 60), without = plain->scan(as_bytes(content), file, 60);
    ASSERT_EQ(described(*rules, with), described(*plain, without)) << "content: " << testing::PrintToString(content);
    ASSERT_EQ(with.incomplete, "");
    std::set<std::size_t> matched;
    for (const YaraMatch& match : with.matches) matched.insert(match.rule);
    for (std::size_t i = 0; i < rules->rules().size(); ++i) (matched.contains(i) ? fired : stayed).insert(rules->rules()[i].name);
    run += with.rules_run;
    ++rounds;
  };
  for (const std::string& header : yara_headers()) {
    for (int i = 0; i < 8; ++i) ASSERT_NO_FATAL_FAILURE(compare(header + yara_pieces()[below(yara_pieces().size())], files[static_cast<std::size_t>(i) % files.size()]));
  }
  for (const std::string& piece : yara_pieces()) ASSERT_NO_FATAL_FAILURE(compare(piece, files[0]));
  for (std::size_t size = 0; size < 300; size += 20) ASSERT_NO_FATAL_FAILURE(compare(std::string(size, '.'), files[0]));
  for (int round = 0; round < 400; ++round) {
    std::string content = yara_headers()[below(yara_headers().size())];
    for (std::size_t count = below(14); count > 0; --count) {
      std::string piece = yara_pieces()[below(yara_pieces().size())];
      if (below(12) == 0) piece[below(piece.size())] = static_cast<char>(random());
      for (std::size_t copies = 1 + (below(4) == 0 ? 2 : 0); copies > 0; --copies) content += piece + std::string(below(3) == 0 ? below(60) : below(3), static_cast<char>(below(2) == 0 ? ' ' : random()));
    }
    if (below(4) == 0) content.resize(below(3000), '.');
    ASSERT_NO_FATAL_FAILURE(compare(content, files[below(files.size())]));
  }
  // Otherwise the comparison says nothing about a rule.
  for (const YaraRule& rule : rules->rules()) {
    if (!rule.is_private && rule.name != "never") { EXPECT_TRUE(fired.contains(rule.name)) << rule.name << " never fired"; }
    if (rule.name != "always") { EXPECT_TRUE(stayed.contains(rule.name)) << rule.name; }
  }
  EXPECT_LT(run, rounds * rules->rules().size() / 4);
}

TEST(Yara, ARuleRunsOnlyWhereItsConditionCanBeTrue) {
  const auto rules = compiled({{"r", R"(rule a { strings: $a = "needle-in-hay" $b = "second-needle" condition: uint32(0) == 0x464c457f and all of them and filesize < 1MB })"}});
  const auto run = [&](std::string_view content) { return rules->scan(as_bytes(content), {}, 60).rules_run; };
  EXPECT_EQ(run("\x7f" "ELF needle-in-hay second-needle"), 1u);
  EXPECT_EQ(run("\x7f" "ELF needle-in-hay"), 0u);
  EXPECT_EQ(run("needle-in-hay second-needle"), 0u);
  EXPECT_EQ(run("\x7f" "ELF needle-in-hay second-needle" + std::string(2 << 20, ' ')), 0u);
  EXPECT_EQ(run(""), 0u);
}

TEST(Yara, SourcesThatAreNotUnderstoodAreRunOnEveryFile) {
  const auto plain = compiled({{"r", R"(rule a { strings: $a = "needle" condition: $a })"}}, false);
  EXPECT_EQ(plain->statistics().rules_run_always, 1u);
  EXPECT_EQ(plain->scan(as_bytes("hay"), {}, 60).rules_run, 1u);
  EXPECT_EQ(names(*plain, "a needle"), std::vector<std::string>{"a"});
}

TEST(Yara, MatchesComeInTheOrderOfTheRules) {
  const auto rules = compiled({{"b", R"(rule z { strings: $a = "needle-one" condition: $a } rule y { strings: $a = "needle-two" condition: $a })"},
                               {"a", R"(rule x { condition: true })"}});
  EXPECT_EQ(names(*rules, "needle-two needle-one"), (std::vector<std::string>{"z", "y", "x"}));
}

TEST(Yara, OneUnitServesManyCandidatesOfALargeFile) {
  std::string source, content;
  for (int i = 0; i < 40; ++i) {
    source += "rule r" + std::to_string(i) + " { strings: $a = \"candidate-number-" + std::to_string(i) + ".\" condition: $a }\n";
    content += "candidate-number-" + std::to_string(i) + ".";
  }
  content.resize(8 << 20, ' ');
  const auto rules = compiled({{"r", source}});
  EXPECT_EQ(names(*rules, content).size(), 40u);
  EXPECT_EQ(names(*rules, content).size(), 40u);
}

TEST(Yara, ManyCandidatesOfASourceAreDecidedByTheWholeSource) {
  std::string source = "global rule small { condition: filesize < 1MB }\nprivate rule hidden { strings: $a = \"candidate\" condition: $a }\n", content;
  for (int i = 0; i < 200; ++i) source += "rule r" + std::to_string(i) + " { strings: $a = \"candidate-number-" + std::to_string(i) + ".\" condition: hidden and $a }\n";
  for (int i = 0; i < 200; i += 5) content += "candidate-number-" + std::to_string(i) + ".";
  const auto rules = compiled({{"r", source}});
  EXPECT_EQ(rules->scan(as_bytes(content), {}, 60).rules_run, 42u);
  const auto found = names(*rules, content);
  EXPECT_EQ(found.size(), 41u);
  EXPECT_EQ(found.front(), "small");
  EXPECT_EQ(found.back(), "r195");
  EXPECT_TRUE(names(*rules, content + std::string(2 << 20, ' ')).empty());
}

// Hyperscan refuses a null pointer; every rule was run on files of no bytes.
TEST(Yara, AnEmptyFileHasNoAddress) {
  const auto rules = compiled({{"r", R"(rule a { strings: $a = "needle-in-hay" condition: $a } rule b { condition: filesize == 0 })"}});
  const YaraResult result = rules->scan(Bytes(), {}, 60);
  EXPECT_EQ(result.rules_run, 1u);
  EXPECT_EQ(result.matches.size(), 1u);
}

TEST(Yara, WhatIsKeptForTheNextStartGivesTheSame) {
  const std::string folder = testing::TempDir() + "yara_test." + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  const auto start = [&](const std::vector<std::pair<std::string, std::string>>& sources) {
    auto rules = YaraRules::compile(sources, {folder, true});
    EXPECT_TRUE(rules.ok());
    return std::move(*rules);
  };
  const auto first = start(yara_pack());
  const auto scanned = [&](const YaraRules& rules) {
    std::vector<std::string> lines;
    for (const std::string& header : yara_headers()) {
      for (const std::string& piece : yara_pieces()) {
        for (const std::string& line : described(rules, rules.scan(as_bytes(header + piece), {}, 60))) lines.push_back(line);
      }
    }
    return lines;
  };
  const auto expected = scanned(*first);
  const auto kept = [&] { return std::distance(std::filesystem::directory_iterator(folder), {}); };
  const auto files = kept();
  EXPECT_GT(files, 2);
  const auto again = start(yara_pack());
  EXPECT_EQ(scanned(*again), expected);
  EXPECT_EQ(kept(), files) << "nothing is made again";
  EXPECT_EQ(again->rules().size(), first->rules().size());
  EXPECT_EQ(again->rules()[0].tags, first->rules()[0].tags);
  EXPECT_EQ(again->rules()[0].metadata, first->rules()[0].metadata);
  // Other rules are not taken for those.
  EXPECT_EQ(names(*start({{"text.yar", "rule other { condition: true }"}}), "x"), std::vector<std::string>{"other"});
  // What is damaged is made again.
  for (const auto& entry : std::filesystem::directory_iterator(folder)) std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) / 2);
  EXPECT_EQ(scanned(*start(yara_pack())), expected);
  EXPECT_FALSE(YaraRules::compile({{"bad.yar", "rule a { condition: $b }"}}, {folder, true}).ok());
  EXPECT_FALSE(YaraRules::compile({{"bad.yar", "rule a { condition: $b }"}}, {folder, true}).ok());
  std::filesystem::remove_all(folder);
}

TEST(Yara, NameSpacesOfSeveralSourcesShareTheirRules) {
  const auto rules = compiled({{"n", R"(private rule base { strings: $a = "base-needle" condition: $a } global rule g { condition: filesize < 100 })"},
                               {"n", R"(rule derived { condition: base })"}});
  EXPECT_EQ(rules->statistics().rules_run_always, 0u);
  EXPECT_EQ(names(*rules, "base-needle"), (std::vector<std::string>{"g", "derived"}));
  EXPECT_EQ(names(*rules, "base-needle" + std::string(100, ' ')), std::vector<std::string>{});
}

TEST(Yara, ErrorsNameFileAndLine) {
  const auto rules = YaraRules::compile({{"bad.yar", "rule a {\n strings: $a = \"x\"\n condition: $b }"}});
  ASSERT_FALSE(rules.ok());
  EXPECT_NE(rules.error().message.find("bad.yar:3"), std::string::npos) << rules.error().message;
  EXPECT_FALSE(YaraRules::compile({{"m.yar", "import \"cuckoo\" rule a { condition: true }"}}).ok());
}

TEST(Yara, MetadataAndTagsAreKept) {
  const auto rules = compiled(yara_pack());
  const YaraRule& rule = rules->rules()[0];
  EXPECT_EQ(rule.tags, (std::vector<std::string>{"tag1", "tag2"}));
  const std::vector<std::pair<std::string, std::string>> metadata = {{"author", "somebody"}, {"score", "75"}, {"sure", "true"}, {"less", "-1"}};
  EXPECT_EQ(rule.metadata, metadata);
}

TEST(Yara, AStringThatMatchesTooOftenMakesTheFileIncomplete) {
  const auto rules = compiled({{"r", R"(rule a { strings: $a = /aaaa[a-z]/ condition: #a > 2000000 })"}});
  const YaraResult result = rules->scan(as_bytes(std::string(3 << 20, 'a')), {}, 120);
  EXPECT_NE(result.incomplete, "");
}

TEST(YaraWindows, TellWhetherARuleMayMatch) {
  const auto rules = compiled({{"r", R"(rule a { strings: $a = "needle-one" $b = "needle-two" condition: uint16(0) == 0x5a4d and all of them }
                                       private rule p { condition: true })"}});
  const auto ask = [&](const std::vector<std::string>& windows) {
    const auto file = rules->open_windows({"x", ""}, windows.empty() ? Bytes() : as_bytes(windows.front()));
    std::uint64_t offset = 0;
    for (const std::string& window : windows) {
      file->feed(as_bytes(window));
      offset += window.size();
    }
    return file->may_match(offset);
  };
  EXPECT_TRUE(ask({"MZ needle-one", "needle-two"}));
  EXPECT_FALSE(ask({"MZ needle-one", "needle-one"}));
  EXPECT_FALSE(ask({"ZM needle-one", "needle-two"}));
  EXPECT_FALSE(ask({}));
}

// What a file does to the prefilter must not last.
TEST(Yara, AFileDoesNotChangeTheNext) {
  const auto rules = compiled({{"r", R"(rule a { strings: $a = "needle-one" $b = "needle-two" condition: all of them })"}});
  EXPECT_EQ(rules->scan(as_bytes("needle-one"), {}, 60).rules_run, 0u);
  EXPECT_EQ(rules->scan(as_bytes("needle-two"), {}, 60).rules_run, 0u);
  EXPECT_EQ(rules->scan(as_bytes("needle-one needle-two"), {}, 60).rules_run, 1u);
  EXPECT_EQ(rules->scan(as_bytes("needle-two"), {}, 60).rules_run, 0u);
}

// Values that the prefilter takes for undefined in files that are no PE files.
TEST(Yara, PeValuesAreUndefinedWithoutADosHeader) {
  const std::vector<std::string> values = {
      "machine", "number_of_sections", "timestamp", "characteristics", "entry_point", "image_base", "number_of_rva_and_sizes", "subsystem", "checksum",
      "sections[0].name", "overlay.offset", "linker_version.major", "os_version.major", "image_version.major", "subsystem_version.major", "size_of_image",
      "imphash()", "exports(\"x\")", "number_of_exports", "number_of_imports", "number_of_resources", "resources[0].id", "version_info[\"x\"]",
      "number_of_signatures", "signatures[0].issuer", "pdb_path", "is_dll()", "is_32bit()", "is_64bit()", "imports(\"x\")", "imports(\"x\", \"y\")"};
  std::string source = "import \"pe\"\n";
  for (std::size_t i = 0; i < values.size(); ++i) source += "rule r" + std::to_string(i) + " { condition: defined pe." + values[i] + " }\n";
  const auto plain = compiled({{"r", source}}, false);
  ASSERT_NE(plain, nullptr);
  for (const std::string& content : {std::string("M"), std::string("not a program"), std::string(4096, '\0'), "ZM" + std::string(4096, '\x40')}) {
    for (const std::string& name : names(*plain, content)) ADD_FAILURE() << values[static_cast<std::size_t>(std::stoi(name.substr(1)))] << " is defined";
  }
}

}  // namespace
}  // namespace lazaret::engine
