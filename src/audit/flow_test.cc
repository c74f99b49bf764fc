#include <gtest/gtest.h>

#include "audit/reach.h"
#include "format/file_kind.h"

namespace lazaret::audit {
namespace {

struct Sample {
  std::string path, text;
  std::string link = {};
};

LayerAudit layer_of(const std::vector<Sample>& samples) {
  LayerAudit layer;
  for (const Sample& sample : samples) {
    Entry entry;
    entry.path = sample.path;
    entry.mode = 0755;
    entry.size = sample.text.size();
    entry.type = sample.link.empty() ? format::TarType::file : format::TarType::symlink;
    entry.link_target = sample.link;
    entry.file_type = format::classify(as_bytes(sample.text), sample.text.size(), sample.path);
    if (sample.link.empty()) layer.kept.push_back({layer.entries.size(), sample.path, sample.text});
    layer.entries.append(entry);
  }
  return layer;
}

struct Outcome {
  FlowResult result;
  std::vector<std::string> commands;  // of all that runs
  std::vector<std::string> chain(const std::string& path) const {
    const auto found = result.reach.find(path);
    return found == result.reach.end() ? std::vector<std::string>() : found->second;
  }
  bool ran(std::string_view text) const { return std::find(commands.begin(), commands.end(), text) != commands.end(); }
};

Outcome follow(const std::vector<Sample>& samples, format::ImageConfig config) {
  const LayerAudit layer = layer_of(samples);
  const RootFileSystem root({&layer});
  Outcome outcome;
  outcome.result = follow_image(root, config, [](std::string_view) { return false; }, [&](const FlowRun& run) {
    for (const format::ShellCommand& command : run.script.commands) outcome.commands.push_back(command.text());
  });
  return outcome;
}

format::ImageConfig entrypoint(std::vector<std::string> words) {
  format::ImageConfig config;
  config.entrypoint = std::move(words);
  return config;
}

using Chain = std::vector<std::string>;

TEST(Flow, ChainsNameEachStep) {
  auto config = entrypoint({"/e.sh"});
  config.cmd = {"server", "x"};
  config.env = {"PATH=/opt:/bin", "MODE=fast"};
  const Outcome outcome = follow({{"/e.sh", "#!/bin/sh\n# start\nexec \"$@\"\n"}, {"/opt/server", "", "/srv/s.sh"}, {"/srv/s.sh", "#!/bin/sh\nsh /srv/$MODE.sh $1\n"}, {"/srv/fast.sh", "echo $1\n"}, {"/srv/slow.sh", "x\n"}}, config);
  EXPECT_EQ(outcome.chain("/srv/s.sh"), (Chain{"config.Entrypoint", "/e.sh:3"}));
  EXPECT_EQ(outcome.chain("/srv/fast.sh"), (Chain{"config.Entrypoint", "/e.sh:3", "/srv/s.sh:2"}));
  EXPECT_TRUE(outcome.chain("/srv/slow.sh").empty());
  EXPECT_TRUE(outcome.ran("echo x"));
}

TEST(Flow, FilesThatAreOnlyReadAreNotStarted) {
  const Outcome outcome = follow({{"/a.sh", "x\n"}, {"/b.sh", "y\n"}}, entrypoint({"sh", "-c", "cat /a.sh; grep x /a.sh; cp /a.sh /c; chmod +x /a.sh; sh /b.sh"}));
  EXPECT_TRUE(outcome.chain("/a.sh").empty());
  EXPECT_FALSE(outcome.chain("/b.sh").empty());
}

TEST(Flow, ScriptsThatCallEachOtherEnd) {
  const Outcome outcome = follow({{"/a", "#!/bin/sh\n. /b\n/b\n"}, {"/b", "#!/bin/sh\n. /a\n/a\nexec /b\n"}}, entrypoint({"/a"}));
  EXPECT_FALSE(outcome.chain("/b").empty());
  EXPECT_FALSE(outcome.result.cut);
}

TEST(Flow, AScriptThatCallsItselfWithMoreEachTimeEnds) {
  EXPECT_FALSE(follow({{"/a", "#!/bin/sh\n/a \"x$1\"\nY=y$Y /a\nexport Z=z$Z\n/a\n"}}, entrypoint({"/a"})).commands.empty());
}

TEST(Flow, TreesOfScriptsAreBounded) {
  std::vector<Sample> samples;
  for (int i = 0; i < 40; ++i) {
    const std::string a = "/s" + std::to_string(i + 1);
    samples.push_back({"/s" + std::to_string(i), "#!/bin/sh\nA=1$A " + a + " 1\nA=2$A " + a + " 2\n. " + a + "\n. " + a + "\n"});
  }
  const Outcome outcome = follow(samples, entrypoint({"/s0"}));
  EXPECT_FALSE(outcome.chain("/s5").empty());
  EXPECT_LT(outcome.commands.size(), 1'000'000u);
}

// Scripts that need more than what one start may spend.
std::vector<Sample> too_much_for_one_start() {
  std::string large = "#!/bin/sh\n";
  while (large.size() < 100'000) large += "a=$a$a$a$a; : \"$a\"\n";
  std::vector<Sample> samples;
  std::string starter = "#!/bin/sh\n";
  for (int i = 0; i < 200; ++i) {
    samples.push_back({"/l" + std::to_string(i), large + "# " + std::to_string(i)});
    starter += "/l" + std::to_string(i) + "\n";
  }
  samples.push_back({"/e", starter});
  return samples;
}

TEST(Flow, ManyScriptsThatAreLargeStopAtTheLimitAndSaySo) { EXPECT_TRUE(follow(too_much_for_one_start(), entrypoint({"/e"})).result.cut); }

TEST(Flow, WhatOneStartSpendsIsNotTakenFromTheNext) {
  std::vector<Sample> samples = too_much_for_one_start();
  samples.push_back({"/etc/cron.d/z", "* * * * * root sh /b.sh\n"});
  samples.push_back({"/b.sh", "echo b\n"});
  const Outcome outcome = follow(samples, entrypoint({"/e"}));
  EXPECT_TRUE(outcome.result.cut);
  EXPECT_TRUE(outcome.ran("echo b"));
}

TEST(Flow, WhatDependsOnABranchRunsInBothWorlds) {
  const Outcome outcome = follow({{"/e", "#!/bin/sh\nA=first\nif [ -n \"$X\" ]; then A=second; fi\nrun $A\n[ 1 = 2 ] && set -- other\n\"$@\"\n"}}, entrypoint({"/e", "given"}));
  EXPECT_TRUE(outcome.ran("run first"));
  EXPECT_TRUE(outcome.ran("run second"));
  EXPECT_TRUE(outcome.ran("given"));
  EXPECT_TRUE(outcome.ran("other"));
}

TEST(Flow, WhatOneScriptWritesAnotherRuns) {
  const Outcome outcome = follow({{"/e", "#!/bin/sh\n/w\n/r\n"}, {"/w", "#!/bin/sh\necho 'echo from file' > /tmp/x\n"}, {"/r", "#!/bin/sh\nsh /tmp/x\n"}}, entrypoint({"/e"}));
  EXPECT_TRUE(outcome.ran("echo from file"));
}

TEST(Flow, JobsHaveTheVariablesOfTheirTable) {
  const Outcome outcome = follow({{"/etc/cron.d/a", "D=/opt\n* * * * * root $D/job.sh\n"}, {"/opt/job.sh", "#!/bin/sh\necho $D\n"}}, {});
  EXPECT_EQ(outcome.chain("/opt/job.sh"), (Chain{"cron", "/etc/cron.d/a:2"}));
  EXPECT_TRUE(outcome.ran("echo /opt"));
}

TEST(Flow, AScriptThatExhaustsItsReaderIsSaidToBeUnread) {
  std::string text = "#!/bin/sh\na=12345678\n";
  for (int i = 0; i < 40; ++i) text += "a=$a$a\n";
  text += "eval \"$(echo $P | base64 -d)\"\n";
  const Outcome outcome = follow({{"/e", text}}, entrypoint({"/e"}));
  EXPECT_TRUE(outcome.result.unread.contains("/e"));
}

TEST(Flow, AShellByAnotherName) {
  const Outcome outcome = follow({{"/b.sh", "echo b\n"}, {"/opt/server", "\x7f" "ELF"}}, entrypoint({"/opt/server", "-c", "sh /b.sh"}));
  EXPECT_FALSE(outcome.chain("/b.sh").empty());
}

TEST(Flow, CodeInWordsIsFollowed) {
  auto config = entrypoint({"python3", "-c", "import os; os.system('/a.sh'); os.system(os.environ['P'])"});
  config.env = {"P=sh /b.sh"};
  const Outcome outcome = follow({{"/a.sh", "echo a\n"}, {"/b.sh", "echo b\n"}}, config);
  EXPECT_FALSE(outcome.chain("/a.sh").empty());
  EXPECT_EQ(outcome.chain("/b.sh"), (Chain{"config.Entrypoint", "config.Env.P", "python3"}));
}

TEST(Flow, ProgramsInOtherLanguagesRunCommandsToo) {
  auto config = entrypoint({"python3", "/m.py"});
  config.env = {"P=sh /b.sh"};
  const Outcome outcome = follow({{"/m.py", "import os\nos.system(os.environ['P'])\n"}, {"/b.sh", "echo b\n"}}, config);
  EXPECT_EQ(outcome.chain("/b.sh"), (Chain{"config.Entrypoint", "/m.py:2", "config.Env.P"}));
}

}  // namespace
}  // namespace lazaret::audit
