// The entries of one layer, small enough that three million of them fit in a tenth of a gigabyte.
//
// Tar entries come in directory order, so a path shares most of its bytes with the one before it. As in a LevelDB block, each
// record stores only what differs, and every 16th record is whole ("restart"), so that a record can be found by its number
// without reading those before it. One object per file is what makes other scanners need gigabytes for an image of small files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "format/file_kind.h"
#include "format/tar.h"

namespace lazaret::audit {

struct Entry {
  std::string path;         // canonical: absolute, no "." or "..", no trailing slash
  std::string link_target;  // of links, raw
  format::TarType type = format::TarType::file;
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  format::FileType file_type;
};

// Append-only; reading is thread-safe once appending has ended.
class EntryTable {
 public:
  void append(const Entry& entry);
  std::size_t size() const { return count_; }

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
    std::size_t number_ = 0, position_ = 0;
  };

  // For the cache. load() gives false on bytes that save() did not write.
  std::string save() const;
  bool load(Bytes bytes);

 private:
  friend class Cursor;
  static constexpr std::size_t restart_interval = 16;
  // Decodes the record at `position` into `entry`, whose path must be that of the record before it; returns the next position.
  std::size_t decode(std::size_t position, Entry& entry) const;

  std::string records_;
  std::vector<std::uint64_t> restarts_;
  std::string last_path_;
  std::size_t count_ = 0;
};

}  // namespace lazaret::audit
