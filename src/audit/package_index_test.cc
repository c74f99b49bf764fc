#include "audit/package_index.h"

#include <gtest/gtest.h>

#include "audit/integrity.h"
#include "audit/known_bad_packages.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

using State = PackageIndex::State;

std::string md5_hex(std::string_view text) { return hash(HashAlgorithm::md5, as_bytes(text)).hex(); }

// A layer of programs and database files.
class Layer {
 public:
  Layer& program(const std::string& path, std::string_view content) {
    FileDigest digest;
    digest.entry = audit.entries.size();
    digest.set(hash(HashAlgorithm::md5, as_bytes(content)));
    add(path, content, format::FileKind::elf, 0755);
    audit.digests.push_back(digest);
    return *this;
  }
  Layer& kept(const std::string& path, const std::string& text) {
    audit.kept.push_back({audit.entries.size(), path, text});
    add(path, text, format::FileKind::text, 0644);
    return *this;
  }
  Layer& link(const std::string& path, const std::string& target) {
    Entry entry;
    entry.path = path;
    entry.type = format::TarType::symlink;
    entry.link_target = target;
    audit.entries.append(entry);
    return *this;
  }
  Layer& gone(const std::string& path) { return kept(path, ""), audit.kept.pop_back(), *this; }

  LayerAudit audit;

 private:
  void add(const std::string& path, std::string_view content, format::FileKind kind, std::uint32_t mode) {
    Entry entry;
    entry.path = path;
    entry.type = format::TarType::file;
    entry.mode = mode;
    entry.size = content.size();
    entry.file_type.kind = kind;
    entry.content = content_digest(sha256(as_bytes(content)));
    audit.entries.append(entry);
  }
};

const std::string status_path = "/var/lib/dpkg/status", sums_path = "/var/lib/dpkg/info/tool.md5sums";
std::string status(const std::string& version) { return "Package: tool\nStatus: install ok installed\nVersion: " + version + "\nArchitecture: amd64\n"; }
std::string sums(std::string_view content) { return md5_hex(content) + "  usr/bin/tool\n"; }
Layer base() { return Layer().kept(sums_path, sums("a")).kept(status_path, status("1")).program("/usr/bin/tool", "a"); }

struct Judged {
  explicit Judged(std::vector<Layer> layers_in, std::size_t base_layers = 0) : layers(std::move(layers_in)), root(pointers()), index(root, base_layers, {}) {
    const IntegrityJudgement judgement = judge_integrity(root, index, base_layers);
    for (const IntegrityFinding& finding : judgement.findings) rules.emplace_back(finding.rule);
    for (const IntegrityGap& gap : judgement.gaps) gaps.push_back(gap.path);
    std::sort(rules.begin(), rules.end());
  }
  std::vector<const LayerAudit*> pointers() const {
    std::vector<const LayerAudit*> list;
    for (const Layer& layer : layers) list.push_back(&layer.audit);
    return list;
  }
  std::optional<PackageIndex::Owner> owner(const std::string& path) const {
    const auto found = root.find(path);
    if (!found) return std::nullopt;
    return index.owner(path, found->layer, content_of(layers[found->layer].audit, found->record, found->entry));
  }

  std::vector<Layer> layers;
  RootFileSystem root;
  PackageIndex index;
  std::vector<std::string> rules, gaps;
};

using Rules = std::vector<std::string>;

TEST(PackageIndex, KnowsOwnerStateAndTrust) {
  const Judged self({base()});
  ASSERT_TRUE(self.owner("/usr/bin/tool"));
  EXPECT_EQ(self.owner("/usr/bin/tool")->package->name, "tool");
  EXPECT_EQ(self.owner("/usr/bin/tool")->state, State::unmodified);
  EXPECT_EQ(self.owner("/usr/bin/tool")->trust, Trust::self_declared);
  EXPECT_EQ(Judged({base(), Layer().program("/x", "x")}, 1).owner("/usr/bin/tool")->trust, Trust::known_base);
  const Judged other({base(), Layer().program("/usr/bin/tool", "b")});
  EXPECT_EQ(other.owner("/usr/bin/tool")->state, State::modified);
  EXPECT_EQ(other.owner("/usr/bin/tool")->expected, "md5:" + md5_hex("a"));
  EXPECT_FALSE(other.owner("/usr/bin/other"));
}

TEST(PackageIndex, FollowsTheLinksOfAMergedUsrOnlyWhereTheyAre) {
  Layer merged = base();
  merged.link("/bin", "usr/bin");
  EXPECT_EQ(Judged({merged, Layer().program("/bin/tool", "b")}).rules, Rules{"integrity.modified-package-file"});
  EXPECT_EQ(Judged({base(), Layer().program("/bin/tool", "b")}).rules, Rules{"integrity.unowned-executable"});
}

