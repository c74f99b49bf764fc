#include "audit/file_digests.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

using format::FileKind;

TEST(FileDigests, AreWantedOfProgramsAndLibrariesOnly) {
  const format::FileType elf{FileKind::elf, format::Language::none}, script{FileKind::script, format::Language::shell}, text{FileKind::text, format::Language::none};
  EXPECT_TRUE(wants_digests("/opt/app/lib.so", elf, 0644));
  EXPECT_TRUE(wants_digests("/usr/lib/x/run", script, 0644));
  EXPECT_TRUE(wants_digests("/usr/bin/x", text, 0755));
  EXPECT_FALSE(wants_digests("/usr/share/x/data", text, 0644));
  EXPECT_FALSE(wants_digests("/app/node_modules/x/index.js", text, 0777)) << "trees that Windows copied have millions of these";
  EXPECT_FALSE(wants_digests("/usr/local/bin/x", script, 0755));
}

TEST(FileDigests, HintsChooseTheAlgorithm) {
  DigestHints none;
  EXPECT_TRUE(none.want_md5() && none.want_sha1());
  DigestHints dpkg;
  for (const char* path : {"/bin", "/etc", "/etc/dpkgx", "/etc/dpkg"}) dpkg.see(path);
  EXPECT_TRUE(dpkg.want_md5() && !dpkg.want_sha1());
  DigestHints apk;
  apk.see("/lib/apk/db/installed");
  EXPECT_TRUE(!apk.want_md5() && apk.want_sha1());
  DigestHints tools;
  tools.see("/etc/rpm/macros");
  EXPECT_TRUE(tools.want_md5()) << "dpkg's distributions have rpm's tools";
  DigestHints rpm;
  rpm.see("/var/lib/rpm/Packages");
  EXPECT_FALSE(rpm.want_md5() || rpm.want_sha1());
  rpm.see("/var/lib/dpkg/status");
  rpm.see("/etc/apk/world");
  EXPECT_TRUE(rpm.want_md5() && rpm.want_sha1()) << "planted marks take nothing away";
}

std::vector<FileDigest> samples() {
  std::vector<FileDigest> digests(3);
  digests[0].entry = 0;
  digests[0].set(hash(HashAlgorithm::md5, as_bytes("a")));
  digests[1].entry = 700;
  digests[1].set(hash(HashAlgorithm::sha1, as_bytes("b")));
  digests[2].entry = 1ull << 40;
  digests[2].set(hash(HashAlgorithm::md5, as_bytes("c")));
  digests[2].set(hash(HashAlgorithm::sha1, as_bytes("c")));
  return digests;
}

TEST(FileDigests, AreSavedAndLoaded) {
  SerialWriter writer;
  put_file_digests(writer, samples());
  const std::string saved = writer.take();
  SerialReader reader(as_bytes(saved));
  std::vector<FileDigest> loaded;
  ASSERT_TRUE(get_file_digests(reader, loaded));
  EXPECT_TRUE(reader.at_end());
  ASSERT_EQ(loaded.size(), 3u);
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    EXPECT_EQ(loaded[i].entry, samples()[i].entry);
    EXPECT_EQ(loaded[i].md5_text(), samples()[i].md5_text());
    EXPECT_EQ(loaded[i].sha1_text(), samples()[i].sha1_text());
  }
}

TEST(FileDigests, NoPrefixIsTakenForTheWhole) {
  SerialWriter writer;
  put_file_digests(writer, samples());
  const std::string saved = writer.take();
  for (std::size_t size = 0; size < saved.size(); ++size) {
    SerialReader reader(as_bytes(std::string_view(saved).substr(0, size)));
    std::vector<FileDigest> loaded;
    EXPECT_FALSE(get_file_digests(reader, loaded)) << size;
  }
}

}  // namespace
}  // namespace lazaret::audit
