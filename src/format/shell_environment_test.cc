// Scripts that are read with their surroundings: variables, arguments, other files, and what is known of where values come from.
#include <gtest/gtest.h>

#include "format/shell.h"

namespace lazaret::format {
namespace {

ShellEnvironment environment() {
  ShellEnvironment result;
  result.variables = {{"P", {"ZWNobyBoaQ==", true, {"config.Env.P"}}}, {"A", {"echo", true, {"config.Env.A"}}}, {"B", {"x y", true, {"config.Env.B"}}}};
  result.arguments = {{{"first", true, {"config.Cmd"}}, {"second", true, {}}}};
  result.name = "/opt/run.sh";
  result.folder = "/srv";
  result.read_file = [](std::string_view path) -> std::optional<std::string> {
    if (path == "/opt/lib.sh") return "LIB=value; f() { echo \"$1\"; }\n";
    if (path == "/srv/data") return "ZWNobyBoaQ==\n";
    return std::nullopt;
  };
  return result;
}

// All commands as text, evaluated ones too.
std::vector<std::string> commands(std::string_view text, bool keep_values = false) {
  ShellEnvironment surroundings = environment();
  surroundings.keep_values = keep_values;
  std::vector<std::string> result;
  for (const ShellCommand& command : parse_shell(text, surroundings).commands) result.push_back(command.text());
  return result;
}

bool has(const std::vector<std::string>& list, std::string_view text) { return std::find(list.begin(), list.end(), text) != list.end(); }

std::vector<std::string> chain_of(std::string_view text, std::string_view command) {
  const ShellScript script = parse_shell(text, environment());
  for (const ShellCommand& candidate : script.commands) {
    if (candidate.text() == command) return candidate.chain;
  }
  return {"not found"};
}
using Chain = std::vector<std::string>;

TEST(ShellEnvironment, VariablesAndArgumentsAreKnown) {
  EXPECT_TRUE(has(commands("$A $B"), "echo x y"));
  EXPECT_TRUE(has(commands("$A \"$B\" $1 ${2} $0 $NONE"), "echo x y first second /opt/run.sh"));
  EXPECT_TRUE(has(commands("exec \"$@\""), "exec first second"));
  EXPECT_TRUE(has(commands("shift; run $1"), "run second"));
}

TEST(ShellEnvironment, EachStepOfAValueIsInTheChain) {
  EXPECT_EQ(chain_of("echo $P | base64 -d | sh", "echo hi"), (Chain{"config.Env.P", "base64", "sh"}));
  EXPECT_EQ(chain_of("eval \"$(base64 -d <<< $P)\"", "echo hi"), (Chain{"config.Env.P", "base64", "eval"}));
  EXPECT_EQ(chain_of("X=$P; Y=${X%x}; sh -c \"$(echo $Y | base64 -d)\"", "echo hi"), (Chain{"config.Env.P", "base64", "sh -c"}));
  EXPECT_EQ(chain_of("eval \"$A $B\"", "echo x y"), (Chain{"config.Env.A", "config.Env.B", "eval"}));
  EXPECT_EQ(chain_of("base64 -d data | bash", "echo hi"), (Chain{"/srv/data", "base64", "bash"}));
  EXPECT_EQ(chain_of("base64 -d < /srv/data | bash", "echo hi"), (Chain{"/srv/data", "base64", "bash"}));
  EXPECT_EQ(chain_of("x=$(cat /srv/data); echo $x | base64 -d | bash", "echo hi"), (Chain{"/srv/data", "base64", "bash"}));
  EXPECT_EQ(chain_of("eval \"$1\"", "first"), (Chain{"config.Cmd", "eval"}));
}

TEST(ShellEnvironment, SourcedFilesLeaveTheirVariablesAndFunctions) {
  EXPECT_TRUE(has(commands(". /opt/lib.sh; echo $LIB; f called"), "echo value"));
  EXPECT_TRUE(has(commands(". /opt/lib.sh; f called"), "echo called"));
  EXPECT_TRUE(has(commands("cd /opt; source ./lib.sh; echo $LIB"), "echo value"));
  // Its own commands belong to its own reading.
  EXPECT_FALSE(has(commands(". /opt/lib.sh"), "echo "));
  EXPECT_EQ(chain_of(". /opt/lib.sh; eval $LIB", "value"), (Chain{"/opt/lib.sh", "eval"}));
}

TEST(ShellEnvironment, WrittenFilesAreRun) {
  for (const char* text : {"echo 'echo hi' > /tmp/x; sh /tmp/x", "cat > /tmp/x <<E\necho hi\nE\n/tmp/x", "printf 'echo ' > x; echo hi >> x; . ./x", "echo $P | base64 -d > /tmp/x; cp /tmp/x /tmp/y; bash /tmp/y",
                           "echo 'echo hi' | tee /tmp/x > /dev/null; sh < /tmp/x", "{ echo 'echo hi'; } > /tmp/x; sh /tmp/x", "cd /tmp; echo 'echo hi' > x; cd /; sh tmp/x"}) {
    EXPECT_TRUE(has(commands(text), "echo hi")) << text;
  }
}

TEST(ShellEnvironment, FunctionsAndAliasesAreCalledWithTheirArguments) {
  EXPECT_TRUE(has(commands("r() { $1 \"$2\"; }; r echo hi"), "echo hi"));
  EXPECT_TRUE(has(commands("function r { eval \"$*\"; }; r echo hi"), "echo hi"));
  EXPECT_TRUE(has(commands("p() { echo $P; }; eval \"$(p | base64 -d)\""), "echo hi"));
  EXPECT_TRUE(has(commands("alias e='echo hi'; e there"), "echo hi there"));
  EXPECT_TRUE(has(commands("a() { b \"$1\"; }; b() { echo \"$1\"; }; a hi"), "echo hi"));
  commands("f() { f \"$1$1\"; f; }; f x");
}

TEST(ShellEnvironment, LoopsBuildValues) {
  EXPECT_TRUE(has(commands("s=; for c in e c h o; do s=\"$s$c\"; done; $s hi"), "echo hi"));
  EXPECT_TRUE(has(commands("for c in 65 63 68 6f; do s=$s$(printf \"\\\\x$c\"); done; $s hi"), "echo hi"));
}

TEST(ShellEnvironment, JobsOfWrittenTablesRun) {
  EXPECT_TRUE(has(commands("echo '* * * * * echo hi' | crontab -"), "echo hi"));
  EXPECT_TRUE(has(commands("(crontab -l; echo '@reboot echo hi') | crontab -"), "echo hi"));
  EXPECT_TRUE(has(commands("echo '* * * * * root echo hi' >> /mnt/etc/crontab"), "echo hi"));
  EXPECT_TRUE(has(commands("echo '* * * * * echo hi' > /tmp/c; crontab /tmp/c"), "echo hi"));
}

TEST(ShellEnvironment, CodeOfOtherLanguagesRunsCommands) {
  for (const char* text : {"python3 -c 'import os; os.system(\"echo hi\")'", "perl -e 'system(\"echo hi\")'", "php -r 'shell_exec(\"echo hi\");'", "ruby -e 'exec \"echo hi\"'",
                           "node -e \"require('child_process').execSync('echo hi')\"", "awk 'BEGIN { system(\"echo hi\") }'", "python3 <<E\nimport os\nos.system('echo hi')\nE\n",
                           "echo \"import os; os.system('echo hi')\" | python3", "lua -e 'os.execute(\"echo hi\")'"}) {
    EXPECT_TRUE(has(commands(text), "echo hi")) << text;
  }
  EXPECT_EQ(chain_of("python3 -c 'import os; os.system(os.environ[\"B\"])'", "x y"), (Chain{"config.Env.B", "python3"}));
}

TEST(ShellEnvironment, ValuesOfBranchesAreKeptOrReplaced) {
  const char* text = "P=one; [ x ] && P=two; run $P";
  EXPECT_TRUE(has(commands(text), "run two"));
  EXPECT_TRUE(has(commands(text, true), "run one"));
  EXPECT_TRUE(parse_shell(text, environment()).branches);
  EXPECT_FALSE(parse_shell("Q=one; R=two; if x; then S=3; fi", environment()).branches);
}

TEST(ShellEnvironment, TheMomentOfACommandIsTold) {
  ShellEnvironment surroundings = environment();
  std::string folder, exported, local;
  surroundings.on_command = [&](const ShellCommand& command, const ShellMoment& moment) {
    if (command.program() != "child") return;
    folder = moment.folder();
    for (const auto& [name, value] : moment.variables(command, false)) exported += name + "=" + value.text + ";";
    for (const auto& [name, value] : moment.variables(command, true)) local += name + ";";
  };
  parse_shell("cd sub; export E=1; L=2; F=3 child; E=4", surroundings);
  EXPECT_EQ(folder, "/srv/sub");
  EXPECT_NE(exported.find("E=1;"), std::string::npos) << exported;
  EXPECT_NE(exported.find("F=3;"), std::string::npos) << exported;
  EXPECT_EQ(exported.find("L="), std::string::npos);
  EXPECT_NE(local.find("L;"), std::string::npos);
}

TEST(ShellEnvironment, SharedWorkIsTakenOff) {
  std::uint64_t work = 1000;
  ShellEnvironment surroundings = environment();
  surroundings.work = &work;
  std::string text = "a=12345678;";
  for (int i = 0; i < 64; ++i) text += "a=$a$a;";
  EXPECT_TRUE(parse_shell(text, surroundings).cut);
  EXPECT_EQ(work, 0u);
}

TEST(ShellEnvironment, HostileScriptsTakeLittle) {
  for (const char* piece : {"f() { f; f; }; f;", "echo x > a; . ./a;", "for a in 1 2 3 4 5 6 7 8; do b=$b$a;", "alias a='a a';a;", ". /opt/lib.sh;", "echo '* * * * * crontab x' | crontab -;", "cat a a a a > a;",
                            "f() { $1; }; f f;", "cd ..;", "P=$P$P; eval $P;"}) {
    std::string text;
    while (text.size() < 60'000) text += piece;
    parse_shell(text, environment());
    parse_shell(text);
  }
}

}  // namespace
}  // namespace lazaret::format