TEST(PackageIndex, DoesNotBelieveAListThatChangedWithoutAVersion) {
  const Judged forged({base(), Layer().kept(sums_path, sums("b")).program("/usr/bin/tool", "b")});
  EXPECT_EQ(forged.rules, (Rules{"integrity.modified-package-file", "integrity.package-database-rewritten"}));
  EXPECT_EQ(forged.owner("/usr/bin/tool")->trust, Trust::none);
  const Judged updated({base(), Layer().kept(sums_path, sums("b")).kept(status_path, status("2")).program("/usr/bin/tool", "b")});
  EXPECT_EQ(updated.rules, Rules{});
  EXPECT_EQ(updated.owner("/usr/bin/tool")->package->version, "2");
  const Judged again({base(), Layer().kept(sums_path, sums("a")).kept(status_path, status("1")).program("/usr/bin/tool", "a")});
  EXPECT_EQ(again.rules, Rules{}) << "installed again";
}

TEST(PackageIndex, DoesNotBelieveALineThatCameAfterItsFile) {
  const Judged late({Layer().kept(status_path, "Package: x\nVersion: 1\n").program("/usr/bin/tool", "a"), Layer().kept(sums_path, sums("a")).kept(status_path, status("1"))});
  EXPECT_EQ(late.owner("/usr/bin/tool")->trust, Trust::none);
  const Judged folder_by_folder({Layer().program("/usr/bin/tool", "a"), Layer().kept(sums_path, sums("a")).kept(status_path, status("1"))});
  EXPECT_EQ(folder_by_folder.owner("/usr/bin/tool")->trust, Trust::self_declared) << "there was no database before";
  const Judged left_as_it_was({base(), Layer().kept(sums_path, sums("a") + md5_hex("n") + "  usr/bin/new\n").kept(status_path, status("2"))});
  EXPECT_EQ(left_as_it_was.owner("/usr/bin/tool")->trust, Trust::self_declared) << "an update that brought the same file";
}

TEST(PackageIndex, DoesNotBelieveAPackageThatIsNotInstalled) {
  EXPECT_EQ(Judged({Layer().kept(sums_path, sums("a")).program("/usr/bin/tool", "a")}).owner("/usr/bin/tool")->trust, Trust::none);
  EXPECT_EQ(Judged({Layer().kept(sums_path, sums("a")).kept(status_path, "Package: tool\nStatus: deinstall ok config-files\nVersion: 1\n").program("/usr/bin/tool", "a")}).owner("/usr/bin/tool")->trust, Trust::none);
}

TEST(PackageIndex, UsesWhatWasDeleted) {
  EXPECT_EQ(Judged({base(), Layer().gone("/var/lib/.wh.dpkg").program("/usr/bin/tool", "b")}).rules, (Rules{"integrity.modified-package-file", "integrity.package-database-removed"}));
  EXPECT_EQ(Judged({base(), Layer().gone("/var/lib/dpkg/info/.wh.tool.md5sums").program("/usr/bin/tool", "b")}).rules,
            (Rules{"integrity.modified-package-file", "integrity.package-database-rewritten"}));
  EXPECT_EQ(Judged({base(), Layer().gone("/var/lib/dpkg/info/.wh.tool.md5sums").gone("/usr/bin/.wh.tool").kept(status_path, "Package: x\nVersion: 1\n")}).rules, Rules{}) << "removed in order";
}

TEST(PackageIndex, KnowsConfigurationFilesFromTheStatus) {
  const std::string path = "/etc/init.d/tool";
  const auto with = [&](std::string_view content, const std::string& version = "1") { return status(version) + "Conffiles:\n " + path + " " + md5_hex(content) + "\n"; };
  const auto judge = [&](const Layer& lower, const Layer& upper) { return Judged({lower, upper}); };
  const Layer own = Layer().kept(sums_path, sums("a")).kept(status_path, with("run")).program(path, "run");
  const Judged as_brought({own});
  ASSERT_TRUE(as_brought.owner(path));
  EXPECT_EQ(as_brought.owner(path)->state, State::unmodified);
  EXPECT_EQ(as_brought.owner(path)->trust, Trust::self_declared);
  EXPECT_EQ(Judged({Layer().kept(status_path, with("run")).program(path, "run")}).owner(path)->state, State::unmodified) << "a package without checksums of its programs";
  const Judged changed = judge(own, Layer().program(path, "other"));
  EXPECT_EQ(changed.owner(path)->state, State::modified);
  EXPECT_EQ(changed.rules, Rules{}) << "configuration is there to be changed";
  const Judged forged = judge(own, Layer().kept(status_path, with("other")).program(path, "other"));
  EXPECT_EQ(forged.owner(path)->trust, Trust::none);
  EXPECT_EQ(forged.rules, Rules{"integrity.package-database-rewritten"});
  const Judged added = judge(own, Layer().kept(status_path, with("run") + " /etc/cron.d/x " + md5_hex("x") + "\n").program("/etc/cron.d/x", "x"));
  EXPECT_EQ(added.rules, Rules{"integrity.package-database-rewritten"});
  EXPECT_EQ(judge(own, Layer().kept(status_path, with("other", "2")).program(path, "other")).owner(path)->trust, Trust::self_declared) << "an update";
  EXPECT_EQ(judge(own, Layer().kept(status_path, with("run", "2"))).owner(path)->trust, Trust::self_declared) << "an update that left it alone";
  EXPECT_EQ(judge(own, Layer().kept(status_path, status("1"))).rules, Rules{}) << "an obsolete one is forgotten";
  const Layer unpacked = Layer().kept(sums_path, sums("a")).kept(status_path, status("1") + "Conffiles:\n " + path + " newconffile\n");
  EXPECT_EQ(judge(unpacked, Layer().kept(status_path, with("run")).program(path, "run")).rules, Rules{}) << "configured in a later layer";
}

