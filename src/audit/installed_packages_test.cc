#include "audit/installed_packages.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

LayerAudit layer(const std::vector<std::pair<std::string, std::string>>& files) {
  LayerAudit audit;
  for (const auto& [path, text] : files) {
    Entry entry;
    entry.path = path;
    audit.entries.append(entry);
    audit.kept.push_back({audit.entries.size() - 1, path, text});
  }
  return audit;
}

std::string owner(const InstalledPackages& packages, const std::string& path) {
  const std::size_t index = packages.owners_of({path}).front();
  return index == InstalledPackages::none ? "" : packages.list()[index].name;
}

TEST(InstalledPackages, DpkgsStatusAndLists) {
  const LayerAudit only = layer({{"/var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\nDescription: x\n Package: inner\n\n"
                                                          "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
                                                          "Package: libc6\nStatus: install ok installed\nVersion: 2.36\nArchitecture: i386\n\n"
                                                          "Package: libc6\nStatus: install ok installed\nVersion: 2.36\nArchitecture: amd64\n"},
                                 {"/var/lib/dpkg/info/bash.list", "/.\n/bin/bash\n"},
                                 {"/var/lib/dpkg/info/libc6:amd64.list", "/lib/x86_64-linux-gnu/libc.so.6\n"},
                                 {"/var/lib/dpkg/info/gone.list", "/etc/gone.conf\n"}});
  const RootFileSystem root({&only});
  const InstalledPackages packages(root);
  ASSERT_EQ(packages.list().size(), 3u);
  EXPECT_EQ(packages.list()[0], (InstalledPackage{"dpkg", "bash", "5.2", "amd64"}));
  EXPECT_EQ(owner(packages, "/bin/bash"), "bash");
  EXPECT_EQ(owner(packages, "/usr/bin/bash"), "bash");  // merged /usr
  EXPECT_EQ(owner(packages, "/usr/lib/x86_64-linux-gnu/libc.so.6"), "libc6");
  EXPECT_EQ(packages.list()[packages.owners_of({"/lib/x86_64-linux-gnu/libc.so.6"}).front()].architecture, "amd64");
  EXPECT_EQ(owner(packages, "/etc/gone.conf"), "");
  EXPECT_EQ(owner(packages, "/var/lib/dpkg/info/libc6:amd64.postinst"), "libc6");
  EXPECT_EQ(owner(packages, "/opt/x"), "");
}

TEST(InstalledPackages, DistrolessHasOneFileForEachPackage) {
  const LayerAudit only = layer({{"/var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\nArchitecture: amd64\n"},
                                 {"/var/lib/dpkg/status.d/base-files.md5sums", "d41d8cd98f00b204e9800998ecf8427e  etc/issue\n"}});
  const RootFileSystem root({&only});
  const InstalledPackages packages(root);
  ASSERT_EQ(packages.list().size(), 1u);
  EXPECT_EQ(owner(packages, "/etc/issue"), "base-files");
}

TEST(InstalledPackages, ApksDatabase) {
  const LayerAudit only = layer({{"/lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\nZ:Q1x\n\nP:busybox\nV:1.36\nA:x86_64\nF:bin\nR:busybox\n"}});
  const RootFileSystem root({&only});
  const InstalledPackages packages(root);
  ASSERT_EQ(packages.list().size(), 2u);
  EXPECT_EQ(owner(packages, "/bin/busybox"), "busybox");
  EXPECT_EQ(owner(packages, "/lib/ld-musl-x86_64.so.1"), "musl");
}

TEST(InstalledPackages, RpmsDatabaseAsTheAuditKeepsIt) {
  const LayerAudit only = layer({{"/usr/lib/sysimage/rpm/rpmdb.sqlite", "P:bash\nV:5.2-1\nA:x86_64\nF:usr/bin\nR:bash\nZ:Q1x\n\nP:glibc\nV:2.38-1\nA:i686\nF:usr/lib\nR:libc.so.6\n\n"
                                                                        "P:glibc\nV:2.38-1\nA:x86_64\nF:usr/lib64\nR:libc.so.6\n"}});
  const RootFileSystem root({&only});
  const InstalledPackages packages(root);
  ASSERT_EQ(packages.list().size(), 3u);
  EXPECT_EQ(packages.list()[0], (InstalledPackage{"rpm", "bash", "5.2-1", "x86_64"}));
  EXPECT_EQ(owner(packages, "/bin/bash"), "bash");
  EXPECT_EQ(packages.list()[packages.owners_of({"/usr/lib64/libc.so.6"}).front()].architecture, "x86_64");
}

TEST(InstalledPackages, ADatabaseThatIsNotVisibleSaysNothing) {
  const LayerAudit low = layer({{"/lib/apk/db/installed", "P:musl\nV:1\n"}}), high = layer({{"/lib/apk/db/.wh.installed", ""}});
  const RootFileSystem root({&low, &high});
  EXPECT_TRUE(InstalledPackages(root).list().empty());
}

TEST(InstalledPackages, EveryPrefixOfADatabaseIsRead) {
  const std::string status = "Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n\nPackage: a\nVersion: 1\n";
  const std::string apk = "P:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\nP:b\nV:1\nF:\nR:";
  for (std::size_t size = 0; size <= std::max(status.size(), apk.size()); ++size) {
    const LayerAudit only = layer({{"/var/lib/dpkg/status", status.substr(0, size)}, {"/lib/apk/db/installed", apk.substr(0, size)}});
    const RootFileSystem root({&only});
    const InstalledPackages packages(root);
    EXPECT_LE(packages.list().size(), 4u);
    (void)packages.owners_of({"/lib/ld-musl-x86_64.so.1"});
  }
}

}  // namespace
}  // namespace lazaret::audit
