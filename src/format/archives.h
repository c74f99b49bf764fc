// ar (and so .deb), cpio and rpm: small containers, read whole.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/diagnostic.h"
#include "base/limits.h"

namespace lazaret::format {

struct ArchiveMember {
  std::string path;
  std::uint32_t mode = 0;
  Bytes data;               // a view of the input
  std::string link_target;  // cpio symlinks
};

struct Archive {
  std::vector<ArchiveMember> members;
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      gaps;  // (offset, size) of bytes that belong to no member or header
  std::vector<Diagnostic> diagnostics;
};

Archive parse_ar(
    Bytes content,
    const Limits& limits);  // GNU and BSD names, thin archives refused with a diagnostic
Archive parse_cpio(
    Bytes content,
    const Limits& limits);  // newc, crc, odc and the old binary form in both byte orders

// rpm (lead, signature header, header, payload): the payload as the single member "payload" (still
// compressed: decode by what it is; a cpio or, for stripped ones, the "070702"-less form), the
// package's NEVRA in `name`, and scriptlets as members "scriptlet/<tag>".
struct Rpm {
  std::string name;
  Archive contents;
};
Rpm parse_rpm(Bytes content, const Limits& limits);

}  // namespace lazaret::format
