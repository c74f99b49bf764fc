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

// The same without copies: valid until the cursor that gave it moves on.
struct EntryView {
  std::string_view path, link_target, capabilities;
  format::TarType type = format::TarType::file;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::uint64_t size = 0;
  format::FileType file_type;
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
  // at(number).path == path, at a fraction of the cost.
  bool has_path(std::size_t number, std::string_view path) const;

  // Reads the records in order without decoding any twice.
  class Cursor {
   public:
    explicit Cursor(const EntryTable& table) : table_(table) {}
    // False at the end. `entry` is overwritten.
    bool next(Entry& entry);
    bool next(EntryView& entry);

   private:
    const EntryTable& table_;
    std::size_t number_ = 0, block_ = 0, position_ = 0;
    std::string path_;
  };

  // For the cache. load() gives false on bytes that save() did not write.
  std::string save() const;
  bool load(Bytes bytes);

 private:
  friend class Cursor;
  static constexpr std::size_t restart_interval = 16;
  // A record as it is stored: `rest` goes behind the first `shared` bytes of the path before it. The digest is not part of it.
  struct Record {
    std::size_t shared = 0;
    std::string_view rest;
    EntryView entry;  // but for its path
  };
  static std::size_t decode(std::string_view block, std::size_t position, Record& record);  // gives the next position
  static void copy(const EntryView& from, Entry& to);  // all but path and content

  // Blocks, since one string that grows is for a moment there twice. A block begins with a restart. A position is the number of the block
  // and, in the low half, the offset in it.
  std::vector<std::string> blocks_;
  std::vector<std::uint64_t> restarts_;
  std::deque<ContentDigest> contents_;  // by number; a deque, since its elements stay where they are
  std::string last_path_;
  std::size_t count_ = 0;
};

}  // namespace lazaret::audit
