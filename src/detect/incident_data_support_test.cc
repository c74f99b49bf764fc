#include "detect/incident_data_support.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace lazaret::detect {
namespace {

Result<IncidentData> parse(std::string name, std::string content) {
  const DataFile file{std::move(name), std::move(content)};
  return parse_incident_data({&file, 1});
}

TEST(IncidentData, KnowsThe17ImagesOf2018) {
  const IncidentData& data = incident_data();
  std::vector<std::string> names;
  for (const KnownImage& image : data.images) {
    if (image.incident->id == "docker123321-2018") names.push_back(image.repository);
  }
  EXPECT_EQ(names.size(), 17u);
  EXPECT_EQ(names.front(), "docker.io/docker123321/tomcat");
}

TEST(IncidentData, KnowsTheDigestsOf2026) {
  const IncidentData& data = incident_data();
  std::set<Digest> vantage6, trivy;
  for (const KnownImage& image : data.images) {
    if (image.incident->id == "vantage6-harbor-2026") vantage6.insert(image.digest);
    if (image.incident->id == "trivy-teampcp-2026") trivy.insert(image.digest);
  }
  EXPECT_EQ(vantage6.size(), 80u);
  EXPECT_EQ(trivy.size(), 5u);
  EXPECT_EQ(vantage6.count(Digest()), 0u) << "a real project's name must never be matched";
  const auto digest =
      Digest::parse("sha256:01e0c723d8de8e01121cf3e222a5cd61c0a94931901bb3e4f399eec9d082706f");
  const KnownImage* image = data.find_image(*digest);
  ASSERT_NE(image, nullptr);
  EXPECT_EQ(image->repository, "harbor2.vantage6.ai/algorithms/sessions-k8s-diagnostics");
  EXPECT_EQ(image->date, "2025-09-04");
  EXPECT_EQ(data.find_image(Digest()), nullptr);
}

TEST(IncidentData, PoolsMatchTheNameAndEverythingBelowIt) {
  const IncidentData& data = incident_data();
  EXPECT_TRUE(data.is_pool("supportxmr.com"));
  EXPECT_TRUE(data.is_pool("pool.SupportXMR.com."));
  EXPECT_TRUE(data.is_pool("xmr.f2pool.com"));
  EXPECT_FALSE(data.is_pool("f2pool.com"));
  EXPECT_FALSE(data.is_pool("notsupportxmr.com"));
  EXPECT_FALSE(data.is_pool("com"));
  EXPECT_FALSE(data.is_pool(""));
}

TEST(IncidentData, FindsAFileByItsDigest) {
  const KnownIndicator* found =
      incident_data().find_file("912186b9420585ebf21e52f37390f3cee88adda85d2a815b44ab01bb40dd580f");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->incident->id, "vantage6-harbor-2026");
  EXPECT_EQ(incident_data().find_file(""), nullptr);
}

TEST(IncidentData, EmbeddedFilesAreThoseOfTheSourceTree) {
  std::vector<DataFile> files;
  const std::filesystem::path base = std::filesystem::path(LAZARET_SOURCE_DIR) / "rules";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base)) {
    // The other files of rules/ have readers of their own.
    const std::string name = entry.path().filename().string();
    const bool incident = entry.path().parent_path().filename() == "incidents" && entry.path().extension() == ".toml";
    if (!incident && name != "pools.toml" && name != "wallet-stop-list.toml") continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    files.push_back({entry.path().lexically_relative(base).generic_string(),
                     {std::istreambuf_iterator<char>(stream), {}}});
  }
  std::sort(files.begin(), files.end(),
            [](const DataFile& a, const DataFile& b) { return a.name < b.name; });
  const auto parsed = parse_incident_data(files);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->digest, incident_data().digest);
}

TEST(IncidentData, ErrorsNameFileAndKey) {
  const auto message = [](std::string content) {
    const auto parsed = parse("incidents/a.toml", std::move(content));
    return parsed.ok() ? std::string() : parsed.error().message;
  };
  const std::string head = "id='a'\ntitle='t'\nfirst_seen='2018'\n";
  EXPECT_EQ(message(head), "");
  EXPECT_EQ(message("id='b'\ntitle='t'\nfirst_seen='2018'\n"),
            "incidents/a.toml: 'id' must be the name of the file");
  EXPECT_EQ(message(head + "colour='red'\n"), "incidents/a.toml: unknown key 'colour'");
  EXPECT_EQ(message(head + "[[image]]\nrepository='a/b/c'\nconfidence='high'\nsource='s'\n"
                           "digest='sha256:12'\n"),
            "incidents/a.toml: 'digest' must be sha256: and 64 hex digits");
  EXPECT_EQ(message(head + "[[image]]\nrepository='a/b/c'\nconfidence='guess'\nsource='s'\n"),
            "incidents/a.toml: 'confidence' must be high or medium");
  EXPECT_EQ(message(head + "[[indicator]]\ntype='c2'\nvalue='192.0.2.1'\nconfidence='high'\n"),
            "incidents/a.toml: 'source' must be a string that is not empty");
  EXPECT_EQ(message(head + "[[indicator]]\ntype='token'\nvalue='jaav'\nconfidence='high'\n"
                           "source='s'\n"),
            "incidents/a.toml: 'jaav' is too short");
  EXPECT_NE(message("id=").find("incidents/a.toml: line 1"), std::string::npos);
  EXPECT_FALSE(parse("other.toml", "").ok());
}

}  // namespace
}  // namespace lazaret::detect
