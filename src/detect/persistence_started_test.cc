// What persistence means in a script that the image is known to start.
#include <gtest/gtest.h>

#include "detect/detector_test_support.h"
#include "format/shell.h"

namespace lazaret::detect {

extern const Detector persistence_detector, image_environment_detector;

namespace {

struct Collector : FileReport {
  std::vector<FileFinding> findings;
  void add(FileFinding finding) override { findings.push_back(std::move(finding)); }
  void add_indicator(Indicator, std::uint64_t) override {}
  void add_derived(std::string, std::string, std::uint64_t) override {}
};

bool takes_over(const std::string& text, bool started = true) {
  const format::ShellScript script = format::parse_shell(text);
  FileView view;
  view.path = "/run.sh";
  view.content = as_bytes(text);
  view.file_size = text.size();
  view.type = {format::FileKind::script, format::Language::shell};
  if (started) view.script = &script;
  Collector collector;
  persistence_detector.inspect(view, collector);
  return std::any_of(collector.findings.begin(), collector.findings.end(), [](const FileFinding& finding) { return finding.rule->id == "persistence.host-takeover"; });
}

TEST(PersistenceStarted, AnyOtherTreeMayBeTheHosts) {
  EXPECT_TRUE(takes_over("echo x >> /h/etc/crontab"));
  EXPECT_TRUE(takes_over("echo key >> /v/root/.ssh/authorized_keys"));
  EXPECT_TRUE(takes_over("D=/a/b; cp /job $D/etc/cron.d/job"));
  EXPECT_FALSE(takes_over("echo x >> /h/etc/crontab", false));
}

TEST(PersistenceStarted, TreesThatAreBuiltAreNot) {
  for (const char* text : {"echo x >> /build/etc/crontab", "cp a /srv/chroot/etc/cron.d/a", "echo x >> $ROOTFS/etc/crontab", "cp a /usr/local/etc/cron.d/a", "echo x > /stage/etc/profile.d/a.sh"}) {
    EXPECT_FALSE(takes_over(text)) << text;
  }
}

std::vector<std::string> environment(const std::string& variable, std::uint32_t folder_mode = 0755) {
  test::FakeImage image;
  image.description.config.env = {variable};
  image.add_file("/opt/bin", "", folder_mode);
  std::vector<std::string> ids;
  for (const ImageFinding& finding : test::inspect_image(image_environment_detector, image)) ids.emplace_back(finding.rule->id);
  return ids;
}

TEST(ImageEnvironment, PathsThatLeadAstray) {
  EXPECT_EQ(environment("PATH=/tmp/.x:/usr/bin"), std::vector<std::string>{"impersonation.search-path"});
  EXPECT_EQ(environment("LD_LIBRARY_PATH=/usr/lib:/dev/shm/l"), std::vector<std::string>{"persistence.library-path"});
  EXPECT_EQ(environment("PYTHONPATH=/opt/.hidden"), std::vector<std::string>{"persistence.library-path"});
  EXPECT_EQ(environment("JAVA_TOOL_OPTIONS=-javaagent:/tmp/a.jar"), std::vector<std::string>{"persistence.startup-variable"});
  EXPECT_EQ(environment("BASH_ENV=/opt/x"), std::vector<std::string>{"persistence.startup-variable"});
  EXPECT_EQ(environment("NODE_OPTIONS=--require /opt/x.js"), std::vector<std::string>{"persistence.startup-variable"});
  EXPECT_EQ(environment("LD_PRELOAD=/opt/x.so"), std::vector<std::string>{"persistence.preload-variable"});
}

TEST(ImageEnvironment, OrdinaryPathsAreLeftAlone) {
  for (const char* variable : {"PATH=/opt/bin:/usr/local/bin:/usr/bin", "PYTHONPATH=/app:/app/lib", "LD_LIBRARY_PATH=/usr/local/nvidia/lib", "JAVA_TOOL_OPTIONS=-javaagent:/opt/otel.jar -Xmx1g", "NODE_OPTIONS=--max-old-space-size=4096",
                               "NODE_PATH=/root/.local/lib/node_modules"}) {
    EXPECT_TRUE(environment(variable).empty()) << variable;
  }
}

}  // namespace
}  // namespace lazaret::detect
