#include "host/files_check.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "audit/image_auditor.h"
#include "audit/installed_packages.h"
#include "audit/paths.h"
#include "audit/root_file_system.h"
#include "audit/start_places.h"
#include "base/text.h"
#include "host/file_selection.h"
#include "host/process_check.h"
#include "host/ssh_keys.h"
#include "source/folder_tar.h"

namespace lazaret::host {
namespace {

constexpr std::uint64_t keys_bytes = 4 << 20, settings_bytes = 1 << 20;
constexpr std::size_t findings_in_all = 500, keys_shown = 20;

// What is said of images and means nothing of a host: its administrators' keys, their secrets, their own programs.
bool is_of_images_only(const audit::Finding& finding) {
  // Archives that readers read differently are of no use to whoever runs them here.
  if (finding.category == detect::Category::exposed_secret || finding.category == detect::Category::anomaly || finding.category == detect::Category::hidden_content) return true;
  for (const std::string_view rule : {"persistence.baked-ssh-key", "impersonation.executable-in-temp", "integrity.unowned-executable"}) {
    if (finding.rule == rule) return true;
  }
  return false;
}

// The one layer, and what was made of it.
struct HostLayer {
  explicit HostLayer(const CheckMachine& machine) : auditor(machine.ruleset, machine.machine, machine.policy, nullptr) {}

  Result<void> read(const HostRoot& root, const source::SourceOptions& options, FileSelection& selection) {
    format::ManifestDescription manifest;
    manifest.layers.push_back({"host", {}, format::LayerForm::rebuilt});
    description.manifests.push_back(std::move(manifest));
    BlobOffer offer;
    offer.key = "host";
    const auto writer = auditor.begin(offer);
    source::BlobBuffer out(*writer);
    source::FolderTarOptions folder;
    folder.wanted = [&](std::string_view path, const struct stat& status) { return selection.takes("/" + std::string(path), status.st_mode, static_cast<std::uint64_t>(status.st_size)); };
    const auto written = source::write_folder_tar(root.folder(), folder, options, out, description.unaudited);
    if (!written) {
      writer->fail(written.error());
      return written;
    }
    writer->finish();
    return {};
  }

  audit::ImageAuditor auditor;
  format::ImageDescription description;
};

class FilesCheck {
 public:
  FilesCheck(const HostRoot& root, const CheckMachine& machine, Subject& subject) : root_(root), machine_(machine), subject_(subject), writer_(*machine.ruleset, subject), accounts_(read_accounts(root)) {}

  Result<void> run(std::uint64_t& files) {
    FileSelection selection(root_, accounts_);
    // What the files name is found out in a first look, and looked at in a second.
    {
      HostLayer first(machine_);
      if (const auto read = first.read(root_, machine_.source_options, selection); !read) return read;
      for (const audit::LayerAudit* layer : first.auditor.layers_of(first.description.manifests.front())) {
        for (const audit::KeptFile& file : layer->kept) {
          if (!audit::starter_of(file.path).empty() || file.path.ends_with(".service")) selection.add_named_in(file.text);
        }
      }
      selection.enter_temporary(true);
    }
    HostLayer layer(machine_);
    if (const auto read = layer.read(root_, machine_.source_options, selection); !read) return read;
    audit::Report report = layer.auditor.finish(layer.description);
    files = report.files;
    std::erase_if(report.findings, [](const audit::Finding& finding) { return finding.weight == 0 || is_of_images_only(finding); });
    if (report.findings.size() > findings_in_all) {
      subject_.left_out = report.findings.size() - findings_in_all;
      report.findings.resize(findings_in_all);
    }
    // The layer was made here, and so its digest says nothing to anybody.
    for (audit::Finding& finding : report.findings) finding.location.layer.clear();
    for (audit::Incomplete& part : report.incomplete) part.layer.clear();
    report.manifests.clear();
    report.image_digest.clear();
    subject_.report = std::move(report);
    if (selection.left_out() > 0) subject_.report.incomplete.push_back({"", "/tmp, /var/tmp, /dev/shm", 0, fmt::format("{} files are more, or larger, than what is looked at there", selection.left_out())});

    const audit::RootFileSystem merged(layer.auditor.layers_of(layer.description.manifests.front()));
    judge_preload(audit::InstalledPackages(merged));
    judge_keys();
    judge_attributes();
    return {};
  }

 private:
  void judge_preload(const audit::InstalledPackages& packages) {
    const auto text = root_.read("/etc/ld.so.preload", settings_bytes);
    if (!text) {
      if (text.error().code != ErrorCode::not_found) subject_.report.incomplete.push_back({"", "/etc/ld.so.preload", 0, text.error().message});
      return;
    }
    std::size_t line = 0;
    for (std::string_view content : split(*text, '\n')) {
      ++line;
      content = trim(content.substr(0, content.find('#')));
      // ld.so(8): names are divided by white space or colons.
      while (!content.empty()) {
        const auto end = std::min(content.find_first_of(" \t:"), content.size());
        const std::string library(content.substr(0, end));
        content.remove_prefix(std::min(end + 1, content.size()));
        if (!library.empty()) judge_library(library, line, packages);
      }
    }
  }

