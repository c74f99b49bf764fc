// The archive as a whole: members one behind the other, each a header block, content and zeros up
// to the next multiple of 512, and two zero blocks at the end (POSIX.1-2017, pax; GNU tar manual,
// "Tar Internals"). What precedes a member's own header and changes it: 'x' (pax records), 'L' and
// 'K' (GNU long name and link target). 'g' (pax records for all later members) changes nothing in
// Go, so nothing here, and is reported where it would change something for others.
//
// The format gives attackers room because readers stop, skip and resolve at different places:
//  - A size in a pax record replaces the header's. A reader that forgets about it takes content for
//    headers. Likewise for links with a size: Go, GNU tar and Python take it for 0, others skip.
//  - Extended headers apply to the next file, not to an extended header in between.
//  - Go and GNU tar stop at the end marker, and GNU tar at a single zero block, where Go gives up;
//    others read on.
//  - A header with a wrong checksum ends the archive for most; GNU tar looks for the next one.
// Whatever a reader would do, no byte may get by unseen: bytes that are no content of a member that
// Go's reader sees go to side_bytes(), and what looks like a member further on is read as one.
#include "format/tar.h"

#include <fmt/core.h>

#include <algorithm>

#include "format/tar_impl.h"

namespace lazaret::format {
namespace {

constexpr std::uint64_t max_diagnostics = 64;  // of one rule

}  // namespace

// ---------------------------------------------------------------------------------------- bytes

void TarReader::Impl::consume(Bytes bytes) {
  while (!bytes.empty()) {
    Bytes piece;
    const auto take = [&](std::uint64_t left) {
      piece = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size())));
      bytes = bytes.subspan(piece.size());
    };
    switch (state_) {
      case State::content:
        take(entry_.sparse ? segment_left_ : content_left_);
        used(account_.content, piece.size());
        content_left_ -= piece.size();
        handler_.data(piece);
        if (entry_.sparse) {
          segment_left_ -= piece.size();
          position_ += piece.size();
          if (segment_left_ == 0 && !next_segment()) end_content();
        } else if (content_left_ == 0) {
          end_content();
        }
        break;
      case State::extended:
        take(extended_left_);
        extended_.append(as_text(piece));
        used(account_.header, piece.size());
        extended_left_ -= piece.size();
        if (extended_left_ == 0) end_extended();
        break;
      case State::side_run:
        take(side_left_);
        side_left_ -= piece.size();
        side(piece);
        if (side_left_ == 0) begin_padding();
        break;
      case State::padding:
        take(padding_left_);
        on_padding(piece);
        break;
      case State::after_end:
      case State::after_limit:
        take(bytes.size());
        on_rest(piece);
        break;
      default:
        if (buffered_ == 0 && bytes.size() >= tar_block_size) {
          take(tar_block_size);
          on_block(piece);
        } else {
          take(tar_block_size - buffered_);
          std::copy(piece.begin(), piece.end(), buffer_.begin() + buffered_);
          buffered_ += piece.size();
          if (buffered_ == tar_block_size) {
            buffered_ = 0;
            on_block(buffer_);
          }
        }
        break;
    }
  }
}

void TarReader::Impl::on_block(Bytes block) {
  switch (state_) {
    case State::link_probe:
      on_link_probe(block);
      break;
    case State::sparse_extension:
      on_sparse_extension(block);
      break;
    case State::sparse_map:
      on_sparse_map(block);
      break;
    case State::undecodable:
      on_undecodable(block);
      break;
    default:
      on_header(block);
      break;
  }
}

void TarReader::Impl::side(Bytes piece) {
  handler_.side_bytes(side_what_, offset_, piece, side_first_);
  side_first_ = false;
  used(account_.side, piece.size());
}

void TarReader::Impl::begin_side_run(std::string_view what, std::uint64_t size) {
  state_ = State::side_run;
  side_what_ = what;
  side_first_ = true;
  side_left_ = size;
  run_offset_ = offset_;
  if (size == 0) begin_padding();
}

