#include "audit/package_index.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "audit/paths.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view dpkg_info = "/var/lib/dpkg/info/";
constexpr std::string_view distroless_status = "/var/lib/dpkg/status.d/";

std::string package_of_file_name(std::string_view name) {
  name = name.substr(0, name.rfind(".md5sums"));
  return std::string(name.substr(0, name.find(':')));  // "libc6:amd64"
}

std::string decode_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
    if (value < 0) break;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++count % 4 != 1) bytes.push_back(static_cast<char>(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0)));
  }
  return bytes;
}

}  // namespace

PackageIndex::PackageIndex(const RootFileSystem& root, const std::vector<std::string>& paths) {
  std::unordered_set<std::string> wanted;
  for (const std::string& path : paths) {
    if (!path.empty()) wanted.insert(usr_merged_path(path));
  }
  if (wanted.empty()) return;
  const auto add = [&](std::string_view path, std::string package, std::string checksum) {
    std::string key = usr_merged_path(path);
    if (wanted.contains(key)) records_.emplace(std::move(key), Record{std::move(package), std::move(checksum)});
  };

  // dpkg: "<md5>  usr/bin/x", a line for each file.
  const auto read_md5sums = [&](std::string_view text, const std::string& package) {
    for (const std::string_view line : split(text, '\n')) {
      if (line.size() < 35 || line[32] != ' ') continue;
      const auto md5 = from_hex(line.substr(0, 32));
      if (md5) add(canonical_path(line.substr(34)), package, *md5);
    }
  };
  // apk: paragraphs of one-letter fields. F: a folder, R: a file in it, Z: "Q1" and the base64 of its sha1.
  const auto read_apk = [&](std::string_view text) {
    std::string package, folder, file;
    for (const std::string_view line : split(text, '\n')) {
      if (line.size() < 2 || line[1] != ':') continue;
      const std::string_view value = line.substr(2);
      switch (line[0]) {
        case 'P': package = value; break;
        case 'F': folder = value; break;
        case 'R': file = value; break;
        case 'Z':
          if (value.starts_with("Q1")) add(canonical_path(folder + "/" + file), package, decode_base64(value.substr(2)));
          break;
        default: break;
      }
    }
  };

  for (std::size_t layer = 0; layer < root.layers().size(); ++layer) {
    for (const KeptFile& kept : root.layers()[layer]->kept) {
      if (!root.is_visible(layer, kept.entry)) continue;
      const std::string_view path = kept.path;
      if (path.ends_with(".md5sums") && path.starts_with(dpkg_info)) {
        read_md5sums(kept.text, package_of_file_name(path.substr(dpkg_info.size())));
      } else if (path.ends_with(".md5sums") && path.starts_with(distroless_status)) {
        read_md5sums(kept.text, package_of_file_name(path.substr(distroless_status.size())));
      } else if (path == "/lib/apk/db/installed" || path == "/usr/lib/apk/db/installed") {
        read_apk(kept.text);
      }
    }
  }
}

std::optional<std::string> PackageIndex::unmodified_package(std::string_view path, std::string_view md5, std::string_view sha1) const {
  const auto [begin, end] = records_.equal_range(usr_merged_path(path));
  for (auto record = begin; record != end; ++record) {
    const std::string& checksum = record->second.checksum;
    if ((checksum.size() == 16 && checksum == md5) || (checksum.size() == 20 && checksum == sha1)) return record->second.package;
  }
  return std::nullopt;
}

}  // namespace lazaret::audit
