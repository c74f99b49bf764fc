// Does a program look as if its code were unpacked when it starts? By what the kernel needs and a packer cannot hide: the program headers, and how random the
// bytes are.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "format/elf.h"

namespace lazaret::format {

struct ElfPacking {
  bool unlisted_code = false;  // no section header describes the code at the entry point
  bool expands = false;        // one and a half times as much memory as content, the entry point inside of the content
  bool packed = false;         // both, and the content looks compressed or encrypted; or code that does so
  std::uint64_t file_bytes = 0, memory_bytes = 0;  // of the loadable segments
  double entropy = 0;                              // bits per byte (0 to 8) of the largest, or of the code that does
};

// `content`: the whole file, parsed as `elf`.
ElfPacking packing_of(Bytes content, const ElfFile& elf);

// True for files with nothing but the debugging information of another (objcopy --only-keep-debug): they have the headers of code that is not there.
bool holds_debugging_only(const ElfFile& elf);

// Bits per byte, 0 for nothing.
double entropy_of(Bytes bytes);

}  // namespace lazaret::format