void TarReader::Impl::begin_padding() {
  padding_left_ = padding_size_;
  side_what_ = {};
  state_ = padding_left_ == 0 ? State::header : State::padding;
}

void TarReader::Impl::on_padding(Bytes piece) {
  padding_left_ -= piece.size();
  if (side_what_.empty()) {
    const std::size_t zeros = find_nonzero(piece);
    used(account_.padding, zeros);
    piece = piece.subspan(zeros);
    if (!piece.empty()) {
      side_what_ = "tar-padding";
      side_first_ = true;
      diagnose("anomaly.tar-padding",
               fmt::format("The padding behind \"{}\" is not zeros.", shown(entry_.path)), offset_,
               false, piece.size() + padding_left_);
    }
  }
  if (!piece.empty()) side(piece);
  if (padding_left_ == 0) state_ = State::header;
}

// Behind the end marker, or behind the last entry that the limit allows.
void TarReader::Impl::on_rest(Bytes piece) {
  if (side_what_.empty()) {
    const std::size_t zeros = find_nonzero(piece);
    used(account_.padding, zeros);
    piece = piece.subspan(zeros);
    if (piece.empty()) return;
    side_what_ = "tar-after-end";
    side_first_ = true;
    run_offset_ = offset_;
  }
  side(piece);
}

// -------------------------------------------------------------------------------------- headers

void TarReader::Impl::on_header(Bytes block) {
  if (is_zero(block)) {
    used(account_.padding, block.size());
    if (!zero_block_) {
      zero_block_ = true;
      return;
    }
    drop_pending(true);
    side_what_ = {};
    state_ = State::after_end;
    return;
  }
  if (zero_block_) {
    zero_block_ = false;
    diagnose("anomaly.tar-lone-zero-block",
             "One zero block stands between members; the archive ends here for some readers, is "
             "broken for others, and goes on for the rest.",
             offset_ - tar_block_size);
  }
  const auto header = read_tar_header(block);
  if (!header) {
    begin_undecodable();
    on_undecodable(block);
    return;
  }
  if (entries_ >= limits_.layer_entries) {
    diagnose("anomaly.tar-too-many-entries",
             fmt::format("The archive has more than {} entries; what follows was only looked at as "
                         "bytes.",
                         limits_.layer_entries),
             offset_, true);
    state_ = State::after_limit;
    side_what_ = "tar-after-limit";
    side_first_ = true;
    run_offset_ = offset_;
    side(block);
    return;
  }
  report_slack(block, *header);
  if (!pending_offset_) pending_offset_ = offset_;
  const std::uint64_t header_offset = offset_;
  used(account_.header, block.size());
  switch (header->type_flag) {
    case 'x':
    case 'g':
    case 'L':
    case 'K':
      if (!header->size_valid) {
        diagnose("anomaly.tar-malformed-number",
                 "The size of an extended header is malformed or negative.", header_offset, true);
        begin_undecodable();
        return;
      }
      begin_extended(*header);
      break;
    default:
      begin_member(*header, block);
      break;
  }
}

void TarReader::Impl::report_slack(Bytes block, const TarHeader& header) {
  slack_.clear();
  find_header_slack(block, header, slack_);
  for (const auto& [begin, size] : slack_)
    handler_.side_bytes("tar-header-slack", offset_ + begin, block.subspan(begin, size), true);
}

void TarReader::Impl::begin_extended(const TarHeader& header) {
  extended_type_ = header.type_flag;
  extended_.clear();
  extended_left_ = header.size;
  extended_offset_ = offset_;
  padding_size_ = tar_padding_of(header.size);
  if (header.size > limits_.extended_header_bytes) {
    diagnose(
        "anomaly.tar-extended-header-size",
        fmt::format("An extended header of {} bytes is over the limit of {}; the name and size "
                    "of the member behind it may be other than shown.",
                    header.size, limits_.extended_header_bytes),
        offset_, true, header.size);
    begin_side_run("tar-extended-header", header.size);
    return;
  }
  state_ = State::extended;
  if (extended_left_ == 0) end_extended();
}

