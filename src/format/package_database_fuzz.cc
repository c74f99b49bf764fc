// Package databases of all kinds: the first byte chooses, so that each seed goes to its reader.
#include <cstddef>
#include <cstdint>

#include "format/package_database.h"
#include "format/rpm_database.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazaret;
  using namespace lazaret::format;
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  const std::string_view text = as_text(bytes);
  std::size_t total = 0;
  const auto visit = [&](const PackagedFile& file) {
    total += file.path.size() + file.checksum.size();
    if (!file.path.starts_with('/') && data[0] % 8 < 4) __builtin_trap();
  };
  switch (data[0] % 8) {
    case 0:
      for (const DpkgPackage& package : parse_dpkg_status(text)) {
        total += package.name.size();
        read_dpkg_conffiles(package.conffiles, visit);
      }
      break;
    case 1: read_dpkg_md5sums(text, visit); break;
    case 2:
      read_dpkg_list(text, visit);
      for (const DpkgDiversion& diversion : parse_dpkg_diversions(text)) total += diversion.to.size();
      break;
    case 3: read_apk_installed(text, [&](const ApkPackage& package) { read_apk_files(package.paragraph, visit); }); break;
    case 4: {
      RpmPackage package;
      read_rpm_header(bytes, package, visit);
      break;
    }
    case 5: total += os_release_field(text, "ID").value_or("").size(); break;
    default: {
      bool damaged = false;
      total += rpm_database_as_text(bytes, &damaged).size();
      break;
    }
  }
  return total == static_cast<std::size_t>(-1) ? 1 : 0;
}
