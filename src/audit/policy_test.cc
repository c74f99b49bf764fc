#include "audit/policy.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

Finding finding(std::string rule, detect::Severity severity, detect::Confidence confidence, detect::Category category = detect::Category::dropper) {
  Finding found;
  found.rule = std::move(rule);
  found.id = found.rule;
  found.title = found.rule;
  found.severity = severity;
  found.confidence = confidence;
  found.category = category;
  return found;
}

Report judged(std::vector<Finding> findings, bool incomplete = false) {
  Report report;
  report.findings = std::move(findings);
  if (incomplete) report.incomplete.push_back({"", "x", 1, "why"});
  judge(Policy::standard(), report);
  return report;
}

TEST(Policy, TheSameLineWeighsByItsPlace) {
  Finding found = finding("a", detect::Severity::critical, detect::Confidence::high);
  EXPECT_EQ(judged({found}).verdict, Verdict::malicious);
  found.context.documentation = true;
  EXPECT_EQ(judged({found}).verdict, Verdict::clean);
  found.context = {};
  found.context.package_file = true;
  EXPECT_EQ(judged({found}).verdict, Verdict::clean);
  found.context.reached = true;
  EXPECT_EQ(judged({found}).verdict, Verdict::malicious) << "a package database that the image brings cannot silence what the entrypoint starts";
  found.context = {};
  found.context.build_time = true;
  EXPECT_EQ(judged({found}).verdict, Verdict::clean);
}

TEST(Policy, MattersOfPolicyAreNeverMaliciousByThemselves) {
  std::vector<Finding> many;
  for (int i = 0; i < 30; ++i) many.push_back(finding("secret" + std::to_string(i), detect::Severity::critical, detect::Confidence::high, detect::Category::exposed_secret));
  EXPECT_EQ(judged(many).verdict, Verdict::suspicious);
}

TEST(Policy, ManyWeakFindingsAreNoProof) {
  std::vector<Finding> many;
  for (int i = 0; i < 100; ++i) many.push_back(finding("weak" + std::to_string(i), detect::Severity::medium, detect::Confidence::medium));
  EXPECT_NE(judged(many).verdict, Verdict::malicious);
}

TEST(Policy, IncompleteIsNeverClean) {
  EXPECT_EQ(judged({}, true).verdict, Verdict::incomplete);
  EXPECT_EQ(judged({}, false).verdict, Verdict::clean);
  EXPECT_EQ(judged({finding("a", detect::Severity::critical, detect::Confidence::high)}, true).verdict, Verdict::malicious);
}

TEST(Policy, AFileNamesOnlyWhatItChanges) {
  const auto policy = Policy::parse("[verdict]\nmalicious-from = 95\n", "p.toml");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->malicious_from, 95);
  EXPECT_EQ(policy->suspicious_from, Policy::standard().suspicious_from);
}

TEST(Policy, MistakesNameTheLine) {
  for (const char* text : {"[verdict]\nmalicous-from = 3\n", "[context]\nreached = \"x\"\n", "[category-limit]\nnonsense = 3\n", "[weights]\nhigh = [1, 2]\n", "x = 1\n", "[verdict\n",
                           "[verdict]\nsuspicious-from = 99\nmalicious-from = 3\n"}) {
    const auto policy = Policy::parse(text, "p.toml");
    ASSERT_FALSE(policy) << text;
    EXPECT_EQ(policy.error().message.find("p.toml"), 0u) << policy.error().message;
  }
}

}  // namespace
}  // namespace lazaret::audit