TEST(PackageIndex, FollowsDiversions) {
  const std::string diversions = "/usr/bin/tool\n/usr/bin/tool.real\n:\n";
  EXPECT_EQ(Judged({base(), Layer().kept("/var/lib/dpkg/diversions", diversions).program("/usr/bin/tool.real", "a").program("/usr/bin/tool", "wrapper")}).rules, Rules{"integrity.unowned-executable"});
  EXPECT_EQ(Judged({base(), Layer().kept("/var/lib/dpkg/diversions", diversions).program("/usr/bin/tool.real", "b").program("/usr/bin/tool", "w")}).rules,
            (Rules{"integrity.modified-package-file", "integrity.unowned-executable"}));
}

// A layer with a folder of apk's had no md5 of its programs, so that one that replaced a program of dpkg's was not compared and nothing was said.
TEST(Integrity, AMissingDigestIsSaid) {
  Layer planted = Layer().program("/usr/bin/tool", "b");
  planted.audit.digests.front().has_md5 = false;
  planted.audit.digests.front().set(hash(HashAlgorithm::sha1, as_bytes("b")));
  EXPECT_EQ(Judged({base(), planted}).gaps, std::vector<std::string>{"/usr/bin/tool"});
  EXPECT_EQ(Judged({base()}).gaps, std::vector<std::string>{});
}

TEST(Integrity, ALogOfTheDatabaseThatWasNotReadIsSaid) {
  const std::string log = "/var/lib/rpm/rpmdb.sqlite-wal";
  EXPECT_EQ(Judged({Layer().program(log, "frames")}).gaps, std::vector<std::string>{log});
  EXPECT_EQ(Judged({Layer().program(log, "")}).gaps, std::vector<std::string>{});
  EXPECT_EQ(Judged({Layer().program(log, "frames"), Layer().gone("/var/lib/rpm/.wh.rpmdb.sqlite-wal")}).gaps, std::vector<std::string>{});
}

TEST(Integrity, KnowsWhatPaysToReplace) {
  for (const char* path : {"/usr/sbin/sshd", "/bin/ls", "/usr/bin/ps", "/lib/x86_64-linux-gnu/security/pam_unix.so", "/usr/lib64/security/pam_sss.so", "/lib/ld-musl-x86_64.so.1", "/usr/lib/x86_64-linux-gnu/libc.so.6"}) {
    EXPECT_TRUE(is_security_relevant(path)) << path;
  }
  for (const char* path : {"/usr/bin/app", "/opt/ls", "/usr/share/doc/sshd", "/usr/lib/x86_64-linux-gnu/libfoo.so.1", "/usr/lib/python3/pam_x.py"}) EXPECT_FALSE(is_security_relevant(path)) << path;
}

TEST(KnownBadPackages, AreFoundByExactVersion) {
  EXPECT_TRUE(find_known_bad_package("dpkg", "liblzma5", "5.6.1-1"));
  EXPECT_TRUE(find_known_bad_package("rpm", "xz-libs", "5.6.0-2.fc40"));
  EXPECT_FALSE(find_known_bad_package("dpkg", "liblzma5", "5.6.1+really5.4.5-1"));
  EXPECT_FALSE(find_known_bad_package("apk", "xz-libs", "5.6.1-r2")) << "Alpine's corrected build";
  EXPECT_FALSE(find_known_bad_package("apk", "liblzma5", "5.6.1-1"));
}

TEST(KnownBadPackages, MistakesAreNamedWithTheirLine) {
  for (const char* text : {"x = 1", "[[package]]\nnames = ['a']\n", "[[package]]\nmanagers = [1]\n", "[[package]]\nwhy = 1\n", "[[package"}) {
    const auto parsed = parse_known_bad_packages(text, "packages.toml");
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_TRUE(parsed.error().message.starts_with("packages.toml:")) << parsed.error().message;
  }
}

}  // namespace
}  // namespace lazaret::audit
