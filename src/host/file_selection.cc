#include "host/file_selection.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "audit/integrity.h"
#include "audit/paths.h"
#include "audit/start_places.h"
#include "base/text.h"

namespace lazaret::host {
namespace {

// Of folders for temporary files: a developer's /tmp may hold anything, and what is planted there is small or runs.
constexpr std::uint64_t temporary_file_limit = 20'000, temporary_byte_limit = 2ull << 30, temporary_size_limit = 256ull << 20;
constexpr std::size_t depth_of_hidden = 8, depth_of_others = 2, names_asked = 20'000, names_in_a_folder = 200'000;

// Where the databases of packages lie.
constexpr std::array databases = {"/var/lib/dpkg/status", "/var/lib/dpkg/status.d/", "/lib/apk/db/installed", "/usr/lib/apk/db/installed", "/var/lib/rpm/", "/usr/lib/sysimage/rpm/", "/etc/os-release", "/usr/lib/os-release"};

constexpr std::array of_homes = {"/.ssh/authorized_keys", "/.ssh/authorized_keys2", "/.ssh/rc", "/.bashrc", "/.bash_profile", "/.bash_login", "/.bash_logout", "/.profile", "/.zshrc", "/.zshenv", "/.zprofile", "/.config/systemd/user/", "/.config/autostart/"};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' || c == '-' || c == '+' || c == '@' || c == ','; }

// Whether one of the sorted paths is `path` or lies below it.
bool leads_to(const std::set<std::string, std::less<>>& paths, std::string_view path) {
  const auto found = paths.lower_bound(path);
  if (found == paths.end()) return false;
  if (*found == path) return true;
  const auto below = paths.lower_bound(std::string(path) + "/");
  return below != paths.end() && below->starts_with(std::string(path) + "/");
}

}  // namespace

FileSelection::FileSelection(const HostRoot& root, const std::vector<Account>& accounts) : root_(root) {
  const auto add_place = [&](std::string_view path) {
    if (path.ends_with('/')) {
      add_folder(path);
    } else {
      add(path);
    }
  };
  for (const audit::StartPlace& place : audit::start_places()) add_place(place.path);
  for (const char* path : databases) add_place(path);
  for (const char* path : {"/etc/ssh/sshd_config", "/etc/ssh/sshrc", "/etc/passwd"}) add(path);
  std::set<std::string> homes = {"/root"};
  for (const Account& account : accounts) {
    if (account.home.starts_with('/') && account.home.size() > 1) homes.insert(audit::canonical_path(account.home));
  }
  for (const std::string& home : homes) {
    for (const char* path : of_homes) add_place(home + path);
  }
  // Programs with which an administrator looks around, and which let people in: it pays to replace them.
  for (const char* folder : {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}) {
    const auto names = root.list(folder, names_in_a_folder);
    if (!names) continue;
    for (const std::string& name : *names) {
      const std::string path = std::string(folder) + "/" + name;
      if (audit::is_security_relevant(path)) add(path);
    }
  }
}

void FileSelection::add(std::string_view raw) {
  // Each link that was met is taken too, so that the audit can follow it as the host does.
  std::vector<std::string> links;
  const std::string path = root_.resolve(raw, links);
  for (std::string& link : links) files_.insert(std::move(link));
  if (!path.empty()) files_.insert(path);
}

void FileSelection::add_folder(std::string_view raw) {
  std::vector<std::string> links;
  const std::string path = root_.resolve(raw, links);
  for (std::string& link : links) files_.insert(std::move(link));
  if (path.size() > 1) folders_.insert(path);
}

void FileSelection::add_named_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '/' || (at > 0 && is_word(text[at - 1]))) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    std::string_view word = text.substr(at, end - at);
    at = end;
    while (word.ends_with('.') || word.ends_with(',')) word.remove_suffix(1);
    if (word.size() < 3 || word.size() > 4096 || word.starts_with("/dev/") || word.starts_with("/proc/") || word.starts_with("/sys/")) continue;
    if (asked_.size() >= names_asked || !asked_.emplace(word).second) continue;
    if (root_.is_regular(word)) add(word);
  }
}

bool FileSelection::takes(std::string_view path, std::uint32_t mode, std::uint64_t size) {
  const bool folder = S_ISDIR(mode);
  for (const std::string_view place : {"/tmp", "/var/tmp", "/dev/shm"}) {
    if (path == place) return folder && enters_temporary_;
    if (enters_temporary_ && path.starts_with(place) && path[place.size()] == '/' && takes_temporary(path.substr(place.size()), mode, size)) return true;
    if (folder && enters_temporary_ && place.starts_with(path) && place[path.size()] == '/') return true;
  }
  if (files_.contains(path)) return true;
  for (std::string_view above = path; above.size() > 1; above = audit::folder_of(above)) {
    if (folders_.contains(above)) return true;
  }
  // Lists of files, one for each package; the other files beside them are of no use.
  constexpr std::string_view dpkg = "/var/lib/dpkg/info";
  if (path.starts_with(dpkg)) return folder ? path == dpkg : path.ends_with(".md5sums") || path.ends_with(".list");
  return folder && (leads_to(files_, path) || leads_to(folders_, path) || dpkg.starts_with(std::string(path) + "/"));
}

bool FileSelection::takes_temporary(std::string_view below, std::uint32_t mode, std::uint64_t size) {
  // systemd gives a service a /tmp of its own below this one.
  constexpr std::string_view own = "/systemd-private-";
  if (below.starts_with(own)) {
    const auto slash = below.find('/', 1);
    if (slash == std::string_view::npos) return S_ISDIR(mode);
    below.remove_prefix(slash);
    if (below == "/tmp") return S_ISDIR(mode);
    if (!below.starts_with("/tmp/")) return false;
    below.remove_prefix(4);
  }
  const auto depth = static_cast<std::size_t>(std::count(below.begin(), below.end(), '/'));
  const bool hidden = below.find("/.") != std::string_view::npos;
  if (depth > (hidden ? depth_of_hidden : depth_of_others)) return false;
  if (S_ISDIR(mode)) return true;
  if (!S_ISREG(mode)) return false;
  if (!hidden && (mode & 0111) == 0) return false;
  if (temporary_files_ >= temporary_file_limit || size > temporary_size_limit || temporary_bytes_ + size > temporary_byte_limit) {
    ++left_out_;
    return false;
  }
  ++temporary_files_;
  temporary_bytes_ += size;
  return true;
}

}  // namespace lazaret::host
