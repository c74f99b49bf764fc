// The entries of one layer, small enough that three million of them fit in 160 MiB with the digests of their contents.
//
// Tar entries come in directory order, so a path shares most of its bytes with the one before it. As in a LevelDB block, each
// record stores only what differs, and every 16th record is whole ("restart"), so that a record can be found by its number
// without reading those before it. One object per file is what makes other scanners need gigabytes for an image of small files.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "format/file_kind.h"
#include "format/tar.h"

namespace lazaret::audit {

// The first half of a file's sha256, which tells whether two files are the same: 16 bytes are too many for anybody to make two files meet in.
// All zeros when there is none: folders, links, empty files, and what ended early.
using ContentDigest = std::array<std::uint8_t, 16>;
ContentDigest content_digest(const Digest& sha256);

struct Entry {
  std::string path;         // canonical: absolute, no "." or "..", no trailing slash
  std::string link_target;  // of links, raw
  format::TarType type = format::TarType::file;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::uint64_t size = 0;
  std::string capabilities;  // value of the extended attribute security.capability, raw
  format::FileType file_type;
  ContentDigest content{};  // of the bytes as they were audited; of a sparse file the holes may have been cut short
};

// Append-only; reading is thread-safe once appending has ended.
class EntryTable {
 public:
  void append(const Entry& entry);
  std::size_t size() const { return count_; }

  // Where the digest of the entry goes that append() will add next, when it is not known by then: another thread may fill it in while further
  // entries are added. Valid as long as the table stays where it is.
  ContentDigest* next_content();

  // The record with this number; the number must be below size().
  Entry at(std::size_t number) const;

  // Reads the records in order without decoding any twice.
  class Cursor {
   public:
    explicit Cursor(const EntryTable& table) : table_(table) {}
    // False at the end. `entry` is overwritten.
    bool next(Entry& entry);

   private:
    const EntryTable& table_;
    std::size_t number_ = 0;
    std::uint64_t position_ = 0;
  };

  // For the cache. load() gives false on bytes that save() did not write.
  std::string save() const;
  bool load(Bytes bytes);

 private:
  friend class Cursor;
  static constexpr std::size_t restart_interval = 16;
  // Decodes the record at `position` into `entry`, whose path must be that of the record before it; returns the next position. The digest is
  // not part of the record.
  std::uint64_t decode(std::uint64_t position, Entry& entry) const;

  // Blocks, since one string that grows is for a moment there twice. A block begins with a restart. A position is the number of the block
  // and, in the low half, the offset in it.
  std::vector<std::string> blocks_;
  std::vector<std::uint64_t> restarts_;
  std::deque<ContentDigest> contents_;  // by number; a deque, since its elements stay where they are
  std::string last_path_;
  std::size_t count_ = 0;
};

}  // namespace lazaret::audit
