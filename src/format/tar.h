// tar, read as a stream with every byte accounted for.
//
// ustar (POSIX.1-1988), pax (POSIX.1-2001, global and per-file headers), GNU (long names, base-256
// numbers, sparse 0.0, 0.1, 1.0 and the old GNU sparse header) and the v7 form. The reader decides
// as containers' runtimes do (Go's archive/tar) and reports each place in which another reader
// could see something else.
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

enum class TarType : std::uint8_t {
  file,
  hard_link,
  symlink,
  character_device,
  block_device,
  directory,
  fifo,
  other
};

struct TarEntry {
  std::string path;  // as resolved from header, GNU and pax records; raw bytes, not normalised
  std::string link_target;  // of links
  TarType type = TarType::file;
  char type_flag = '0';
  std::uint32_t mode = 0, uid = 0, gid = 0;
  // Of the file: for sparse files of the expanded one. 0 for links, folders, devices and FIFOs:
  // bytes that one of them claims to have behind it are side bytes ("tar-link-content") when they
  // are not headers.
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  std::vector<std::pair<std::string, std::string>>
      xattrs;  // SCHILY.xattr.* and LIBARCHIVE.xattr.*, name without the prefix
  bool sparse = false;
  std::uint64_t header_offset = 0;  // of the first header block that belongs to it
};

class TarHandler {
 public:
  virtual ~TarHandler() = default;
  // Then data() and hole() in order, `entry.size` bytes in all unless the archive is truncated,
  // then entry_end(), which comes in any case.
  virtual void entry(const TarEntry& entry) = 0;
  virtual void data(Bytes piece) = 0;         // a view of the bytes given to feed()
  virtual void hole(std::uint64_t size) = 0;  // zeros of a sparse file
  virtual void entry_end() = 0;
  // Bytes that are neither header nor content nor zero padding. Pieces of one item come in order;
  // `first` marks its first piece. A piece is gone when the call returns. Never between entry()
  // and entry_end().
  //   tar-padding         what follows the content in its last block, when not zeros
  //   tar-after-end       from the first byte that is not zero behind the end marker
  //   tar-undecodable     blocks that are no headers where headers should be
  //   tar-link-content    what stands behind the header of a link, folder or device with a size
  //   tar-sparse-rest     stored bytes of a sparse file that its map does not use
  //   tar-after-limit     everything behind limits.layer_entries
  //   tar-extended-header an extended header over limits.extended_header_bytes
  // These two are header bytes that nobody reads, worth a look; they count as header:
  //   pax-record          records of extended headers that are unknown, overridden or malformed,
  //                       and long extended attributes
  //   tar-header-slack    behind the end of text in header fields and lists
  virtual void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) = 0;
  // Of each rule the first 64, and at the end one that says how many more there were.
  virtual void diagnostic(Diagnostic diagnostic) = 0;
};

// How the bytes of an archive were used. After finish(), header + content + padding + side ==
// total, the number of bytes fed.
struct TarAccount {
  std::uint64_t header = 0, content = 0, padding = 0, side = 0, total = 0;
};

// Push parser. One thread at a time. Constant memory but for extended headers
// (limits.extended_header_bytes).
class TarReader {
 public:
  TarReader(const Limits& limits, TarHandler& handler);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  void feed(Bytes bytes);
  void finish();  // no more bytes; reports truncation and a missing end
  const TarAccount& account() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// True when `head` (512 bytes or more) begins with a header block whose checksum is right, or two
// zero blocks.
bool looks_like_tar(Bytes head);

}  // namespace lazaret::format
