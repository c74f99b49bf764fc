#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "format/json.h"
#include "report/finding_groups.h"
#include "report/report_test_support.h"
#include "report/terminal_text.h"
#include "report/text_support.h"
#include "report/writer.h"

namespace lazaret::report {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) lines.emplace_back(line);
  return lines;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

std::string table(std::size_t width, bool colour = false) { return to_table(sample_report(), {colour, width, false}); }

// The forms as they are kept. `make golden` writes them anew; look at the difference before you commit it.
class Golden : public testing::TestWithParam<std::pair<const char*, std::string (*)()>> {};

TEST_P(Golden, IsAsItWas) {
  const auto& [name, make] = GetParam();
  const std::string path = std::string(LAZARET_SOURCE_DIR) + "/tests/golden/forms/" + name, text = make();
  if (std::getenv("LAZARET_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    GTEST_SKIP() << "written anew: " << name;
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream kept;
  kept << file.rdbuf();
  EXPECT_EQ(kept.str(), text) << "the form has changed. When it should have, run this and look at the difference:\n\n    make golden\n";
}

INSTANTIATE_TEST_SUITE_P(Forms, Golden,
                         testing::Values(std::pair{"report-80.txt", +[] { return table(80); }}, std::pair{"report-120.txt", +[] { return table(120); }},
                                         std::pair{"report.json", +[] { return to_json({sample_report()}, false); }}, std::pair{"report.md", +[] { return to_markdown(sample_report()); }},
                                         std::pair{"report.html", +[] { return to_html({sample_report()}); }}));

TEST(AttackerText, IsEscapedInEveryForm) {
  for (const std::string& text : {table(100), to_markdown(sample_report()), to_html({sample_report()}), to_json({sample_report()}, true)}) {
    EXPECT_TRUE(is_utf8(text));
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    for (const char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 32);
  }
  EXPECT_EQ(to_html({sample_report()}).find("<script>"), std::string::npos);
  EXPECT_EQ(table(100).find("\u202e"), std::string::npos);
  EXPECT_EQ(to_html({sample_report()}).find("\u202e"), std::string::npos);
  EXPECT_EQ(to_markdown(sample_report()).find("\u202e"), std::string::npos);
}

TEST(AttackerText, CannotLeaveItsCodeBlockInMarkdown) {
  audit::Report report = sample_report();
  report.findings.resize(1);
  report.findings[0].evidence = "a\n````\n# heading\n```";
  const std::string text = to_markdown(report);
  EXPECT_EQ(text.find("\n# heading"), std::string::npos);
  EXPECT_NE(text.find("\n`````\n"), std::string::npos);  // a fence longer than any run inside
}

TEST(AttackerText, InATargetIsEscapedToo) {
  audit::Report report = sample_report();
  report.target = hostile;
  for (const std::string& text : {to_table(report, {}), to_markdown(report), to_html({report})}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("\n@everyone"), std::string::npos);
  }
}

TEST(Json, IsOneObjectOrAnArray) {
  const auto one = format::parse_json(to_json({sample_report()}, false));
  const auto many = format::parse_json(to_json({sample_report(), sample_report()}, true));
  EXPECT_TRUE(one.valid && one.diagnostics.empty());
  ASSERT_NE(many.value.as_array(), nullptr);
  EXPECT_EQ(many.value.as_array()->size(), 2u);
  EXPECT_EQ(one.value.text("verdict"), "malicious");
}

TEST(Table, FitsItsWidth) {
  for (const std::size_t width : {60u, 80u, 100u, 120u, 140u}) {
    for (const std::string& line : lines_of(table(width))) EXPECT_LE(line.size(), width) << line;
  }
}

TEST(Table, HasNoSpacesAtTheEndOfALine) {
  for (const std::string& line : lines_of(table(80))) EXPECT_FALSE(line.ends_with(' ')) << line;
}

TEST(Table, ColourChangesNothingButTheColour) {
  std::string plain, coloured = table(100, true);
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b') {
      while (coloured[i] != 'm') ++i;
    } else {
      plain.push_back(coloured[i]);
    }
  }
  // Carets stand in for underlining.
  std::string expected;
  for (const std::string& line : lines_of(table(100))) {
    if (!line.empty() && line.find_first_not_of(" ^") == std::string::npos && line.find('^') != std::string::npos) continue;
    expected += line + "\n";
  }
  EXPECT_EQ(plain + "\n", expected);
}