  void judge_library(const std::string& library, std::size_t line, const audit::InstalledPackages& packages) {
    std::vector<std::string> links;
    const std::string path = root_.resolve(library, links);
    links.push_back(audit::canonical_path(library));
    links.push_back(path);
    for (const std::size_t owner : packages.owners_of(links)) {
      if (owner == audit::InstalledPackages::none) continue;
      writer_.add("persistence.preload-library", "/etc/ld.so.preload", fmt::format("line {}: {}, of the package {}", line, library, packages.list()[owner].name), {{}, {}, detect::Severity::info, {}});
      return;
    }
    FindingWriter::More more;
    const bool missing = !root_.exists(library);
    if (missing || is_temporary_path(library) || is_hidden_path(library)) more.severity = detect::Severity::high;
    writer_.add("persistence.preload-library", "/etc/ld.so.preload", fmt::format("line {}: {}{}", line, library, missing ? ", which is not there (or hidden)" : ", which no package owns"), std::move(more));
  }

  void judge_keys() {
    const auto config = root_.read("/etc/ssh/sshd_config", settings_bytes);
    const std::vector<std::string> patterns = authorized_keys_files(config ? *config : "");
    std::set<std::string> seen;
    std::vector<Account> accounts = accounts_;
    if (std::none_of(accounts.begin(), accounts.end(), [](const Account& account) { return account.name == "root"; })) accounts.push_back({"root", "/root", "/bin/sh", 0});
    for (const Account& account : accounts) {
      for (const std::string& pattern : patterns) {
        std::string path;
        for (std::size_t i = 0; i < pattern.size(); ++i) {
          if (pattern[i] == '%' && i + 1 < pattern.size()) {
            ++i;
            path += pattern[i] == 'h' ? account.home : pattern[i] == 'u' ? account.name : std::string(1, pattern[i]);
          } else {
            path += pattern[i];
          }
        }
        if (!path.starts_with('/')) path = account.home + "/" + path;
        path = audit::canonical_path(path);
        if (seen.insert(path).second) judge_keys_of(account, path);
      }
    }
  }

  void judge_keys_of(const Account& account, const std::string& path) {
    const auto text = root_.read(path, keys_bytes);
    if (!text) {
      if (text.error().code != ErrorCode::not_found) subject_.report.incomplete.push_back({"", path, 0, text.error().message});
      return;
    }
    const std::vector<AuthorizedKey> keys = read_authorized_keys(*text);
    if (keys.empty()) return;
    const bool nobody = account.shell.ends_with("/nologin") || account.shell.ends_with("/false");
    const bool of_system = account.uid != 0 && account.uid < 1000 && nobody;
    FindingWriter::More more;
    std::string evidence = fmt::format("{} key{} for {}:", keys.size(), keys.size() == 1 ? "" : "s", account.name);
    for (const AuthorizedKey& key : keys) {
      more.indicators.push_back({"ssh-key", key.body, true});
      if (more.indicators.size() <= keys_shown) evidence += fmt::format(" {} {} {}", key.type, key.fingerprint, key.comment);
      // What sshd runs in place of a shell is a command like any other.
      if (const std::string command = forced_command(key.options); !command.empty())
        audit_command(*machine_.ruleset, machine_.machine.limits, fmt::format("{}, line {}", path, key.line), {"/bin/sh", "-c", command}, subject_);
    }
    if (more.indicators.size() > keys_shown) more.indicators.resize(keys_shown);
    writer_.add(of_system ? "persistence.key-of-system-account" : "persistence.authorized-keys", path, std::move(evidence), std::move(more));
  }

  void judge_attributes() {
    std::vector<std::string> paths = {"/etc/crontab", "/etc/ld.so.preload", "/root/.ssh/authorized_keys", "/etc/rc.local", "/root/.bashrc", "/root/.profile"};
    for (const char* folder : {"/etc/cron.d", "/var/spool/cron", "/var/spool/cron/crontabs", "/etc/crontabs", "/etc/systemd/system"}) {
      const auto names = root_.list(folder, 10'000);
      if (!names) continue;
      for (const std::string& name : *names) paths.push_back(std::string(folder) + "/" + name);
    }
    for (const Account& account : accounts_) {
      if (account.home.size() > 1) paths.push_back(account.home + "/.ssh/authorized_keys");
    }
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    for (const std::string& path : paths) {
      if (root_.is_immutable(path)) writer_.add("persistence.locked-file", path, "immutable");
    }
  }

  const HostRoot& root_;
  const CheckMachine& machine_;
  Subject& subject_;
  FindingWriter writer_;
  const std::vector<Account> accounts_;
};

}  // namespace

Result<void> check_files(const HostRoot& root, const CheckMachine& machine, CheckReport& report) {
  if (machine.progress) machine.progress("files that control the host");
  Subject subject;
  subject.kind = SubjectKind::files;
  subject.name = "that control the host";
  std::uint64_t files = 0;
  if (const auto done = FilesCheck(root, machine, subject).run(files); !done) {
    if (done.error().code == ErrorCode::cancelled) return done;
    report.not_looked_at.emplace_back("files that control the host", done.error().message);
    return {};
  }
  subject.report.target = subject.name;
  report.looked_at.push_back({"files that control the host", "", files});
  if (!subject.report.findings.empty() || !subject.report.incomplete.empty()) report.subjects.push_back(std::move(subject));
  return {};
}

}  // namespace lazaret::host
