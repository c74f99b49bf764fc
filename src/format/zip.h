// zip (PKWARE APPNOTE 6.3.10) and so jar, whl, apk, docx: read from both ends, since readers differ
// in which end they believe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/diagnostic.h"
#include "base/limits.h"

namespace lazaret::format {

struct ZipEntry {
  std::string path;  // raw bytes of the central directory (of the local header for entries only
                     // found there)
  std::uint16_t method = 0;  // 0 stored, 8 deflate, 9 deflate64, 12 bzip2, 14 lzma, 93 zstd, 95 xz
  std::uint32_t mode = 0;    // Unix permission bits, 0 when unknown
  std::uint64_t size = 0;    // claimed
  std::uint32_t crc32 = 0;   // claimed
  Bytes data;                // encoded bytes, a view of the input; as much of it as lies inside
  bool encrypted = false;
  bool is_directory = false, is_symlink = false;
  bool only_local =
      false;  // a local header that the central directory does not list (hidden from most readers)
  std::uint64_t header_offset = 0;
};

struct ZipFile {
  std::vector<ZipEntry> entries;
  // Bytes no header accounts for: in front of the first (self-extractor), between entries, behind
  // the end record.
  struct Gap {
    std::uint64_t offset, size;
  };
  std::vector<Gap> gaps;
  std::string comment;
  std::vector<Diagnostic> diagnostics;  // disagreement of local and central header, duplicate
                                        // names, overlapping entries (bomb), ...
};

ZipFile parse_zip(Bytes content, const Limits& limits);

}  // namespace lazaret::format