TEST(Table, CaretsPointAtTheAddress) {
  const auto lines = lines_of(table(100));
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (lines[i].find("/dev/tcp/203.0.113.7") == std::string::npos) continue;
    EXPECT_EQ(lines[i + 1].find("^^^^^^^^^^^"), lines[i].find("203.0.113.7"));
    return;
  }
  FAIL() << "no evidence";
}

TEST(Table, ReasonsComeBeforeFindings) {
  const std::string text = table(100);
  EXPECT_LT(text.find("A second reason"), text.find("CRITICAL"));
}

TEST(Table, QuietIsTheVerdictAlone) { EXPECT_EQ(count_of(to_table(sample_report(), {false, 100, true}), "\n"), 1u); }

TEST(Table, ACleanReportSaysSo) {
  audit::Report report;
  report.target = "app";
  const std::string text = to_table(report, {});
  EXPECT_NE(text.find("CLEAN"), std::string::npos);
  EXPECT_NE(text.find("nothing found"), std::string::npos);
}

TEST(Groups, FindingsOfOneRuleAreToldOnce) {
  const auto groups = group_findings(sample_report());
  ASSERT_EQ(groups.size(), 4u);
  for (const std::string& text : {table(100), to_markdown(sample_report()), to_html({sample_report()})}) EXPECT_EQ(count_of(text, "Fetches and runs"), 1u);
  // None is lost: those that are not told in full are named.
  for (int i = 0; i < 6; ++i) {
    const std::string name = std::to_string(i) + (i == 1 ? "." : ".sh");
    EXPECT_NE(table(140).find("/opt/" + name), std::string::npos) << i;
    EXPECT_NE(to_html({sample_report()}).find("/opt/" + name), std::string::npos) << i;
  }
}

TEST(Groups, ThoseWithoutWeightComeLastAndStayApart) {
  audit::Report report = sample_report();
  report.findings.push_back(report.findings[0]);
  report.findings.back().weight = 0;
  const audit::Report& fixed = report;
  const auto groups = group_findings(fixed);
  ASSERT_EQ(groups.size(), 5u);
  EXPECT_GT(groups[0].first().weight, 0);
  EXPECT_EQ(groups[3].first().weight, 0);
  EXPECT_EQ(groups[4].first().rule, "reverse-shell.dev-tcp");
}

TEST(Evidence, SaysWhenItWasDecoded) {
  const audit::Report report = sample_report();
  EXPECT_FALSE(evidence_of(report, report.findings[0]).is_decoded);
  EXPECT_TRUE(evidence_of(report, report.findings[1]).is_decoded);
  EXPECT_NE(table(100).find("decoded"), std::string::npos);
}

TEST(Evidence, MarksMergeAndStayInside) {
  audit::Report report = sample_report();
  report.indicators = {{"a", "abcd", true}, {"a", "cdef", true}, {"a", "zzzz", true}, {"a", "", true}};
  report.findings[0].indicators = {0, 1, 2, 3};
  report.findings[0].evidence = "xxabcdefxx";
  const auto marks = evidence_of(report, report.findings[0]).marks;
  ASSERT_EQ(marks.size(), 1u);
  EXPECT_EQ(marks[0], (std::pair<std::size_t, std::size_t>{2, 8}));
}

TEST(Places, AreToldInWords) {
  const audit::Report report = sample_report();
  EXPECT_EQ(place_of(report.findings[0]), "/run.sh, line 3");
  EXPECT_EQ(place_of(report.findings[2]), "/opt/1.sh -> payload.tar.gz -> x/y.sh, line 3");
  EXPECT_EQ(place_of(report.findings[3]), "/opt/2.sh, line 3 (not visible in a container)");
  EXPECT_EQ(layer_of(report, report.findings[0]), "sha256:bbbbbbbbbbbb (2 of 2, COPY run.sh /)");
  EXPECT_EQ(chain_of(report.findings[0]), "config.Entrypoint -> /run.sh:3");
}

TEST(Wrap, BreaksAtSpacesAndInsideLongWordsButNotInsideCharacters) {
  EXPECT_EQ(wrap("one two three", 9, "  "), "one two\n  three");
  EXPECT_EQ(wrap("abcdefghijklmnopqrst", 12, "  "), "abcdefghij\n  klmnopqrst");
  for (const std::string& line : lines_of(wrap(std::string("ää") + "ööööööööööööööööööööööööööö", 20, "  "))) EXPECT_TRUE(is_utf8(line));
  EXPECT_EQ(wrap("", 10, "  "), "");
}

}  // namespace
}  // namespace lazaret::report
