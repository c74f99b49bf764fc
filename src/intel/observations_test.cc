#include "intel/observations.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lazaret::intel {
namespace {

bool has(const std::vector<store::Observation>& observations, const std::string& kind, const std::string& value, bool flagged) {
  return std::find(observations.begin(), observations.end(), store::Observation{kind, value, flagged}) != observations.end();
}

std::vector<store::Observation> address(const std::string& text) {
  std::vector<store::Observation> observations;
  observe_address(text, true, observations);
  return observations;
}

TEST(Observations, AnAddressSaysHostPortAndFile) {
  const auto url = address("http://Evil.Example:8220/a/logo3.jpg?x=1");
  EXPECT_TRUE(has(url, "url", "evil.example:8220/a/logo3.jpg", true));
  EXPECT_TRUE(has(url, "c2", "evil.example:8220", true));
  EXPECT_TRUE(has(url, "domain", "evil.example", true));
  EXPECT_TRUE(has(url, "port-file", "8220/logo3.jpg", true));
  EXPECT_EQ(url.size(), 4u);
  const auto endpoint = address("192.0.2.7:4444");
  EXPECT_TRUE(has(endpoint, "c2", "192.0.2.7:4444", true));
  EXPECT_TRUE(has(endpoint, "host", "192.0.2.7", true));
}

TEST(Observations, OfSharedHostsOnlyTheWholeUrl) {
  const auto url = address("https://raw.githubusercontent.com/eve/x/main/run.sh");
  EXPECT_EQ(url.size(), 1u);
  EXPECT_TRUE(has(url, "url", "raw.githubusercontent.com/eve/x/main/run.sh", true));
  EXPECT_TRUE(address("https://github.com/").empty());
  EXPECT_FALSE(address("https://notgithub.com/x").empty());
  EXPECT_TRUE(address("http://$HOST:80/x").empty()) << "the host is not known";
  for (const char* odd : {"", "://", "http://", ":", "@", "http://a@", "[::1]", "http://x:99999999/y"}) (void)address(odd);
}

TEST(Observations, StemsOfNames) {
  EXPECT_EQ(name_stem("mysql2"), "mysql");
  EXPECT_EQ(name_stem("Tomcat-11"), "tomcat");
  EXPECT_EQ(name_stem("t1"), "") << "too short to say anything";
}

TEST(Observations, OfAReport) {
  audit::Report report;
  report.indicators = {{"c2", "192.0.2.7:4444", false}, {"wallet.monero", "4text", true}};
  audit::Finding finding;
  finding.weight = 90;
  finding.category = detect::Category::reverse_shell;
  finding.severity = detect::Severity::critical;
  finding.attack = {"T1059.004", "T1095"};
  finding.location.layer = "sha256:bad";
  finding.location.path = "/run.sh";
  finding.indicators = {0};
  audit::Finding miner = finding;
  miner.category = detect::Category::miner;
  miner.location.path = "/xmrig";
  miner.indicators.clear();
  report.findings = {finding, miner};
  report.facts = {{"file-sha256", "aa", "sha256:bad", "/run.sh", true, false},
                  {"file-sha256", "bb", "sha256:bad", "/xmrig", true, false},
                  {"file-sha256", "cc", "sha256:base", "/usr/local/bin/x", false, true},
                  {"build-id", "dd", "sha256:bad", "/opt/tool", false, false}};
  audit::Report::Manifest manifest;
  manifest.digest = "sha256:m";
  manifest.layers = {{"sha256:1", "sha256:base", "", "", 1}, {"sha256:2", "sha256:bad", "", "", 1}};
  manifest.base.layers = 1;
  report.manifests = {manifest};
  const auto observations = observe(report);
  EXPECT_TRUE(has(observations, "c2", "192.0.2.7:4444", true));
  EXPECT_TRUE(has(observations, "wallet.monero", "4text", false)) << "no finding names it";
  EXPECT_TRUE(has(observations, "file-sha256", "aa", true));
  EXPECT_TRUE(has(observations, "miner-file", "bb", true));
  EXPECT_TRUE(has(observations, "file-sha256", "bb", false)) << "anybody can download a miner";
  EXPECT_TRUE(has(observations, "build-id", "dd", false));
  EXPECT_FALSE(has(observations, "file-sha256", "cc", false)) << "part of a known base";
  EXPECT_TRUE(has(observations, "layer", "sha256:bad", true));
  EXPECT_FALSE(has(observations, "layer", "sha256:base", false));
  EXPECT_EQ(techniques_of(report), "T1059.004 T1095");
}

TEST(Observations, AnIncidentGivesWhatItLists) {
  const detect::IncidentData& data = detect::incident_data();
  for (const auto& incident : data.incidents) {
    if (incident->id != "docker123321-2018") continue;
    const auto observations = observe(data, *incident);
    EXPECT_TRUE(has(observations, "publisher", "docker123321", false));
    EXPECT_TRUE(has(observations, "repository", "docker123321/tomcat", true));
    EXPECT_TRUE(std::any_of(observations.begin(), observations.end(), [](const auto& o) { return o.kind == "wallet.monero" && o.flagged; }));
    EXPECT_TRUE(std::any_of(observations.begin(), observations.end(), [](const auto& o) { return o.kind == "c2"; }));
    return;
  }
  FAIL() << "the incident of 2018 is not there";
}

}  // namespace
}  // namespace lazaret::intel
