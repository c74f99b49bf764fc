#include "audit/paths.h"

#include <array>

#include "base/text.h"

namespace lazaret::audit {

bool is_canonical_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  if (path.size() == 1) return true;
  for (std::size_t slash = 0; slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    const std::string_view next = path.substr(slash + 1, 3);
    if (next.empty() || next[0] == '/') return false;
    if (next[0] == '.' && (next.size() == 1 || next[1] == '/' || (next[1] == '.' && (next.size() == 2 || next[2] == '/')))) return false;
  }
  return true;
}

std::string canonical_path(std::string_view raw) {
  if (is_canonical_path(raw)) return std::string(raw);
  std::string path;
  path.reserve(raw.size() + 1);
  for (std::size_t begin = 0; begin <= raw.size();) {
    std::size_t end = raw.find('/', begin);
    if (end == std::string_view::npos) end = raw.size();
    const std::string_view part = raw.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const auto slash = path.rfind('/');
      path.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    path.push_back('/');
    path += part;
  }
  if (path.empty()) path = "/";
  return path;
}

bool path_escapes(std::string_view raw) {
  if (raw.find("..") == std::string_view::npos) return false;
  long depth = 0;
  for (const std::string_view part : split(raw, '/')) {
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
  }
  return false;
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos || slash == 0 ? std::string_view("/") : path.substr(0, slash);
}

std::string_view name_of_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string usr_merged_path(std::string_view path) {
  for (const std::string_view folder : {"/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"}) {
    if (path.starts_with(folder)) return "/usr" + std::string(path);
  }
  return std::string(path);
}

bool is_rpm_database(std::string_view path) {
  for (const std::string_view folder : {"/var/lib/rpm/", "/usr/lib/sysimage/rpm/"}) {
    if (!path.starts_with(folder)) continue;
    const std::string_view name = path.substr(folder.size());
    return name == "rpmdb.sqlite" || name == "Packages.db" || name == "Packages";
  }
  return false;
}

bool is_documentation_path(std::string_view path) {
  static constexpr std::array folders = {"/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/help/",
                                         "/usr/share/gtk-doc/", "/usr/local/share/doc/", "/usr/local/share/man/",
                                         "/usr/share/doc-base/", "/usr/share/lintian/"};
  for (const std::string_view folder : folders) {
    if (path.starts_with(folder)) return true;
  }
  return false;
}

}  // namespace lazaret::audit