void TarReader::Impl::end_extended() {
  if (extended_type_ == 'x' || extended_type_ == 'g') {
    end_pax();
  } else {
    end_gnu_name();
  }
  begin_padding();
}

void TarReader::Impl::end_pax() {
  PaxContent content = read_pax(extended_);
  for (PaxProblem& problem : content.problems)
    diagnose(problem.rule, std::move(problem.message), extended_offset_ + problem.offset);
  const std::string& effective = content.attributes.effective_keys;
  if (extended_type_ == 'g' && !effective.empty()) content.unused = {{0, extended_.size()}};
  for (const auto& [begin, size] : content.unused)
    handler_.side_bytes("pax-record", extended_offset_ + begin,
                        as_bytes(extended_).subspan(begin, size), true);
  if (extended_type_ == 'g') {
    if (!effective.empty()) {
      diagnose(
          "anomaly.tar-global-header",
          fmt::format("A global extended header sets {}: containers' runtimes ignore it, other "
                      "readers change every member behind it.",
                      effective),
          extended_offset_);
    }
    drop_pending(pax_ || gnu_name_ || gnu_link_);
    return;
  }
  if (pax_) {
    diagnose("anomaly.tar-extended-header-order",
             "Two pax headers stand in front of one member; readers differ in whether the first "
             "counts.",
             extended_offset_);
    show_unused_pax();
  }
  pax_ = std::move(content.attributes);
  pax_text_.swap(extended_);
  pax_offset_ = extended_offset_;
}

void TarReader::Impl::end_gnu_name() {
  const std::size_t end = std::min(extended_.find('\0'), extended_.size());
  const Bytes rest = as_bytes(extended_).subspan(end);
  const std::size_t zeros = find_nonzero(rest);
  if (zeros < rest.size())
    handler_.side_bytes("tar-header-slack", extended_offset_ + end + zeros, rest.subspan(zeros),
                        true);
  std::optional<std::string>& name = extended_type_ == 'L' ? gnu_name_ : gnu_link_;
  std::uint64_t& name_offset = extended_type_ == 'L' ? gnu_name_offset_ : gnu_link_offset_;
  if (name) {
    diagnose("anomaly.tar-extended-header-order",
             fmt::format("Two GNU long names stand in front of one member; the first is \"{}\".",
                         shown(*name)),
             extended_offset_);
    if (!name->empty()) handler_.side_bytes("pax-record", name_offset, as_bytes(*name), true);
  }
  name = extended_.substr(0, end);
  name_offset = extended_offset_;
}

// A member without content whose header has a size: whether bytes follow is what readers differ in.
void TarReader::Impl::on_link_probe(Bytes block) {
  if (is_zero(block) || read_tar_header(block)) {
    diagnose("anomaly.tar-link-size",
             fmt::format("\"{}\" has no content but a size of {} bytes; some readers skip as many.",
                         shown(entry_.path), stored_),
             entry_.header_offset);
    state_ = State::header;
    on_header(block);
    return;
  }
  diagnose("anomaly.tar-link-content",
           fmt::format("\"{}\" is a link, folder or device and has {} bytes of content, which most "
                       "readers take for headers.",
                       shown(entry_.path), stored_),
           entry_.header_offset, false, stored_);
  padding_size_ = tar_padding_of(stored_);
  begin_side_run("tar-link-content", stored_);
  consume(block);
}

void TarReader::Impl::begin_undecodable() {
  drop_pending(true);
  state_ = State::undecodable;
  side_what_ = "tar-undecodable";
  side_first_ = true;
  run_offset_ = offset_;
}

void TarReader::Impl::on_undecodable(Bytes block) {
  if (read_tar_header(block)) {
    end_undecodable();
    state_ = State::header;
    on_header(block);
    return;
  }
  side(block);
}

void TarReader::Impl::end_undecodable() {
  if (offset_ == run_offset_) return;
  diagnose(
      "anomaly.tar-undecodable",
      fmt::format("{} bytes are no header (wrong checksum) where one should be; the archive is "
                  "broken here for most readers.",
                  offset_ - run_offset_),
      run_offset_, true, offset_ - run_offset_);
}

