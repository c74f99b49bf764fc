#include "host/process_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/check_test_support.h"

namespace lazaret::host {
namespace {

using detect::Severity;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// To 198.51.100.7:4444 from port 50000 (inode 11), accepted on port 22 from there (12), loopback (13), a listener on port 22 (14).
constexpr const char* sockets =
    " 0: 010200C0:C350 076433C6:115C 01 0:0 0:0 0 0 0 11 1\n"
    " 1: 010200C0:0016 076433C6:115C 01 0:0 0:0 0 0 0 12 1\n"
    " 2: 0100007F:C351 0100007F:115C 01 0:0 0:0 0 0 0 13 1\n"
    " 3: 00000000:0016 00000000:0000 0A 0:0 0:0 0 0 0 14 1\n";

std::vector<std::string> streams(const std::string& link) { return {link, link, link}; }

TEST(ProcessCheck, AShellOnAConnection) {
  PreparedHost host;
  host.table += sockets;
  host.add_process(10, "bash", "/usr/bin/bash", {"bash", "-i"}, streams("socket:[11]"));
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::malicious);
  EXPECT_EQ(severity_of(report, "reverse-shell.socket-streams"), Severity::critical);
  EXPECT_EQ(report.subjects.at(0).report.indicators.at(0).value, "198.51.100.7:4444");
}

TEST(ProcessCheck, AShellOnALoopbackConnectionIsLess) {
  PreparedHost host;
  host.table += sockets;
  host.add_process(10, "sh", "/usr/bin/dash", {"sh"}, {"socket:[13]", "/dev/null", "/dev/null"});
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::suspicious);
  EXPECT_EQ(severity_of(report, "reverse-shell.socket-streams"), Severity::high);
}

TEST(ProcessCheck, ShellsOfSshAndOfSuperServersAreNone) {
  PreparedHost host;
  host.table += sockets;
  host.add_process(10, "bash", "/usr/bin/bash", {"-bash"}, streams("/dev/pts/0"));
  host.add_process(11, "bash", "/usr/bin/bash", {"bash", "-c", "ls"}, {"pipe:[5]", "pipe:[6]", "pipe:[7]"});
  host.add_process(12, "bash", "/usr/bin/bash", {"bash", "-c", "ls"}, streams("socket:[99]"));  // a local socket: not in the table
  host.add_process(13, "in.ftpd", "/usr/sbin/in.ftpd", {"in.ftpd"}, streams("socket:[12]"));
  EXPECT_EQ(host.check().verdict, audit::Verdict::clean);
  EXPECT_THAT(host.check().subjects, IsEmpty());
  host.add_process(14, "sh", "/usr/bin/dash", {"/bin/sh", "/usr/local/sbin/service.sh"}, streams("socket:[12]"));
  host.add_process(15, "python3", "/usr/bin/python3.11", {"python3", "/srv/app.py"}, streams("socket:[11]"));
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::clean);
  EXPECT_EQ(severity_of(report, "reverse-shell.socket-streams"), Severity::low);
}

TEST(ProcessCheck, AShellBehindAPort) {
  PreparedHost host;
  host.table += sockets;
  host.add_process(10, "sh", "/usr/bin/dash", {"sh", "-i"}, streams("socket:[12]"));
  EXPECT_EQ(host.check().verdict, audit::Verdict::malicious);
}

TEST(ProcessCheck, AnInterpreterWithCodeInItsArguments) {
  PreparedHost host;
  host.table += sockets;
  host.add_process(10, "perl", "/usr/bin/perl", {"perl", "-e", "print 1"}, streams("socket:[11]"));
  EXPECT_EQ(severity_of(host.check(), "reverse-shell.socket-streams"), Severity::critical);
}

