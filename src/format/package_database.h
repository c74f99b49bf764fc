// What the text databases of dpkg and apk say: packages, and the files they brought.
//
// dpkg keeps a folder (dpkg(1), dpkg-query(1), deb-md5sums(5), dpkg-divert(1)):
//   status                    paragraphs "Field: value" of all packages, Conffiles among the fields; distroless images have one file a package in status.d
//   info/<name>[:arch].list   paths, a line each
//   info/<name>[:arch].md5sums  "<md5>  <path without the first slash>"; configuration files are left out, which stand in the status
//   diversions                groups of three lines: the path, where it went, the package it was moved out of the way for (":" for the administrator)
// apk keeps one file (apk-tools, src/database.c), paragraphs of one-letter fields:
//   P name, V version, A architecture, C checksum of the package, o origin; F: a folder, R: a file in it, a: its owner and mode, Z: its checksum,
//   "Q1" and the base64 of a sha1, or "Q2" and a sha256
//
// All text is hostile. Readers skip what they do not understand; none of them fails or keeps more than it was given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::format {

// A view of one file's line in a database, valid during the call.
struct PackagedFile {
  std::string_view path;      // absolute; as the database spells it
  std::string_view checksum;  // raw md5 (16 bytes), sha1 (20) or sha256 (32); "" when there is none
  std::uint32_t mode = 0;     // permission bits when known
};
using PackagedFileVisitor = std::function<void(const PackagedFile& file)>;

struct PackageName {
  std::string name, version, architecture;
};

// --- dpkg -------------------------------------------------------------------------------------------------------------------------

struct DpkgPackage : PackageName {
  bool installed = false;  // "Status: install ok installed" and its like; true where there is no such field (status.d)
  bool multi_arch_same = false;
  std::string_view conffiles;  // the lines below its Conffiles field, in the text that was parsed
};
// One for each paragraph that has a Package field.
std::vector<DpkgPackage> parse_dpkg_status(std::string_view text);

void read_dpkg_md5sums(std::string_view text, const PackagedFileVisitor& visit);
// The lines of a Conffiles field, " <path> <md5>[ obsolete]": the files of /etc that the md5sums leave out, as the package brought them. What was unpacked and not
// yet configured has no checksum.
void read_dpkg_conffiles(std::string_view lines, const PackagedFileVisitor& visit);
void read_dpkg_list(std::string_view text, const PackagedFileVisitor& visit);

struct DpkgDiversion {
  std::string from, to;
  std::string package;  // the package whose own file stays at `from`; "" for the administrator's
};
std::vector<DpkgDiversion> parse_dpkg_diversions(std::string_view text);

// --- apk --------------------------------------------------------------------------------------------------------------------------

struct ApkPackage : PackageName {
  std::string_view checksum;   // C: as it stands there
  std::string_view paragraph;  // the whole of it
};
// Calls `visit` for each paragraph that has a name.
void read_apk_installed(std::string_view text, const std::function<void(const ApkPackage& package)>& visit);
// The files of one paragraph.
void read_apk_files(std::string_view paragraph, const PackagedFileVisitor& visit);

// --- both -------------------------------------------------------------------------------------------------------------------------

// /etc/os-release (os-release(5)): the value of a field, without its quotes; nothing when it is not there.
std::optional<std::string> os_release_field(std::string_view text, std::string_view field);

}  // namespace lazaret::format
