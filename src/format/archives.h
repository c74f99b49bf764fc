// ar (and so .deb), cpio and rpm: small containers, read whole; ar, whose static libraries may be large, as a stream too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
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

// What ArReader finds, in the order of the archive.
class ArHandler {
 public:
  virtual ~ArHandler() = default;
  // `size`: as its header says, without a name in front of the content.
  virtual void member(std::string_view path, std::uint32_t mode, std::uint64_t size) = 0;
  virtual void data(std::uint64_t offset, Bytes piece) = 0;  // of the last member
  virtual void member_end() = 0;
  // Bytes that belong to no member or header; `first`: of this gap. Valid during the call, as all views here.
  virtual void gap(std::uint64_t offset, Bytes piece, bool first) = 0;
  virtual void diagnostic(Diagnostic diagnostic) = 0;
};

// The same as parse_ar() with constant memory: of the archive it keeps a header, the table of names up to 16 MiB, and a hash of each name. The handler and
// the limits must outlive it.
class ArReader {
 public:
  ArReader(const Limits& limits, ArHandler& handler);
  ~ArReader();
  void feed(Bytes bytes);
  void finish();  // once, at the end; then come the diagnostics

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

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