TEST(ProcessCheck, CommandLinesOfMiners) {
  const PreparedHost host;
  host.add_process(10, "kworker", "/usr/lib/kworker", {"[kworker/0:1]", "-o", "stratum+tcp://pool.example:3333", "-u", "worker", "-p", "x", "--donate-level", "1"});
  host.add_process(11, "vi", "/usr/bin/vi", {"vi", "xmrig.md", "stratum.txt"});
  host.add_process(12, "grep", "/usr/bin/grep", {"grep", "-r", "xmrig", "/srv"});
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::malicious);
  EXPECT_THAT(rules_of(report, SubjectKind::process, "10"), Contains("miner.command-line"));
  EXPECT_THAT(rules_of(report, SubjectKind::process, "11"), IsEmpty());
  EXPECT_THAT(rules_of(report, SubjectKind::process, "12"), IsEmpty());
}

TEST(ProcessCheck, DeletedPrograms) {
  const PreparedHost host;
  host.add_process(10, "run", "/var/tmp/run (deleted)", {"./run"});
  auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::suspicious);
  EXPECT_THAT(rules_of(report, SubjectKind::process), ElementsAre("dropper.deleted-program"));

  const PreparedHost updated;
  updated.folder.write("usr/lib/jvm/bin/java", "new");
  updated.add_process(10, "java", "/usr/lib/jvm/bin/java (deleted)", {"java", "-jar", "/srv/app.jar"});
  EXPECT_THAT(updated.check().subjects, IsEmpty());
  updated.add_process(11, "old", "/opt/app-1/bin/old (deleted)", {"old"});
  report = updated.check();
  EXPECT_EQ(report.verdict, audit::Verdict::clean);
  EXPECT_THAT(rules_of(report, SubjectKind::process), ElementsAre("anomaly.replaced-program"));
}

TEST(ProcessCheck, ProgramsInMemory) {
  const PreparedHost host;
  host.add_process(10, "x", "/memfd:x (deleted)", {"x"});
  EXPECT_EQ(host.check().verdict, audit::Verdict::suspicious);
  const PreparedHost runtime;
  runtime.add_process(10, "runc:[2:INIT]", "/memfd:runc_cloned:/proc/self/exe (deleted)", {"runc", "init"});
  EXPECT_EQ(runtime.check().verdict, audit::Verdict::clean);
}

TEST(ProcessCheck, HiddenPrograms) {
  const PreparedHost host;
  host.add_process(10, "x", "/dev/shm/.cache/x", {"x"});
  host.add_process(11, "code", "/home/alice/.vscode-server/bin/code", {"code"});
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::suspicious);
  EXPECT_THAT(rules_of(report, SubjectKind::process, "10"), ElementsAre("impersonation.hidden-executable"));
  EXPECT_THAT(rules_of(report, SubjectKind::process, "11"), IsEmpty());
}

TEST(ProcessCheck, ConnectionsToKnownAddresses) {
  const detect::DataFile file{"incidents/own.toml", "id = \"own\"\ntitle = \"Own\"\nfirst_seen = \"2026\"\n[[indicator]]\ntype = \"c2\"\nvalue = \"198.51.100.7:4444\"\nconfidence = \"high\"\nsource = \"us\"\n"};
  const auto incidents = detect::parse_incident_data({&file, 1});
  ASSERT_TRUE(incidents.ok());
  PreparedHost host;
  host.table += sockets;
  host.add_process(10, "agent", "/usr/bin/agent", {"agent"}, {"/dev/null", "/dev/null", "/dev/null", "socket:[11]"});
  EXPECT_THAT(host.check().subjects, IsEmpty());
  const auto report = host.check(&*incidents);
  EXPECT_EQ(report.verdict, audit::Verdict::malicious);
  EXPECT_THAT(rules_of(report, SubjectKind::process, "10"), ElementsAre("known-bad.connection"));
}

TEST(ProcessCheck, FilesOfProcThatAreNone) {
  const PreparedHost host;
  for (const char* id : {"10", "11", "99999999999999999999", "self", "0"}) host.folder.write(std::string("proc/") + id + "/comm", "x");
  host.folder.write("proc/11/cmdline", std::string(3 << 20, 'a'));
  std::filesystem::create_directories(host.folder.path("proc/12/cmdline"));
  ASSERT_EQ(mkfifo(host.folder.path("proc/10/cmdline").c_str(), 0600), 0);
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::incomplete);
  EXPECT_THAT(report.not_looked_at, Not(IsEmpty()));
}

}  // namespace
}  // namespace lazaret::host
