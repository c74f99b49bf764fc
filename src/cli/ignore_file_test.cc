#include "cli/ignore_file.h"

#include <gtest/gtest.h>

namespace lazaret::cli {
namespace {

audit::Finding finding(std::string rule, std::string path, std::string layer = "sha256:a", std::string id = "0123456789abcdef") {
  audit::Finding made;
  made.id = std::move(id);
  made.rule = std::move(rule);
  made.category = detect::Category::reverse_shell;
  made.severity = detect::Severity::critical;
  made.confidence = detect::Confidence::high;
  made.title = "title";
  made.location.path = std::move(path);
  made.location.layer = std::move(layer);
  made.context.reached = true;
  return made;
}

audit::Report report() {
  audit::Report made;
  made.findings = {finding("reverse-shell.a", "/run.sh"), finding("reverse-shell.b", "/opt/x/run.sh"), finding("miner.config", "/opt/x/config.json")};
  audit::judge(audit::Policy::standard(), made);
  return made;
}

audit::Report applied(std::string_view toml) {
  const auto file = IgnoreFile::parse(toml, "ignore.toml");
  EXPECT_TRUE(file) << file.error().message;
  audit::Report made = report();
  file->apply(audit::Policy::standard(), made);
  return made;
}

TEST(IgnoreFile, AnEntryTakesOutWhatItNamesAndSaysSo) {
  const audit::Report made = applied("[[ignore]]\nrule = \"reverse-shell.a\"\nreason = \"our own test\"\n");
  EXPECT_EQ(made.findings.size(), 2u);
  EXPECT_EQ(made.reasons.back(), "1 finding ignored (reverse-shell.a): our own test");
}

TEST(IgnoreFile, TheRestIsJudgedAnew) {
  const audit::Report made = applied("[[ignore]]\nrule = \"*.*\"\npath = \"/**\"\nreason = \"all\"\n");
  EXPECT_TRUE(made.findings.empty());
  EXPECT_EQ(made.verdict, audit::Verdict::clean);
  EXPECT_EQ(made.score, 0);
}

TEST(IgnoreFile, PathsArePatternsAndAStarStaysInItsFolder) {
  EXPECT_EQ(applied("[[ignore]]\nrule = \"*\"\npath = \"/opt/*\"\nreason = \"r\"\n").findings.size(), 3u);
  EXPECT_EQ(applied("[[ignore]]\nrule = \"*\"\npath = \"/opt/**\"\nreason = \"r\"\n").findings.size(), 1u);
}

TEST(IgnoreFile, LayerAndIdNarrow) {
  EXPECT_EQ(applied("[[ignore]]\nrule = \"reverse-shell.*\"\nlayer = \"sha256:b\"\nreason = \"r\"\n").findings.size(), 3u);
  EXPECT_EQ(applied("[[ignore]]\nid = \"0123456789abcdef\"\nreason = \"r\"\n").findings.size(), 0u);
  EXPECT_EQ(applied("[[ignore]]\nid = \"ffffffffffffffff\"\nreason = \"r\"\n").findings.size(), 3u);
}

TEST(IgnoreFile, AnEntryThatFitsNothingIsTold) {
  EXPECT_EQ(applied("[[ignore]]\nrule = \"webshell.x\"\nreason = \"r\"\n").reasons.back(), "the ignore entry for webshell.x fits nothing: remove it");
}

TEST(IgnoreFile, MistakesNameFileAndLine) {
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"[[ignore]]\nrule = \"x\"\n", "reason"},
           {"[[ignore]]\nreason = \"r\"\n", "rule or a finding id"},
           {"\n[[ignore]]\nrule = \"x\"\nreason = \"r\"\nuntil = \"soon\"\n", "date"},
           {"[[ignore]]\nrule = \"x\"\nreason = \"r\"\nuntil = 2020-01-31\n", "run out"},
           {"[[ignore]]\nrule = \"x\"\nreason = \"r\"\nwho = \"me\"\n", "rule, path, layer, id and reason"},
           {"[[ignore]]\nrule = 7\nreason = \"r\"\n", "rule, path, layer, id and reason"},
           {"[ignore]\nrule = \"x\"\n", "[[ignore]]"},
           {"other = 1\n", "[[ignore]]"},
           {"not toml at all", ""}}) {
    const auto file = IgnoreFile::parse(text, "ignore.toml");
    ASSERT_FALSE(file) << text;
    EXPECT_EQ(file.error().message.find("ignore.toml:"), 0u) << file.error().message;
    EXPECT_NE(file.error().message.find(what), std::string::npos) << file.error().message;
  }
}

TEST(IgnoreFile, ADateThatIsFarAwayIsFine) {
  EXPECT_EQ(applied("[[ignore]]\nrule = \"miner.config\"\nreason = \"r\"\nuntil = 9999-12-31\n").findings.size(), 2u);
}

TEST(IgnoreFile, AnEmptyFileChangesNothing) {
  const audit::Report made = applied("");
  EXPECT_EQ(made.findings.size(), 3u);
  EXPECT_EQ(made.reasons, report().reasons);
}

// The comment of the class says so, and it was not so.
TEST(IgnoreFile, AnEntryOfNothingButAWildcardIsRefused) {
  for (const char* rule : {"*", "**", "?*"}) {
    EXPECT_FALSE(IgnoreFile::parse("[[ignore]]\nrule = \"" + std::string(rule) + "\"\nreason = \"r\"\n", "ignore.toml")) << rule;
  }
}

}  // namespace
}  // namespace lazaret::cli
