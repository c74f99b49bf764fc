#include "cli/options.h"

#include <gtest/gtest.h>

namespace lazaret::cli {
namespace {

CommandLine parse(std::vector<const char*> words) {
  words.insert(words.begin(), "lazaret");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST(Options, ScanWithItsDefaults) {
  const CommandLine line = parse({"scan", "a", "b"});
  ASSERT_FALSE(line.exit) << line.message;
  EXPECT_EQ(line.command, Command::scan);
  EXPECT_EQ(line.scan.targets, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(line.scan.fail_on, "malicious");
  EXPECT_EQ(line.scan.format, "");
  EXPECT_TRUE(line.scan.tls_verify);
  EXPECT_FALSE(line.scan.no_cache);
  EXPECT_EQ(line.scan.limits.nesting_depth, Limits{}.nesting_depth);
}

TEST(Options, OptionsThatRepeatDoNotEatTargets) {
  const CommandLine line = parse({"scan", "--rules", "r1", "--rules", "r2", "--insecure-registry", "h", "image"});
  ASSERT_FALSE(line.exit) << line.message;
  EXPECT_EQ(line.scan.rules, (std::vector<std::string>{"r1", "r2"}));
  EXPECT_EQ(line.scan.insecure_hosts, (std::vector<std::string>{"h"}));
  EXPECT_EQ(line.scan.targets, (std::vector<std::string>{"image"}));
}

TEST(Options, DiffTakesTwoTargetsAndWhatScanTakes) {
  const CommandLine line = parse({"diff", "--fail-on", "low", "--jobs", "3", "--limit-findings", "7", "old", "new"});
  ASSERT_FALSE(line.exit) << line.message;
  EXPECT_EQ(line.command, Command::diff);
  EXPECT_EQ(line.diff.old_target, "old");
  EXPECT_EQ(line.diff.new_target, "new");
  EXPECT_EQ(line.diff.fail_on, "low");
  EXPECT_EQ(line.diff.scan.jobs, 3u);
  EXPECT_EQ(line.diff.scan.limits.findings, 7u);
  EXPECT_TRUE(parse({"diff", "old"}).exit);
  EXPECT_TRUE(parse({"diff", "a", "b", "c"}).exit);
  EXPECT_TRUE(parse({"diff", "--fail-on", "malicious", "a", "b"}).exit);
}

TEST(Options, MistakesExitWithTwoAndSayWhat) {
  for (const auto& words : std::vector<std::vector<const char*>>{{}, {"scan"}, {"unknown"}, {"scan", "--no-such-option", "x"}, {"scan", "--format", "pdf", "x"},
                                                                {"scan", "--jobs", "0", "x"}, {"scan", "--limit-layers", "-1", "x"}, {"scan", "--limit-layers", "many", "x"},
                                                                {"completion", "tcsh"}}) {
    const CommandLine line = parse(words);
    EXPECT_TRUE(line.exit);
    EXPECT_EQ(line.exit_code, exit_error);
    EXPECT_FALSE(line.message.empty());
  }
}

TEST(Options, HelpAndVersionAreNoMistakes) {
  for (const auto& words : std::vector<std::vector<const char*>>{{"--help"}, {"--version"}, {"scan", "--help"}, {"diff", "--help"}, {"rules", "--help"}, {"completion", "--help"}}) {
    const CommandLine line = parse(words);
    EXPECT_TRUE(line.exit);
    EXPECT_EQ(line.exit_code, 0) << words.front();
    EXPECT_FALSE(line.message.empty());
  }
  EXPECT_NE(parse({"scan", "--help"}).message.find("lazaret scan nginx:latest"), std::string::npos);
  EXPECT_NE(parse({"diff", "--help"}).message.find("lazaret diff "), std::string::npos);
}

TEST(Options, CompletionNamesEveryCommandAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const CommandLine line = parse({"completion", shell});
    ASSERT_FALSE(line.exit);
    for (const char* word : {"scan", "diff", "rules", "fail-on", "limit-ratio"}) EXPECT_NE(line.message.find(word), std::string::npos) << shell << " " << word;
  }
}

}  // namespace
}  // namespace lazaret::cli
