#include "audit/file_digests.h"

#include <algorithm>

#include "audit/paths.h"

namespace lazaret::audit {
namespace {

constexpr std::uint64_t md5_flag = 1, sha1_flag = 2;

}  // namespace

void FileDigest::set(const Digest& digest) {
  const Bytes bytes = digest.bytes();
  if (digest.algorithm() == HashAlgorithm::md5 && bytes.size() == md5.size()) {
    std::copy(bytes.begin(), bytes.end(), md5.begin());
    has_md5 = true;
  } else if (digest.algorithm() == HashAlgorithm::sha1 && bytes.size() == sha1.size()) {
    std::copy(bytes.begin(), bytes.end(), sha1.begin());
    has_sha1 = true;
  }
}

bool is_package_folder(std::string_view path) {
  for (const std::string_view folder : {"/usr/local/", "/usr/src/", "/usr/share/doc/", "/usr/share/man/"}) {
    if (path.starts_with(folder)) return false;
  }
  for (const std::string_view folder : {"/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/etc/"}) {
    if (path.starts_with(folder)) return true;
  }
  return false;
}

bool wants_digests(std::string_view path, const format::FileType& type, std::uint32_t mode) {
  if (type.kind == format::FileKind::elf) return true;
  return ((mode & 0111) != 0 || type.kind == format::FileKind::script) && is_package_folder(path);
}

void DigestHints::see(std::string_view path) {
  if (!path.starts_with("/etc/") && !path.starts_with("/var/lib/") && !path.starts_with("/lib/apk") && !path.starts_with("/usr/lib/apk") &&
      !path.starts_with("/usr/lib/sysimage")) {
    return;
  }
  const auto in = [&](std::string_view folder) { return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'); };
  if (in("/etc/dpkg") || in("/var/lib/dpkg")) dpkg_ = true;
  if (in("/etc/apk") || in("/lib/apk") || in("/usr/lib/apk")) apk_ = true;
  // Not /etc/rpm, which the tools of rpm bring to distributions of dpkg too.
  if (in("/etc/yum.repos.d") || in("/etc/zypp") || in("/var/lib/rpm") || in("/usr/lib/sysimage/rpm")) rpm_ = true;
}

void put_file_digests(SerialWriter& writer, const std::vector<FileDigest>& digests) {
  writer.number(digests.size());
  std::uint64_t last = 0;
  for (const FileDigest& digest : digests) {
    writer.number(digest.entry - last);
    last = digest.entry;
    writer.number((digest.has_md5 ? md5_flag : 0) | (digest.has_sha1 ? sha1_flag : 0));
    if (digest.has_md5) writer.text(digest.md5_text());
    if (digest.has_sha1) writer.text(digest.sha1_text());
  }
}

bool get_file_digests(SerialReader& reader, std::vector<FileDigest>& digests) {
  digests.clear();
  std::uint64_t entry = 0;
  const std::uint64_t count = reader.count();
  if (count > file_digests_limit) return false;
  digests.reserve(count);
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    FileDigest digest;
    const std::uint64_t step = reader.number();
    if (i > 0 && step == 0) return false;
    const auto next = checked_add(entry, step);
    if (!next) return false;
    digest.entry = entry = *next;
    const std::uint64_t flags = reader.number();
    const auto read = [&](auto& value, bool& has) {
      const std::string_view text = reader.text();
      if (text.size() != value.size()) return false;
      std::copy(text.begin(), text.end(), value.begin());
      has = true;
      return true;
    };
    if ((flags & md5_flag) != 0 && !read(digest.md5, digest.has_md5)) return false;
    if ((flags & sha1_flag) != 0 && !read(digest.sha1, digest.has_sha1)) return false;
    digests.push_back(digest);
  }
  return reader.ok();
}

}  // namespace lazaret::audit
