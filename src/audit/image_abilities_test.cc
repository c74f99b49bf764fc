#include "audit/image_abilities.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lazaret::audit {
namespace {

Entry file(std::string path, std::uint32_t mode = 0755) {
  Entry entry;
  entry.path = std::move(path);
  entry.mode = mode;
  return entry;
}

std::vector<Ability> abilities(std::initializer_list<Entry> entries) {
  LayerAudit layer;
  for (const Entry& entry : entries) layer.entries.append(entry);
  const RootFileSystem root({&layer});
  return abilities_of(root);
}

TEST(Abilities, SetuidNeedsAnExecutableFile) {
  EXPECT_EQ(abilities({file("/usr/bin/su", 04755)}).front(), (Ability{"setuid", "/usr/bin/su", "/usr/bin/su", "root"}));
  EXPECT_TRUE(abilities({file("/srv/x", 04644)}).empty());
  Entry folder = file("/srv", 02755);
  folder.type = format::TarType::directory;
  EXPECT_TRUE(abilities({folder}).empty());
  Entry other = file("/x", 04755);
  other.uid = 33;
  EXPECT_EQ(abilities({other}).front().detail, "user 33");
}

TEST(Abilities, AToolInBothFoldersIsOne) {
  const auto found = abilities({file("/bin/nc"), file("/usr/bin/nc"), file("/usr/share/doc/nc")});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().kind, "network-tool");
}

TEST(Abilities, ModulesAndWhatStartsByItself) {
  const auto found = abilities({file("/lib/modules/6.1/x.ko.xz", 0644), file("/etc/cron.d/x", 0644), file("/home/a/.ssh/authorized_keys", 0600), file("/etc/cronology", 0644)});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(std::count_if(found.begin(), found.end(), [](const Ability& ability) { return ability.kind == "starts-by-itself"; }), 2);
}

TEST(FileCapabilities, AreNamedInAllRevisions) {
  // ping: revision 2, effective, cap_net_raw (13).
  EXPECT_EQ(describe_capabilities(std::string("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)), "cap_net_raw+ep");
  EXPECT_EQ(describe_capabilities(std::string("\0\0\0\1\0\4\0\0\1\0\0\0", 12)), "cap_net_bind_service+p cap_chown+i");
  // Revision 3 has the root of a user namespace behind it; cap_bpf is number 39.
  EXPECT_EQ(describe_capabilities(std::string("\1\0\0\3\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\xe8\3\0\0", 24)), "cap_bpf+ep");
  EXPECT_EQ(describe_capabilities(std::string("\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0", 20)), "cap_63+p");
}

TEST(FileCapabilities, WhatIsNoneIsMalformedAtEveryLength) {
  const std::string whole("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(describe_capabilities(whole.substr(0, size)), "malformed");
  EXPECT_EQ(describe_capabilities(std::string(20, '\0')), "malformed");
}

}  // namespace
}  // namespace lazaret::audit