// ------------------------------------------------------------------------------------------ end

void TarReader::Impl::finish() {
  if (finished_) return;
  finished_ = true;
  const auto truncated = [this](std::uint64_t missing) {
    diagnose("anomaly.tar-truncated", "The archive ends within a member.", offset_, true, missing);
  };
  const auto no_end_marker = [this] {
    diagnose("anomaly.tar-missing-end", "The archive ends without an end marker.", offset_);
  };
  switch (state_) {
    case State::content:
      handler_.entry_end();
      truncated(content_left_);
      break;
    case State::extended:
      if (!extended_.empty())
        handler_.side_bytes("pax-record", extended_offset_, as_bytes(extended_), true);
      truncated(extended_left_);
      break;
    case State::side_run:
      truncated(side_left_);
      break;
    case State::padding:
      no_end_marker();
      break;
    case State::after_end:
      if (!side_what_.empty()) {
        diagnose("anomaly.tar-after-end",
                 fmt::format("{} bytes that are not zeros follow the end of the archive; some "
                             "readers read on there.",
                             offset_ - run_offset_),
                 run_offset_, false, offset_ - run_offset_);
      }
      break;
    case State::after_limit:
      break;
    default:
      finish_block_state();
      break;
  }
  for (const auto& [rule, count] : diagnostics_) {
    if (count <= max_diagnostics) continue;
    handler_.diagnostic({std::string(rule),
                         fmt::format("The same {} more times.", count - max_diagnostics), offset_,
                         false, 0});
  }
}

// The end came where whole blocks are expected; the bytes of the last one may be there in part.
void TarReader::Impl::finish_block_state() {
  const Bytes rest = Bytes(buffer_).first(buffered_);
  const bool zeros = is_zero(rest);
  if (state_ == State::sparse_extension || state_ == State::sparse_map) {
    if (!map_text_.empty())
      handler_.side_bytes("tar-header-slack", map_offset_, as_bytes(map_text_), true);
    if (!rest.empty()) handler_.side_bytes("tar-header-slack", offset_, rest, true);
    used(account_.header, rest.size());
    entry_.sparse = false;
    const std::uint64_t missing = stored_;
    stored_ = 0;
    begin_content();
    diagnose("anomaly.tar-truncated", "The archive ends within a sparse map.", offset_, true,
             missing);
    return;
  }
  if (state_ == State::undecodable) {
    if (!rest.empty()) side(rest);
    end_undecodable();
    return;
  }
  drop_pending(true);
  if (zeros) {
    used(account_.padding, rest.size());
    diagnose("anomaly.tar-missing-end", "The archive ends without an end marker.", offset_);
    return;
  }
  side_what_ = "tar-undecodable";
  side_first_ = true;
  const std::uint64_t at = offset_;
  side(rest);
  diagnose("anomaly.tar-truncated", "The archive ends within a header.", at, true, rest.size());
}

void TarReader::Impl::diagnose(std::string_view rule, std::string message, std::uint64_t offset,
                               bool unaudited, std::uint64_t bytes) {
  if (++diagnostics_[rule] > max_diagnostics) return;
  handler_.diagnostic({std::string(rule), std::move(message), offset, unaudited, bytes});
}

TarReader::TarReader(const Limits& limits, TarHandler& handler)
    : impl_(std::make_unique<Impl>(limits, handler)) {}
TarReader::~TarReader() = default;
void TarReader::feed(Bytes bytes) {
  impl_->feed(bytes);
}
void TarReader::finish() {
  impl_->finish();
}
const TarAccount& TarReader::account() const {
  return impl_->account();
}

bool looks_like_tar(Bytes head) {
  if (head.size() < tar_block_size) return false;
  const Bytes first = head.first(tar_block_size);
  if (is_zero(first))
    return head.size() >= 2 * tar_block_size &&
           is_zero(head.subspan(tar_block_size, tar_block_size));
  return read_tar_header(first).has_value();
}

}  // namespace lazaret::format
