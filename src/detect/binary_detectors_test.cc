// Rootkit libraries and modules, packers, proxyware and dual-use tools.
#include <gtest/gtest.h>

#include <random>

#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"

namespace lazaret::detect {

extern const Detector rootkit_preload_detector;
extern const Detector rootkit_kernel_module_detector;
extern const Detector elf_packer_detector;
extern const Detector proxyware_detector;
extern const Detector dual_use_tool_detector;

namespace {

using test::inspect;
using Ids = std::vector<std::string>;

Ids preload(const test::ElfSample& elf) {
  return inspect(rootkit_preload_detector, {.path = "/lib/libx.so", .content = elf.build()})
      .rules();
}

TEST(RootkitPreload, HidesProcesses) {
  test::ElfSample elf;
  elf.exports = {"readdir", "readdir64"};
  elf.imports = {"dlsym", "readlink"};
  elf.data = "/proc/self/fd/%d" + std::string(1, '\0') + "/proc/%s/stat";
  EXPECT_EQ(preload(elf), Ids{"rootkit.preload-hooks"});
  elf.imports = {"readlink"};
  EXPECT_EQ(preload(elf), Ids{}) << "does not call the next one";
}

TEST(RootkitPreload, StringsEncryptedHooksWide) {
  test::ElfSample elf;
  elf.exports = {"readdir", "open", "stat", "unlink", "accept", "pam_authenticate"};
  elf.imports = {"dlsym"};
  EXPECT_EQ(preload(elf), Ids{"rootkit.preload-hooks"});
}

TEST(RootkitPreload, HonestInterposers) {
  test::ElfSample fakeroot;
  fakeroot.exports = {"stat", "lstat", "chown", "unlink", "rename", "access", "open"};
  fakeroot.imports = {"dlsym"};
  EXPECT_EQ(preload(fakeroot), Ids{});

  test::ElfSample recorder;
  recorder.exports = {"readdir", "open", "fopen", "stat", "unlink", "rename", "rmdir"};
  recorder.imports = {"dlsym"};
  recorder.data = "/proc/self/fd/%d";
  EXPECT_EQ(preload(recorder), Ids{}) << "installwatch";

  test::ElfSample sanitizer;
  sanitizer.soname = "libasan.so.8";
  sanitizer.imports = {"dlsym"};
  sanitizer.exports = {"readdir", "readdir64", "open",   "fopen",
                       "stat",    "unlink",    "accept", "getpwnam"};
  for (int i = 0; i < 500; ++i) sanitizer.exports.push_back("__asan_" + std::to_string(i));
  sanitizer.data = "/proc/self/maps";
  EXPECT_EQ(preload(sanitizer), Ids{});

  test::ElfSample libc;
  libc.soname = "libc.so.6";
  libc.exports = {"readdir", "open", "stat", "unlink", "accept", "getpwnam", "dlsym"};
  libc.data = "/etc/ld.so.preload";
  EXPECT_EQ(preload(libc), Ids{});

  test::ElfSample program;
  program.interpreter = "/lib64/ld-linux-x86-64.so.2";
  program.exports = {"readdir"};
  program.imports = {"dlsym"};
  program.data = "/etc/ld.so.preload";
  EXPECT_EQ(preload(program), Ids{});
}

TEST(RootkitPreload, WithoutDlsym) {
  test::ElfSample elf;
  elf.exports = {"readdir64"};
  elf.imports = {"syscall"};
  EXPECT_EQ(preload(elf), Ids{});
  elf.data = "/proc/%s/cmdline";
  EXPECT_EQ(preload(elf), Ids{"rootkit.preload-hooks"});
  elf.imports.clear();
  EXPECT_EQ(preload(elf), Ids{}) << "a library of its own functions";
}

TEST(RootkitPreload, BackdoorInAccept) {
  test::ElfSample elf;
  elf.exports = {"accept"};
  elf.imports = {"dlsym", "dup2", "execl"};
  EXPECT_EQ(preload(elf), Ids{});
  elf.data = "/bin/sh";
  EXPECT_EQ(preload(elf), Ids{"rootkit.accept-backdoor"});
  elf.imports = {"dlsym"};
  EXPECT_EQ(preload(elf), Ids{}) << "a wrapper for tests";
}

TEST(RootkitPreload, Logins) {
  test::ElfSample elf;
  elf.exports = {"pam_authenticate"};
  elf.imports = {"dlsym"};
  EXPECT_EQ(preload(elf), Ids{"rootkit.login-hooks"});
  elf.soname = "libpam.so.0";
  EXPECT_EQ(preload(elf), Ids{});
}

TEST(RootkitKernelModule, HooksAndPlaces) {
  test::ElfSample elf;
  elf.type = 1;
  elf.data = ".gnu.linkonce.this_module" + std::string(1, '\0');
  const auto look = [&](std::string path) {
    return inspect(rootkit_kernel_module_detector,
                   {.path = std::move(path), .content = elf.build()})
        .rules();
  };
  EXPECT_EQ(look("/lib/modules/6.1.0/kernel/fs/x.ko"), Ids{});
  EXPECT_EQ(look("/opt/x.ko"), Ids{"rootkit.kernel-module"});
  elf.data += "kallsyms_lookup_name getdents64 hide_pid commit_creds";
  EXPECT_EQ(look("/lib/modules/6.1.0/kernel/fs/x.ko"), Ids{"rootkit.kernel-module-hooks"});
  elf.type = 2;
  EXPECT_EQ(look("/opt/x.ko"), Ids{});
}

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(random());
  return text;
}

Ids packer(const test::ElfSample& elf) {
  return inspect(elf_packer_detector, {.path = "/x", .content = elf.build()}).rules();
}

TEST(ElfPacker, UpxAndItsAlterations) {
  test::ElfSample elf;
  elf.type = 2;
  elf.section_headers = false;
  elf.extra_memory = 1 << 20;
  elf.data = "UPX!" + noise(64 * 1024) + "UPX!";
  EXPECT_EQ(packer(elf), Ids{"obfuscation.upx"});
  elf.data = "UPX!" + noise(64 * 1024) + "ABC!" + std::string(600, 'x');
  EXPECT_EQ(packer(elf), Ids{"obfuscation.upx-altered"});
  elf.data = "ABC!" + noise(64 * 1024) + "UPX!";
  EXPECT_EQ(packer(elf), Ids{"obfuscation.upx-altered"});
  elf.data = "$Info: This file is packed with the UPX executable packer" + noise(64 * 1024);
  EXPECT_EQ(packer(elf), Ids{"obfuscation.upx-altered"});
  elf.data = noise(64 * 1024);
  EXPECT_EQ(packer(elf), Ids{"obfuscation.packed-elf"});
}

TEST(ElfPacker, OrdinaryPrograms) {
  test::ElfSample elf;
  elf.type = 2;
  elf.data = noise(64 * 1024);
  EXPECT_EQ(packer(elf), Ids{}) << "as much memory as content";
  elf.extra_memory = 1 << 20;
  EXPECT_EQ(packer(elf), Ids{}) << "with section headers";
  elf.section_headers = false;
  elf.extra_memory = 0;
  EXPECT_EQ(packer(elf), Ids{"obfuscation.packed-elf"}) << "code that is random data";
  elf.extra_memory = 1 << 20;
  elf.data = std::string(64 * 1024, '\x90');
  EXPECT_EQ(packer(elf), Ids{}) << "a stripped program with a large .bss";
  elf.section_headers = true;
  elf.extra_memory = 0;
  elf.data = "the string UPX! in a scanner";
  EXPECT_EQ(packer(elf), Ids{});
}

TEST(ElfPacker, CarriesAProgram) {
  test::ElfSample inner;
  inner.type = 2;
  test::ElfSample elf;
  elf.data = std::string(100, 'x') + inner.build();
  EXPECT_EQ(packer(elf), Ids{}) << "installers carry programs";
  elf.imports = {"memfd_create"};
  EXPECT_EQ(packer(elf), Ids{"obfuscation.elf-in-elf"});
  elf.data =
      "\x7f"
      "ELF";
  EXPECT_EQ(packer(elf), Ids{});
}

TEST(Proxyware, CommandsProgramsImages) {
  const auto look = [](std::string content, std::string path = "/run.sh",
                       Origin origin = Origin::file) {
    return inspect(proxyware_detector,
                   {.path = std::move(path), .content = std::move(content), .origin = origin})
        .rules();
  };
  EXPECT_EQ(look("/app/Cli start accept --token abc=", "config.Cmd", Origin::config),
            Ids{"proxy-abuse.proxyware-command"});
  EXPECT_EQ(look("#!/bin/sh\n./honeygain -tou-accept -email a@b.example -pass x\n"),
            Ids{"proxy-abuse.proxyware-command"});
  EXPECT_EQ(look("#!/bin/sh\n./server start accept\n"), Ids{});
  EXPECT_EQ(look("traffmonetizer.com\nhoneygain.com\n", "/etc/blocklist.txt"), Ids{});
  EXPECT_EQ(look("Run `honeygain -tou-accept -email a -pass b`\n", "/README.md"), Ids{});

  test::ElfSample elf;
  elf.data = "honeygain honeygain honeygain honeygain honeygain honeygain honeygain";
  EXPECT_EQ(look(elf.build(), "/usr/bin/x"), Ids{});
  elf.data += " Honeygain";
  EXPECT_EQ(look(elf.build(), "/usr/bin/x"), Ids{"proxy-abuse.proxyware-program"});

  test::FakeImage image;
  image.name = "docker.io/traffmonetizer/cli_v2:latest";
  EXPECT_EQ(test::inspect_image(proxyware_detector, image).size(), 1u);
  image.name = "docker.io/traffmonetizer/cli_v2x:latest";
  EXPECT_EQ(test::inspect_image(proxyware_detector, image).size(), 0u);
}

TEST(DualUseTool, ProgramsByWhatTheirBuildLeaves) {
  const auto look = [](std::string data) {
    test::ElfSample elf;
    elf.data = std::move(data);
    return inspect(dual_use_tool_detector, {.path = "/usr/bin/sh", .content = elf.build()}).rules();
  };
  EXPECT_EQ(look("https://github.com/robertdavidgraham/masscan"), Ids{"anomaly.network-scanner"});
  EXPECT_EQ(look("ssh.tmate.io ssh.tmate.io"), Ids{"anomaly.tunnel-tool"});
  EXPECT_EQ(look("github.com/inguardians/peirates"), Ids{}) << "no Go program";
  EXPECT_EQ(inspect(dual_use_tool_detector,
                    {.path = "/src/go.sum", .content = "github.com/fatedier/frp v0.1 h1:x\n"})
                .rules(),
            Ids{});
}

// A Go program's build information with its strings inline, as Go 1.18 and later write it.
std::string go_program(std::string_view modules) {
  std::string info = "\xff Go buildinf:";
  info += std::string("\x08\x02", 2) + std::string(16, '\0') + "\x08" + "go1.22.1";
  const std::string text = "0123456789abcdef" + std::string(modules) + "0123456789abcdef";
  info += static_cast<char>((text.size() & 0x7f) | 0x80);
  info += static_cast<char>(text.size() >> 7);
  test::ElfSample elf;
  elf.data = info + text;
  return elf.build();
}

TEST(DualUseTool, GoModules) {
  const auto look = [](const std::string& content) {
    return inspect(dual_use_tool_detector, {.path = "/usr/bin/agent", .content = content});
  };
  const auto implant = look(go_program("path\tgithub.com/bishopfox/sliver/implant/sliver\nmod\tgithub.com/bishopfox/sliver\tv1.5.0\n"));
  ASSERT_EQ(implant.rules(), Ids{"reverse-shell.c2-program"});
  EXPECT_EQ(test::severity_of(implant.findings[0]), Severity::critical);
  const auto server = look(go_program("path\tgithub.com/bishopfox/sliver/server\nmod\tgithub.com/bishopfox/sliver\tv1.5.0\n"));
  ASSERT_EQ(server.rules(), Ids{"reverse-shell.c2-program"});
  EXPECT_EQ(test::severity_of(server.findings[0]), Severity::high);
  EXPECT_EQ(look(go_program("path\tgithub.com/fatedier/frp/cmd/frpc\nmod\tgithub.com/fatedier/frp\tv0.50.0\n")).rules(), Ids{"anomaly.tunnel-tool"});
  EXPECT_EQ(look(go_program("path\tSpark/client\nmod\tSpark\t(devel)\n")).rules(), Ids{"reverse-shell.c2-program"});
  const auto dependency = look(go_program("path\texample.com/a\nmod\texample.com/a\t(devel)\ndep\tgithub.com/jpillora/chisel\tv1.9.1\th1:x=\n"));
  ASSERT_EQ(dependency.rules(), Ids{"anomaly.tunnel-tool"});
  EXPECT_EQ(dependency.findings[0].confidence, Confidence::medium);
}

TEST(DualUseTool, OrdinaryGoPrograms) {
  const auto look = [](const std::string& content) {
    return inspect(dual_use_tool_detector, {.path = "/usr/bin/x", .content = content}).rules();
  };
  const std::string docker = "path\tgithub.com/docker/cli/cmd/docker\nmod\tgithub.com/docker/cli\tv24.0.5\ndep\tgithub.com/jpillora/backoff\tv1.0.0\n";
  EXPECT_EQ(look(go_program(docker)), Ids{});
  EXPECT_EQ(look(go_program(docker + "build\t-X=github.com/fatedier/frp\n")), Ids{}) << "a mention";
}

TEST(DualUseTool, GoProgramWhoseModulesWereRemoved) {
  test::ElfSample elf;
  elf.data = "runtime.goexit" + std::string(1, '\0') + "github.com/cdk-team/CDK/pkg/exploit.init";
  EXPECT_EQ(inspect(dual_use_tool_detector, {.path = "/x", .content = elf.build()}).rules(), Ids{"container-escape.toolkit"});
  std::string damaged = go_program("path\tgithub.com/cdk-team/CDK\n");
  damaged[damaged.find("path\t")] = 'x';
  elf.data = damaged + "runtime.goexit github.com/cdk-team/CDK/pkg";
  EXPECT_FALSE(inspect(dual_use_tool_detector, {.path = "/x", .content = elf.build()}).findings.empty());
}

TEST(DualUseTool, RustCrates) {
  test::ElfSample elf;
  elf.data = "/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/rustscan-2.1.1/src/main.rs";
  EXPECT_EQ(inspect(dual_use_tool_detector, {.path = "/x", .content = elf.build()}).rules(), Ids{"anomaly.network-scanner"});
  elf.data = "/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/bore-client-2.1.1/src/main.rs";
  EXPECT_EQ(inspect(dual_use_tool_detector, {.path = "/x", .content = elf.build()}).rules(), Ids{});
}

TEST(DualUseTool, ScansForOpenApis) {
  const auto look = [](std::string line) {
    return inspect(dual_use_tool_detector,
                   {.path = "/run.sh", .content = "#!/bin/sh\n" + line + "\n"})
        .rules();
  };
  EXPECT_EQ(look("masscan 198.51.100.0/24 -p2375,2376 --rate 10000"),
            Ids{"container-escape.docker-api-scan"});
  EXPECT_EQ(look("pnscan -w x 198.51.100.0/24 6379"), Ids{"container-escape.docker-api-scan"});
  EXPECT_EQ(look("masscan 198.51.100.0/24 -p80,443"), Ids{});
  EXPECT_EQ(look("# masscan -p2375 is what worms do"), Ids{});
  EXPECT_EQ(look("masscan -p12375 x"), Ids{});
}

}  // namespace
}  // namespace lazaret::detect
