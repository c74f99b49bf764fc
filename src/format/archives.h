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
  std::uint32_t mode = 0;   // permission bits
  Bytes data;               // a view of the input
  std::string link_target;  // of cpio symlinks; of cpio hard links without content of their own:
                            // the member that has it
};

struct Archive {
  std::vector<ArchiveMember> members;
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      gaps;  // (offset, size) of bytes that belong to no member or header
  std::vector<Diagnostic> diagnostics;
};

Archive parse_ar(Bytes content,
                 const Limits& limits);  // GNU and BSD names (their tables are members too), thin
                                         // archives refused with a diagnostic
Archive parse_cpio(
    Bytes content,
    const Limits& limits);  // newc, crc, odc and the old binary form in both byte orders

// rpm (lead, signature header, header, payload): the payload as the last member "payload" (still
// compressed: decode by what it is; a cpio, for packages with files over 4 GiB in a form whose
// sizes stand in the header only, which parse_cpio() reports), the package's NEVRA in `name`, and
// scriptlets as members "scriptlet/<tag>" ("scriptlet/<tag>/1" for the second string of one tag).
// Data of tags unknown to rpm are members "header/<tag>".
struct Rpm {
  std::string name;
  Archive contents;
};
Rpm parse_rpm(Bytes content, const Limits& limits);

}  // namespace lazaret::format
