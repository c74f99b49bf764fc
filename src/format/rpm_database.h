// The database of installed packages of rpm, in its three forms:
//
//   rpmdb.sqlite   SQLite (Fedora 33, RHEL 9 on): table Packages (hnum INTEGER PRIMARY KEY, blob BLOB)
//   Packages.db    ndb (SUSE): slots that name blobs (rpm, lib/backend/ndb/rpmpkg.c)
//   Packages       Berkeley DB hash (before): pairs of a number and a blob, large ones on chains of overflow pages (db, src/dbinc/db_page.h)
//
// Each blob is the header of a package without its magic: number of entries and size of the store (big-endian), entries of 16 bytes (tag, type, offset, count),
// the store (rpm, docs/manual/format_header.md). This reads what is needed to compare files: names, digests and modes.
//
// All bytes are hostile. Pages out of range, loops and entries that lie outside are left out and counted as damage; nothing runs for ever: every
// page is read once at the most.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "format/package_database.h"

namespace lazaret::format {

struct RpmPackage : PackageName {  // version: "epoch:version-release"
  std::string vendor;
};

// Calls `visit` for each header blob; false when the bytes are none of the three forms, or damaged so that some are missing.
bool read_rpm_database(Bytes file, const std::function<void(Bytes header)>& visit);

// The package of a header blob. Files are given to `visit` with the raw digest that rpm has (md5, sha1 or sha256), but for folders, links,
// configuration, documentation and files that are not in the package (ghosts). False when it is no header.
bool read_rpm_header(Bytes header, RpmPackage& package, const PackagedFileVisitor& visit);

// The database in the notation of apk's (read_apk_installed, read_apk_files), which is a tenth of its size: programs, libraries and modules only, told by
// mode and folder. Digests other than sha1 and sha256 are left out. "" when the bytes are no database; `damaged` is set when parts could not be read.
std::string rpm_database_as_text(Bytes file, bool* damaged);

}  // namespace lazaret::format
