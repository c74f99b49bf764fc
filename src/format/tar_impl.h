// The state of a TarReader, shared by tar.cc (bytes, headers, the end) and tar_member.cc (members
// and their sparse maps).
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/tar.h"
#include "format/tar_header.h"
#include "format/tar_pax.h"

namespace lazaret::format {

class TarReader::Impl {
 public:
  Impl(const Limits& limits, TarHandler& handler) : limits_(limits), handler_(handler) {}

  void feed(Bytes bytes) {
    account_.total += bytes.size();
    consume(bytes);
  }
  void finish();
  const TarAccount& account() const { return account_; }

 private:
  enum class State {
    header,
    link_probe,        // the block behind the header of a link with a size
    extended,          // content of an extended header
    sparse_extension,  // blocks behind an old GNU sparse header
    sparse_map,        // blocks of a map at the beginning of the content
    content,
    side_run,  // side_left_ bytes that belong to side_what_
    padding,
    undecodable,  // looking for the next header
    after_end,
    after_limit,
  };

  // --- bytes
  void consume(Bytes bytes);
  void on_block(Bytes block);
  void used(std::uint64_t& bucket, std::uint64_t size) {
    bucket += size;
    offset_ += size;
  }
  void side(Bytes piece);
  void begin_side_run(std::string_view what, std::uint64_t size);
  void begin_padding();
  void on_padding(Bytes piece);
  void on_rest(Bytes piece);

  // --- headers
  void on_header(Bytes block);
  void report_slack(Bytes block, const TarHeader& header);
  void begin_extended(const TarHeader& header);
  void end_extended();
  void end_pax();
  void end_gnu_name();
  void on_link_probe(Bytes block);
  void begin_undecodable();
  void on_undecodable(Bytes block);
  void end_undecodable();

  // --- members
  void begin_member(const TarHeader& header, Bytes block);
  void resolve_names(const TarHeader& header, bool sparse_name_counts);
  bool resolve_size(const TarHeader& header);
  bool sparse_version_known() const;
  void begin_pax_sparse();
  void on_sparse_extension(Bytes block);
  void on_sparse_map(Bytes block);
  bool read_map_text(std::size_t& end);
  void end_sparse_map(bool valid);
  void begin_content();
  bool next_segment();
  void end_content();
  void show_unused_pax();
  void drop_pending(bool report);

  void diagnose(std::string_view rule, std::string message, std::uint64_t offset,
                bool unaudited = false, std::uint64_t bytes = 0);
  void finish_block_state();

  const Limits& limits_;
  TarHandler& handler_;
  TarAccount account_;
  State state_ = State::header;
  std::uint64_t offset_ = 0;  // of the next byte that is not accounted for
  bool finished_ = false;

  std::array<std::uint8_t, tar_block_size> buffer_;
  std::size_t buffered_ = 0;

  std::uint64_t entries_ = 0;
  bool zero_block_ = false;  // the block before was the first zero block

  // Extended headers in front of the next member.
  std::optional<std::uint64_t> pending_offset_;
  std::optional<PaxAttributes> pax_;
  std::string pax_text_;  // the records of pax_
  std::uint64_t pax_offset_ = 0, gnu_name_offset_ = 0, gnu_link_offset_ = 0;
  std::optional<std::string> gnu_name_, gnu_link_;

  char extended_type_ = 0;
  std::uint64_t extended_left_ = 0, extended_offset_ = 0;
  std::string extended_;

  // The member being read.
  TarEntry entry_;
  std::uint64_t stored_ = 0;     // bytes of it that are still to come, map included
  std::uint64_t real_size_ = 0;  // of the expanded sparse file
  std::uint64_t content_left_ = 0;
  std::vector<TarSegment> segments_;
  std::size_t segment_ = 0;
  std::uint64_t segment_left_ = 0, position_ = 0;
  std::string map_text_;
  std::uint64_t map_offset_ = 0;
  std::uint64_t map_lines_ = 0;
  bool map_valid_ = true;

  std::uint64_t side_left_ = 0;
  std::string_view side_what_;
  bool side_first_ = false;
  std::uint64_t padding_left_ = 0;
  std::uint64_t padding_size_ = 0;  // of what comes behind the current content
  std::uint64_t run_offset_ = 0;    // where the side bytes of this state began

  std::map<std::string_view, std::uint64_t> diagnostics_;
  std::vector<std::pair<std::size_t, std::size_t>> slack_;
};

// The part of a name that is shown in messages.
inline std::string_view shown(std::string_view name) {
  return name.substr(0, 200);
}
// Zeros behind content of this size.
inline std::uint64_t tar_padding_of(std::uint64_t size) {
  return (tar_block_size - size % tar_block_size) % tar_block_size;
}

}  // namespace lazaret::format
