#include "format/package_database.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace lazaret::format {
namespace {

struct File {
  std::string path, checksum;
  std::uint32_t mode;
  bool operator==(const File&) const = default;
};

template <typename Read>
std::vector<File> files_of(Read read, std::string_view text) {
  std::vector<File> files;
  read(text, [&](const PackagedFile& file) { files.push_back({std::string(file.path), to_hex(as_bytes(file.checksum)), file.mode}); });
  return files;
}

constexpr std::string_view status =
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nVersion: 2.36-9\nConffiles:\n /etc/ld.so.conf.d/x.conf 0123\nDescription: x\n more\n Package: no\n"
    "\n"
    "Package: old\nStatus: deinstall ok config-files\nVersion: 1\n"
    "\n\n"
    "Package: half\nStatus: install ok half-configured\nVersion: 1:2-3\n";

TEST(DpkgStatus, GivesNamesVersionsAndStates) {
  const auto packages = parse_dpkg_status(status);
  ASSERT_EQ(packages.size(), 3u);
  EXPECT_EQ(packages[0].name, "libc6");
  EXPECT_EQ(packages[0].version, "2.36-9");
  EXPECT_EQ(packages[0].architecture, "amd64");
  EXPECT_TRUE(packages[0].installed);
  EXPECT_TRUE(packages[0].multi_arch_same);
  EXPECT_FALSE(packages[1].installed);
  EXPECT_TRUE(packages[2].installed) << "its files are there";
  EXPECT_EQ(packages[2].version, "1:2-3");
}

TEST(DpkgStatus, AFieldInADescriptionIsNoField) {
  const auto packages = parse_dpkg_status("Package: a\nVersion: 1\nDescription: x\n Version: 2\n\tVersion: 3\n");
  ASSERT_EQ(packages.size(), 1u);
  EXPECT_EQ(packages[0].version, "1");
}

TEST(DpkgConffiles, GivePathsAndChecksumsOfThatPackageOnly) {
  const auto packages = parse_dpkg_status(
      "Package: a\nConffiles:\n /etc/a d41d8cd98f00b204e9800998ecf8427e\n /etc/a b D41D8CD98F00B204E9800998ECF8427E obsolete\n /etc/new newconffile\n relative d41d8cd98f00b204e9800998ecf8427e\n"
      "Description: x\n /etc/no d41d8cd98f00b204e9800998ecf8427e\n\nPackage: b\n /etc/b d41d8cd98f00b204e9800998ecf8427e\n");
  ASSERT_EQ(packages.size(), 2u);
  const std::string empty = "d41d8cd98f00b204e9800998ecf8427e";
  EXPECT_EQ(files_of(read_dpkg_conffiles, packages[0].conffiles), (std::vector<File>{{"/etc/a", empty, 0}, {"/etc/a b", empty, 0}, {"/etc/new", "", 0}}));
  EXPECT_EQ(files_of(read_dpkg_conffiles, packages[1].conffiles), std::vector<File>{});
}

TEST(DpkgChecksums, GivePathsAndRawDigests) {
  const auto files = files_of(read_dpkg_md5sums, "d41d8cd98f00b204e9800998ecf8427e  usr/bin/x y\nD41D8CD98F00B204E9800998ECF8427E  ./usr/z\nshort\nzz1d8cd98f00b204e9800998ecf8427e  bad\n");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0], (File{"/usr/bin/x y", "d41d8cd98f00b204e9800998ecf8427e", 0}));
  EXPECT_EQ(files[1].path, "/usr/z");
}

TEST(DpkgList, LeavesOutTheRoot) {
  const auto files = files_of(read_dpkg_list, "/.\n/usr\n/usr/bin/x\nrelative\n");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[1].path, "/usr/bin/x");
}

TEST(DpkgDiversions, AreGroupsOfThreeLines) {
  const auto diversions = parse_dpkg_diversions("/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n/cut\n");
  ASSERT_EQ(diversions.size(), 2u);
  EXPECT_EQ(diversions[0].package, "dash");
  EXPECT_EQ(diversions[1].from, "/a");
  EXPECT_EQ(diversions[1].package, "");
}

constexpr std::string_view installed =
    "C:Q1abc=\nP:busybox\nV:1.36-r5\nA:x86_64\nF:\nR:root-file\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\nF:bin\nR:busybox\na:0:0:4755\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\nR:no-sum\nF:etc\n"
    "\n"
    "P:musl\nV:1.2\nF:lib\nR:x\nZ:Q2ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\nR:wrong\nZ:Q1AAAA\n";

TEST(ApkInstalled, GivesPackagesWithTheirFiles) {
  std::vector<std::string> names;
  std::vector<File> files;
  read_apk_installed(installed, [&](const ApkPackage& package) {
    names.push_back(package.name + " " + package.version + " " + package.architecture);
    for (File& file : files_of(read_apk_files, package.paragraph)) files.push_back(std::move(file));
  });
  EXPECT_EQ(names, (std::vector<std::string>{"busybox 1.36-r5 x86_64", "musl 1.2 "}));
  ASSERT_EQ(files.size(), 5u);
  EXPECT_EQ(files[0], (File{"/root-file", "da39a3ee5e6b4b0d3255bfef95601890afd80709", 0}));
  EXPECT_EQ(files[1], (File{"/bin/busybox", "da39a3ee5e6b4b0d3255bfef95601890afd80709", 04755}));
  EXPECT_EQ(files[2], (File{"/bin/no-sum", "", 0}));
  EXPECT_EQ(files[3].checksum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(files[4], (File{"/lib/wrong", "", 0})) << "a checksum of the wrong length is none";
}

TEST(OsRelease, TheLastValueCountsWithoutItsQuotes) {
  EXPECT_EQ(os_release_field("ID=a\n ID=\"debian\"\nID_LIKE='x y'\n", "ID"), "debian");
  EXPECT_EQ(os_release_field("ID_LIKE='x y'", "ID_LIKE"), "x y");
  EXPECT_EQ(os_release_field("ID_LIKE=x", "ID"), std::nullopt);
  EXPECT_EQ(os_release_field("ID=\"", "ID"), "\"");
}

TEST(PackageDatabases, EveryPrefixIsRead) {
  const std::string sums = "d41d8cd98f00b204e9800998ecf8427e  usr/bin/x\nd41d8cd98f00b204e9800998ecf8427e  usr/bin/y\n";
  for (std::size_t size = 0; size <= status.size(); ++size) {
    const auto packages = parse_dpkg_status(status.substr(0, size));
    EXPECT_LE(packages.size(), 3u);
    for (const DpkgPackage& package : packages) EXPECT_LE(files_of(read_dpkg_conffiles, package.conffiles).size(), 1u);
  }
  for (std::size_t size = 0; size <= sums.size(); ++size) EXPECT_LE(files_of(read_dpkg_md5sums, std::string_view(sums).substr(0, size)).size(), 2u);
  for (std::size_t size = 0; size <= installed.size(); ++size) {
    std::size_t count = 0;
    read_apk_installed(installed.substr(0, size), [&](const ApkPackage& package) { count += files_of(read_apk_files, package.paragraph).size(); });
    EXPECT_LE(count, 5u);
  }
}

}  // namespace
}  // namespace lazaret::format
