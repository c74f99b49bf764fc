// Digests of programs, libraries and scripts, to be compared with the image's package database.
//
// dpkg knows the md5 of its files, apk the sha1, rpm mostly the sha256, which the entry table has. A package database lies near the end of a layer
// or in another one, so these digests are made before anybody knows whether they will be needed; only of files that somebody could
// profit from replacing, because md5 is the slowest of the three.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/serial.h"
#include "base/digest.h"
#include "format/file_kind.h"

namespace lazaret::audit {

struct FileDigest {
  std::uint64_t entry = 0;  // number in the layer's entry table
  bool has_md5 = false, has_sha1 = false;
  std::array<std::uint8_t, 16> md5{};
  std::array<std::uint8_t, 20> sha1{};

  void set(const Digest& digest);
  std::string_view md5_text() const { return has_md5 ? std::string_view(reinterpret_cast<const char*>(md5.data()), md5.size()) : std::string_view(); }
  std::string_view sha1_text() const { return has_sha1 ? std::string_view(reinterpret_cast<const char*>(sha1.data()), sha1.size()) : std::string_view(); }
};

// More files of one layer than any distribution has programs; what lies beyond makes the audit incomplete.
constexpr std::size_t file_digests_limit = 500'000;

// ELF files anywhere; scripts and what may be executed in the folders that belong to packages.
bool wants_digests(std::string_view path, const format::FileType& type, std::uint32_t mode);

// /usr, /bin, /lib, /etc and the like, but for /usr/local, /usr/src and documentation, which packages leave to others or where nothing runs.
bool is_package_folder(std::string_view path);

// Which digests are worth making, told from the paths of a layer seen so far. A layer of dpkg's has /etc/dpkg or /var/lib/dpkg and nothing of apk's;
// where nothing or both were seen, all are made. Wrong hints (a planted /etc/apk) leave a digest missing; judge_integrity() says so of a file whose package knows it by that digest only.
class DigestHints {
 public:
  void see(std::string_view path);
  bool want_md5() const { return dpkg_ || !(apk_ || rpm_); }
  bool want_sha1() const { return apk_ || !(dpkg_ || rpm_); }

 private:
  bool dpkg_ = false, apk_ = false, rpm_ = false;
};

void put_file_digests(SerialWriter& writer, const std::vector<FileDigest>& digests);
// False on bytes that put_file_digests() did not write.
bool get_file_digests(SerialReader& reader, std::vector<FileDigest>& digests);

}  // namespace lazaret::audit
