#include "audit/integrity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "audit/known_bad_packages.h"
#include "audit/paths.h"
#include "base/text.h"
#include "format/package_database.h"

namespace lazaret::audit {
namespace {

using detect::Category;
using detect::Confidence;
using detect::Rule;
using detect::Severity;
using State = PackageIndex::State;

constexpr std::array rules = {
    Rule{"integrity.modified-package-file", Category::integrity, Severity::medium, Confidence::high, "File of a package has other content than the package's",
         "The image's package database has another checksum for this file. Stripping or packing of programs and updates past the package manager (pip, npm) do it; so does whoever "
         "replaces a program by his own.",
         "Compare the file with the one in the distribution's package of this version; install the package again.", {"T1554", "T1036.005"}},
    Rule{"integrity.modified-security-file", Category::integrity, Severity::high, Confidence::high, "Program that guards the system has other content than its package's",
         "A login service, PAM module, shell, basic library or tool with which an administrator looks around is not the one of its package, by the image's own database. Hardly anything but an attack replaces these.",
         "Do not run the image before somebody has explained this file. Install the package again.", {"T1554", "T1556.003"}},
    Rule{"integrity.package-database-rewritten", Category::integrity, Severity::high, Confidence::medium, "Package database was rewritten without a change of packages",
         "A layer changed what the database says of the files of a package whose version stayed the same. Package managers do not do that; it makes a replaced file look unmodified. What stood there before is what counts here.",
         "Find the step that wrote into the package database.", {"T1565.001", "T1070"}},
    Rule{"integrity.package-database-removed", Category::integrity, Severity::medium, Confidence::medium, "Package database was deleted",
         "A lower layer has a package database that is gone in the end, so that other scanners see no packages. Some images are slimmed this way on purpose. The deleted database was used for this audit.",
         "Keep the package database, or build from a base without a package manager.", {"T1070.004"}},
    Rule{"integrity.unowned-executable", Category::integrity, Severity::info, Confidence::high, "Programs that no package owns in folders of packages",
         "Own programs belong to /usr/local, /opt or a folder of the application; many images copy them to /usr/bin all the same. Listed so that somebody can say where they come from.",
         "Nothing, when they are the image's own programs.", {}},
    Rule{"integrity.unowned-security-program", Category::integrity, Severity::medium, Confidence::medium, "Program that guards the system and that no package owns",
         "A login service, PAM module, shell or tool with which an administrator looks around lies in a folder of packages, or before the package's own in PATH, and no package brought it.",
         "Find out which step of the build put it there and why.", {"T1036.005", "T1574.007"}},
    Rule{"integrity.base-file-overwritten", Category::integrity, Severity::low, Confidence::medium, "Layer overwrites a program of the base image",
         "A program or library of the known base image was replaced, and no update of a package explains it.", "Find out which step of the build did it and why.", {"T1554"}},
    Rule{"integrity.false-os-release", Category::integrity, Severity::medium, Confidence::medium, "os-release names another distribution than the image has",
         "Scanners choose by this file which packages to look at; with a false one they see none. The package database and the C library say what the image really is.",
         "Find the step that wrote os-release.", {"T1036", "T1562.001"}},
    Rule{"known-bad.package-version", Category::known_bad, Severity::critical, Confidence::high, "Package version that is known to carry malware",
         "The distribution itself shipped this version with malicious code; that its files are unmodified does not help.", "Update the package; treat hosts that ran it as compromised.", {"T1195.002"}},
};

constexpr std::size_t findings_of_a_rule = 50, names_shown = 5;

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& sorted, std::string_view name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

// Sorted. What logs people in, shows processes, files and connections, or is part of every program.
constexpr std::array programs = {
    std::string_view("agetty"), std::string_view("apk"),     std::string_view("apt"),      std::string_view("apt-get"),  std::string_view("bash"),     std::string_view("busybox"),
    std::string_view("cat"),    std::string_view("chage"),   std::string_view("chattr"),   std::string_view("chpasswd"), std::string_view("cron"),     std::string_view("crond"),
    std::string_view("crontab"), std::string_view("dash"),   std::string_view("dmesg"),    std::string_view("dnf"),      std::string_view("dpkg"),     std::string_view("find"),
    std::string_view("getent"), std::string_view("id"),      std::string_view("init"),     std::string_view("kill"),     std::string_view("last"),     std::string_view("ldconfig"),
    std::string_view("ldd"),    std::string_view("login"),   std::string_view("ls"),       std::string_view("lsattr"),   std::string_view("lsmod"),    std::string_view("lsof"),
    std::string_view("mount"),  std::string_view("netstat"), std::string_view("nologin"),  std::string_view("passwd"),   std::string_view("pgrep"),    std::string_view("pkill"),
    std::string_view("ps"),     std::string_view("pstree"),  std::string_view("rpm"),      std::string_view("scp"),      std::string_view("sftp-server"), std::string_view("sh"),
    std::string_view("ss"),     std::string_view("ssh"),     std::string_view("ssh-add"),  std::string_view("ssh-agent"), std::string_view("sshd"),    std::string_view("stat"),
    std::string_view("su"),     std::string_view("sudo"),    std::string_view("sulogin"),  std::string_view("systemctl"), std::string_view("systemd"), std::string_view("top"),
    std::string_view("unix_chkpwd"), std::string_view("useradd"), std::string_view("usermod"), std::string_view("w"),     std::string_view("who"),      std::string_view("yum")};
static_assert(std::is_sorted(programs.begin(), programs.end()));

bool is_program_folder(std::string_view folder) {
  for (const std::string_view known : {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib/openssh", "/usr/libexec", "/usr/libexec/openssh", "/usr/lib/ssh", "/lib/systemd", "/usr/lib/systemd"}) {
    if (folder == known) return true;
  }
  return false;
}
bool is_local_program_folder(std::string_view folder) { return folder == "/usr/local/bin" || folder == "/usr/local/sbin"; }
bool is_library_folder(std::string_view path) {
  return path.starts_with("/lib/") || path.starts_with("/lib64/") || path.starts_with("/lib32/") || path.starts_with("/usr/lib/") || path.starts_with("/usr/lib64/") || path.starts_with("/usr/lib32/");
}

bool is_pam_module(std::string_view path) {
  const std::string_view name = name_of_path(path);
  return is_library_folder(path) && name.starts_with("pam_") && name.ends_with(".so") && folder_of(path).ends_with("/security");
}

bool is_basic_library(std::string_view path) {
  if (!is_library_folder(path)) return false;
  const std::string_view name = name_of_path(path);
  for (const std::string_view known : {"libc.so.", "libc-2.", "ld-linux", "ld-musl", "ld-2.", "libpam.so.", "libpthread", "libcrypt.so.", "libnss_", "libselinux.so.", "libaudit.so.", "liblzma.so.", "libcrypto.so.", "libssl.so.",
                                       "libc.musl-", "libsystemd.so.", "libproc"}) {
    if (name.starts_with(known) && name.find(".so") != std::string_view::npos) return true;
  }
  return false;
}

// What a base image may have without a package: Debian's images forbid to start services while packages are installed.
bool is_policy_stub(const RootFileSystem& root, std::string_view path) {
  if (path != "/usr/sbin/policy-rc.d" && path != "/sbin/policy-rc.d") return false;
  const auto text = root.kept_text(path);
  if (!text) return false;
  for (const std::string_view raw : split(*text, '\n')) {
    const std::string_view line = trim(raw);
    if (!line.empty() && !line.starts_with('#') && line != "exit 101" && line != "exit 0") return false;
  }
  return true;
}

class Judge {
 public:
  Judge(const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers) : root_(root), packages_(packages), base_layers_(base_layers) {}

  IntegrityJudgement run() {
    judge_databases();
    judge_logs();
    judge_known_bad();
    judge_os_release();
    for (std::size_t layer = 0; layer < root_.layers().size(); ++layer) {
      const LayerAudit& audit = *root_.layers()[layer];
      for (const FileDigest& digest : audit.digests) {
        if (root_.is_visible(layer, digest.entry)) judge_file(layer, digest.entry);
      }
    }
    add_unowned();
    return {take(), std::move(gaps_)};
  }

 private:
  void judge_databases() {
    for (const DatabaseProblem& problem : packages_.problems()) {
      const bool rewritten = problem.kind == DatabaseProblem::Kind::rewritten;
      findings_.push_back({rewritten ? "integrity.package-database-rewritten" : "integrity.package-database-removed", problem.path, problem.layer,
                           problem.package.empty() ? problem.what : problem.package + ": " + problem.what, std::nullopt});
    }
  }

  // SQLite's write-ahead log (https://www.sqlite.org/fileformat2.html, section 4): what stands in it has not been read.
  void judge_logs() {
    for (const std::string_view path : {"/var/lib/rpm/rpmdb.sqlite-wal", "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal"}) {
      const auto found = root_.find(path);
      if (!found || found->record.type != format::TarType::file || found->record.size == 0) continue;
      if (!gaps_.empty() && gaps_.back().path == found->record.path) continue;  // one folder is often a link to the other
      gaps_.push_back({found->record.path, found->layer, found->record.size,
                       "rpm's database has changes that stand only in this log, which was not read; `rpm --rebuilddb` or any command of rpm that ends in order writes them into the database"});
    }
  }

  void judge_known_bad() {
    for (const Package& package : packages_.packages()) {
      if (const KnownBadPackage* known = find_known_bad_package(package.manager, package.name, package.version)) {
        findings_.push_back({"known-bad.package-version", "", std::min(package.layer, root_.layers().size() - 1),
                             fmt::format("{} {} ({}): {}", package.name, package.version, package.manager, known->why), std::nullopt});
      }
    }
  }

  void judge_file(std::size_t layer, std::uint64_t number) {
    const LayerAudit& audit = *root_.layers()[layer];
    const Entry entry = audit.entries.at(number);
    if (entry.type != format::TarType::file || entry.path.starts_with("/etc/")) return;  // configuration is there to be changed
    const bool is_elf = entry.file_type.kind == format::FileKind::elf;
    const auto owner = packages_.owner(entry.path, layer, content_of(audit, entry, number));
    const bool relevant = is_security_relevant(entry.path);
    if (owner && owner->state == State::modified) {
      IntegrityFinding finding;
      finding.rule = relevant ? "integrity.modified-security-file" : "integrity.modified-package-file";
      finding.path = entry.path;
      finding.layer = layer;
      finding.evidence = fmt::format("package {} {} ({}): expected {}, found {}", owner->package->name, owner->package->version, owner->package->manager, owner->expected, owner->found);
      if (!is_elf) finding.severity = relevant ? Severity::medium : Severity::low;
      findings_.push_back(std::move(finding));
      return;
    }
    if (owner) {
      if (owner->state == State::unknown && !owner->expected.empty() && gaps_.size() < findings_of_a_rule) {
        gaps_.push_back({entry.path, layer, entry.size,
                         fmt::format("could not be compared with its package {}, which knows it by {}: the layer has the marks of another package manager, so that this digest was not made",
                                     owner->package->name, owner->expected.substr(0, owner->expected.find(':')))});
      }
      return;
    }
    if (base_layers_ > 0 && layer >= base_layers_ && overwrites_base(entry)) {
      findings_.push_back({"integrity.base-file-overwritten", entry.path, layer, "a layer of the base image has another file here",
                           relevant ? std::optional(Severity::medium) : std::nullopt});
    }
    if (!packages_.has_database() || layer < base_layers_) return;
    const std::string_view folder = folder_of(entry.path), name = name_of_path(entry.path);
    const bool in_packages = is_program_folder(folder) || (is_elf && is_library_folder(entry.path));
    if (relevant && in_packages) {
      findings_.push_back({"integrity.unowned-security-program", entry.path, layer, "no package of the image's database owns this file", std::nullopt});
    } else if (is_local_program_folder(folder) && contains(programs, name) && has_packaged(name)) {
      findings_.push_back({"integrity.unowned-security-program", entry.path, layer, fmt::format("stands before the {} of a package in PATH", name), std::nullopt});
    } else if (in_packages && !is_policy_stub(root_, entry.path)) {
      unowned_[layer].push_back(entry.path);
    }
  }

  // A program of that name that a package brought lies where PATH looks later.
  bool has_packaged(std::string_view name) const {
    for (const std::string_view folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
      const auto found = root_.find(std::string(folder) + std::string(name));
      if (!found || found->record.type != format::TarType::file) continue;
      const LayerAudit& audit = *root_.layers()[found->layer];
      if (packages_.owner(found->record.path, found->layer, content_of(audit, found->record, found->entry))) return true;
    }
    return false;
  }

  bool overwrites_base(const Entry& entry) const {
    if (base_ == std::nullopt) base_.emplace(std::vector<const LayerAudit*>(root_.layers().begin(), root_.layers().begin() + static_cast<std::ptrdiff_t>(base_layers_)));
    const auto below = base_->find_exact(entry.path);
    return below && below->record.type == format::TarType::file && below->record.content != entry.content && below->record.size > 0;
  }

  void add_unowned() {
    for (const auto& [layer, paths] : unowned_) {
      std::string evidence = fmt::format("{} file{}: ", paths.size(), paths.size() == 1 ? "" : "s");
      for (std::size_t i = 0; i < std::min(paths.size(), names_shown); ++i) evidence += (i == 0 ? "" : ", ") + paths[i];
      if (paths.size() > names_shown) evidence += ", ...";
      findings_.push_back({"integrity.unowned-executable", "", layer, std::move(evidence), std::nullopt});
    }
  }

  // The file says one distribution, everything else another.
  void judge_os_release() {
    std::optional<std::string_view> text = root_.kept_text("/etc/os-release");
    std::string path = "/etc/os-release";
    if (!text) {
      path = "/usr/lib/os-release";
      text = root_.kept_text(path);
    }
    if (!text) return;
    std::string said = format::os_release_field(*text, "ID").value_or("");
    if (const auto like = format::os_release_field(*text, "ID_LIKE")) said += " " + *like;
    struct Family {
      std::string_view manager;
      std::array<std::string_view, 16> names;
    };
    static constexpr std::array families = {
        Family{"dpkg", {"debian", "ubuntu", "raspbian", "kali", "linuxmint", "devuan", "pop", "deepin", "parrot"}},
        Family{"apk", {"alpine", "wolfi", "chainguard", "postmarketos", "adelie"}},
        Family{"rpm", {"fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn", "suse", "opensuse", "sles", "opensuse-leap", "opensuse-tumbleweed", "photon", "mariner", "azurelinux", "openeuler"}},
    };
    const auto says = [&](const Family& family) {
      for (const std::string_view word : split(said, ' ')) {
        if (!word.empty() && std::find(family.names.begin(), family.names.end(), to_lower(word)) != family.names.end()) return true;
      }
      return false;
    };
    const auto layer_of = [&] {
      const auto found = root_.find(path);
      return found ? found->layer : 0;
    };
    // Two witnesses: the only package database there is, and the C library.
    const Family* real = nullptr;
    std::size_t databases = 0;
    for (const Family& family : families) {
      if (!packages_.has_database(family.manager)) continue;
      ++databases;
      real = &family;
    }
    if (databases != 1 || says(*real)) return;
    const Family* named = nullptr;
    for (const Family& family : families) {
      if (says(family)) named = &family;
    }
    if (named == nullptr) return;  // a distribution of its own
    const bool musl = has_loader("ld-musl-"), glibc = has_loader("ld-linux");
    const bool agrees = real->manager == "apk" ? true : glibc && !musl;
    if (!agrees) return;
    findings_.push_back({"integrity.false-os-release", path, layer_of(),
                         fmt::format("os-release says \"{}\", the package database is that of {}{}", trim(said), real->manager, musl ? ", the C library is musl" : glibc ? ", the C library is glibc" : ""),
                         std::nullopt});
  }

  bool has_loader(std::string_view prefix) const {
    for (const std::string_view folder : {"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"}) {
      for (const std::string_view rest : {"x86-64.so.2", "x86_64.so.1", "aarch64.so.1", "armhf.so.3", "armhf.so.1", "i386.so.1", ".so.2"}) {
        const std::string base = std::string(folder) + std::string(prefix) + (prefix.ends_with('-') || rest.starts_with('.') ? "" : "-") + std::string(rest);
        if (root_.find(base)) return true;
      }
    }
    return false;
  }

  // What matters most first; of a kind only so many.
  std::vector<IntegrityFinding> take() {
    std::map<std::string_view, std::size_t> counts;
    std::map<std::string_view, IntegrityFinding*> last;
    std::vector<IntegrityFinding> kept;
    kept.reserve(findings_.size());
    for (IntegrityFinding& finding : findings_) {
      if (++counts[finding.rule] <= findings_of_a_rule) kept.push_back(std::move(finding));
    }
    for (IntegrityFinding& finding : kept) last[finding.rule] = &finding;
    for (const auto& [rule, finding] : last) {
      if (counts[rule] > findings_of_a_rule) finding->evidence += fmt::format(" (and {} more files)", counts[rule] - findings_of_a_rule);
    }
    return kept;
  }

  const RootFileSystem& root_;
  const PackageIndex& packages_;
  const std::size_t base_layers_;
  mutable std::optional<RootFileSystem> base_;
  std::map<std::size_t, std::vector<std::string>> unowned_;
  std::vector<IntegrityFinding> findings_;
  std::vector<IntegrityGap> gaps_;
};

}  // namespace

bool is_security_relevant(std::string_view path) {
  if (is_pam_module(path) || is_basic_library(path)) return true;
  return is_program_folder(folder_of(path)) && contains(programs, name_of_path(path));
}

std::span<const Rule> integrity_rules() { return rules; }

IntegrityJudgement judge_integrity(const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers) {
  if (root.layers().empty()) return {};
  return Judge(root, packages, base_layers).run();
}

}  // namespace lazaret::audit
