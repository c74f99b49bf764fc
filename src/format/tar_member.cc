// One member: what its header and the extended headers in front of it say together, and its
// content.
//
// Sparse files (GNU tar manual, "Storing Sparse Files"; libarchive's tar(5)) come in four forms.
// Old GNU ('S'): four segments in the header, more in blocks behind it, before the content. pax
// 0.0: a pair of records for each segment. 0.1: one record with all of them, separated by
// commas. 1.0: the map is text at the beginning of the content, padded to a block. A map that lies
// is a way to hide bytes, so what no segment covers is handed out too.
#include <fmt/core.h>

#include <algorithm>

#include "format/tar_impl.h"
#include "format/tar_names.h"

namespace lazaret::format {
namespace {

constexpr std::uint64_t max_octal_size = (1ull << 33) - 1;  // eleven octal digits

TarType type_of(char flag, std::string_view path) {
  switch (flag) {
    case '\0':
      return path.ends_with('/') ? TarType::directory : TarType::file;
    case '0':
    case '7':
    case 'S':
      return TarType::file;
    case '1':
      return TarType::hard_link;
    case '2':
      return TarType::symlink;
    case '3':
      return TarType::character_device;
    case '4':
      return TarType::block_device;
    case '5':
      return TarType::directory;
    case '6':
      return TarType::fifo;
    default:
      return TarType::other;
  }
}

bool has_content(TarType type) {
  return type == TarType::file || type == TarType::other;
}

}  // namespace

void TarReader::Impl::begin_member(const TarHeader& header, Bytes block) {
  entry_.type_flag = header.type_flag;
  entry_.mode = header.mode;
  entry_.uid = header.uid;
  entry_.gid = header.gid;
  entry_.mtime = header.mtime;
  entry_.device_major = header.device_major;
  entry_.device_minor = header.device_minor;
  entry_.header_offset = *pending_offset_;
  entry_.sparse = false;
  entry_.xattrs.clear();
  segments_.clear();
  map_text_.clear();
  map_lines_ = 0;
  map_valid_ = true;

  const bool pax_sparse = header.type_flag != 'S' && pax_ && sparse_version_known();
  resolve_names(header, pax_sparse);
  if (pax_) {
    if (pax_->uid) entry_.uid = *pax_->uid;
    if (pax_->gid) entry_.gid = *pax_->gid;
    if (pax_->mtime) entry_.mtime = *pax_->mtime;
    entry_.xattrs = std::move(pax_->xattrs);
  }
  entry_.type = type_of(header.type_flag, entry_.path);
  if (!header.numbers_valid) {
    diagnose("anomaly.tar-malformed-number",
             fmt::format("A number in the header of \"{}\" is malformed.", shown(entry_.path)),
             entry_.header_offset);
  }
  if (header.type_flag == 'X') {
    diagnose("anomaly.tar-extended-header-order",
             "A Solaris extended header: a header to some readers and a member to others.",
             entry_.header_offset);
  }

  if (!resolve_size(header)) {
    diagnose("anomaly.tar-malformed-number",
             fmt::format("The size of \"{}\" is malformed or negative, so that its end is unknown.",
                         shown(entry_.path)),
             entry_.header_offset, true);
    stored_ = 0;
    begin_content();
    begin_undecodable();
    return;
  }
  padding_size_ = tar_padding_of(stored_);
  if (!has_content(entry_.type)) {
    if (pax_ && pax_->any_sparse) end_sparse_map(false);
    const std::uint64_t claimed = stored_;
    stored_ = padding_size_ = 0;
    begin_content();
    if (claimed > 0) {
      stored_ = claimed;
      state_ = State::link_probe;
    }
    return;
  }
  if (header.type_flag == 'S' && header.form == TarForm::gnu) {
    const TarSparseBlock map = read_sparse_header(block, segments_);
    map_valid_ = map.valid;
    real_size_ = map.real_size;
    if (map.extended) {
      map_offset_ = offset_;
      state_ = State::sparse_extension;
    } else {
      end_sparse_map(map_valid_);
    }
  } else if (pax_sparse) {
    begin_pax_sparse();
  } else {
    if (header.type_flag == 'S' || (pax_ && pax_->any_sparse))
      end_sparse_map(false);
    else
      begin_content();
  }
}

// Go's order: header, pax, GNU long name, name of a sparse file.
void TarReader::Impl::resolve_names(const TarHeader& header, bool sparse_name_counts) {
  entry_.path.clear();
  if (!header.prefix.empty()) {
    entry_.path = header.prefix;
    entry_.path += '/';
  }
  entry_.path += header.name;
  entry_.link_target = header.link_name;
  if (header.prefix_disputed) {
    diagnose("anomaly.tar-name-disagreement",
             fmt::format("Readers differ in whether the header of \"{}\" has a name prefix.",
                         shown(entry_.path)),
             entry_.header_offset);
  }
  const auto disagree = [&](std::string_view rule, std::string_view own, std::string_view with,
                            std::string_view name) {
    if (pax_) show_unused_pax();
    diagnose(rule,
             fmt::format("The header says \"{}\" and {} says \"{}\"; readers differ in which of "
                         "them counts.",
                         shown(own), with, shown(name)),
             entry_.header_offset);
  };
  const auto replace = [&](std::string& name, const std::optional<std::string>& pax,
                           const std::optional<std::string>& gnu) {
    if (!pax && !gnu) return;
    const std::string plain = name;
    if (pax) {
      const bool innocent =
          sparse_name_counts ? is_sparse_stand_in(name, *pax) : is_stand_in(name, *pax);
      if (!innocent) disagree("anomaly.tar-pax-disagreement", plain, "its pax record", *pax);
      name = *pax;
    }
    if (gnu && !gnu->empty()) {
      if (pax ? *gnu != *pax : !is_stand_in(plain, *gnu))
        disagree("anomaly.tar-name-disagreement", name, "its GNU long name", *gnu);
      name = *gnu;
    }
  };
  static const std::optional<std::string> none;
  replace(entry_.path, pax_ ? pax_->path : none, gnu_name_);
  replace(entry_.link_target, pax_ ? pax_->link_path : none, gnu_link_);
  if (sparse_name_counts && pax_->sparse_name) {
    if (!is_sparse_stand_in(entry_.path, *pax_->sparse_name))
      disagree("anomaly.tar-pax-disagreement", entry_.path, "its sparse record",
               *pax_->sparse_name);
    entry_.path = *pax_->sparse_name;
  }
  for (const std::string* name : {&entry_.path, &entry_.link_target}) {
    if (name->size() <= limits_.path_bytes) continue;
    diagnose("anomaly.tar-long-path",
             fmt::format("A name of {} bytes begins with \"{}\".", name->size(), shown(*name)),
             entry_.header_offset);
  }
}

// Sets stored_. False when the size is unknown.
bool TarReader::Impl::resolve_size(const TarHeader& header) {
  stored_ = header.size;
  if (!pax_ || !pax_->size) return header.size_valid;
  stored_ = *pax_->size;
  // Writers leave 0 or the largest number in a field that the size does not fit.
  const bool needed = stored_ > max_octal_size;
  const bool innocent =
      header.size_valid &&
      (header.size == stored_ || (needed && (header.size == 0 || header.size == max_octal_size)));
  if (!innocent) {
    diagnose("anomaly.tar-pax-disagreement",
             fmt::format("The header of \"{}\" says {} bytes and its pax record {}; a reader that "
                         "believes the other finds other members behind it.",
                         shown(entry_.path), header.size, stored_),
             entry_.header_offset);
  }
  return true;
}

bool TarReader::Impl::sparse_version_known() const {
  const std::string& major = pax_->sparse_major;
  const std::string& minor = pax_->sparse_minor;
  if (major == "0") return minor == "0" || minor == "1";
  if (major == "1") return minor == "0";
  return major.empty() && minor.empty() && pax_->sparse_map_present;
}

void TarReader::Impl::begin_pax_sparse() {
  real_size_ = pax_->sparse_size.value_or(stored_);
  if (pax_->sparse_major != "1") {
    segments_ = std::move(pax_->sparse_map);
    end_sparse_map(pax_->sparse_map_valid && pax_->sparse_blocks == segments_.size());
    return;
  }
  map_offset_ = offset_;
  if (stored_ < tar_block_size) {
    end_sparse_map(false);
  } else {
    state_ = State::sparse_map;
  }
}

void TarReader::Impl::on_sparse_extension(Bytes block) {
  const std::size_t known = segments_.size();
  const TarSparseBlock map = read_sparse_extension(block, segments_);
  map_valid_ = map_valid_ && map.valid;
  constexpr std::size_t entry_size = 24, entries = 21;
  // Behind the entries, but for the byte that says whether another block follows.
  const Bytes unused = block.first(entries * entry_size).subspan(map.used * entry_size);
  const std::size_t zeros = find_nonzero(unused);
  if (zeros < unused.size()) {
    handler_.side_bytes("tar-header-slack", offset_ + map.used * entry_size + zeros,
                        unused.subspan(zeros), true);
  }
  const std::size_t last = entries * entry_size + 1;
  const std::size_t tail = last + find_nonzero(block.subspan(last));
  if (tail < block.size())
    handler_.side_bytes("tar-header-slack", offset_ + tail, block.subspan(tail), true);
  used(account_.header, block.size());
  if (offset_ - map_offset_ > limits_.extended_header_bytes) {
    map_valid_ = false;
    segments_.resize(known);
  }
  if (!map.extended) end_sparse_map(map_valid_);
}

void TarReader::Impl::on_sparse_map(Bytes block) {
  map_text_.append(as_text(block));
  used(account_.header, block.size());
  stored_ -= block.size();
  map_lines_ += static_cast<std::uint64_t>(std::count(block.begin(), block.end(), '\n'));
  const std::size_t first_line = map_text_.find('\n');
  const auto count = first_line == std::string::npos
                         ? std::nullopt
                         : read_decimal(std::string_view(map_text_).substr(0, first_line));
  bool valid = first_line == std::string::npos ? map_text_.size() <= tar_block_size : bool(count);
  bool complete = false;
  if (count) {
    const auto lines = checked_mul(*count, 2);
    valid = lines.has_value();
    complete = valid && map_lines_ >= *lines + 1;
  }
  valid = valid && map_text_.size() <= limits_.extended_header_bytes;
  if (valid && !complete && stored_ >= tar_block_size) return;
  std::size_t end = 0;
  valid = valid && complete && read_map_text(end);
  if (!valid) end = 0;
  // What stands behind the last number, or the whole of a map that is none.
  const Bytes unused = as_bytes(map_text_).subspan(end);
  const std::size_t zeros = find_nonzero(unused);
  if (zeros < unused.size()) {
    handler_.side_bytes("tar-header-slack", map_offset_ + end + zeros, unused.subspan(zeros), true);
  }
  end_sparse_map(valid);
}

// "<count>\n" and then "<offset>\n<size>\n" for each segment.
bool TarReader::Impl::read_map_text(std::size_t& end) {
  const std::string_view text = map_text_;
  const auto next = [&]() -> std::optional<std::uint64_t> {
    const std::size_t line = text.find('\n', end);
    if (line == std::string_view::npos) return std::nullopt;
    const auto value = read_decimal(text.substr(end, line - end));
    end = line + 1;
    return value;
  };
  const auto count = next();
  for (std::uint64_t i = 0; count && i < *count; ++i) {
    const auto offset = next();
    const auto size = next();
    if (!offset || !size) return false;
    segments_.push_back({*offset, *size});
  }
  return count.has_value();
}

// Segments must be in order, inside of the file, and backed by stored bytes. A file whose map is
// not is handed out as it is stored.
void TarReader::Impl::end_sparse_map(bool valid) {
  std::uint64_t end = 0, sum = 0;
  for (const TarSegment& segment : segments_) {
    const auto next = checked_add(segment.offset, segment.size);
    valid = valid && segment.offset >= end && next && *next <= real_size_;
    if (!valid) break;
    end = *next;
    sum += segment.size;
  }
  entry_.sparse = valid && sum <= stored_;
  if (!entry_.sparse) {
    diagnose(
        "anomaly.tar-sparse-map",
        fmt::format("The sparse map of \"{}\" is malformed, unknown, or does not fit the bytes "
                    "that are stored.",
                    shown(entry_.path)),
        entry_.header_offset);
    segments_.clear();
  }
  if (has_content(entry_.type)) begin_content();
}

void TarReader::Impl::begin_content() {
  ++entries_;
  entry_.size = entry_.sparse ? real_size_ : stored_;
  content_left_ = stored_;
  handler_.entry(entry_);
  state_ = State::content;
  if (entry_.sparse) {
    content_left_ = 0;
    for (const TarSegment& segment : segments_) content_left_ += segment.size;
    stored_ -= content_left_;
    segment_ = 0;
    position_ = 0;
    if (!next_segment()) end_content();
  } else {
    stored_ = 0;
    if (content_left_ == 0) end_content();
  }
}

// Goes on to the next segment with content, and says what lies before it. False at the end.
bool TarReader::Impl::next_segment() {
  for (; segment_ < segments_.size(); ++segment_) {
    const TarSegment& segment = segments_[segment_];
    if (segment.offset > position_) handler_.hole(segment.offset - position_);
    position_ = segment.offset;
    segment_left_ = segment.size;
    if (segment_left_ == 0) continue;
    ++segment_;
    return true;
  }
  if (entry_.size > position_) handler_.hole(entry_.size - position_);
  position_ = entry_.size;
  return false;
}

void TarReader::Impl::end_content() {
  handler_.entry_end();
  drop_pending(false);
  if (entry_.sparse && stored_ > 0) {
    diagnose("anomaly.tar-sparse-map",
             fmt::format("{} stored bytes of the sparse file \"{}\" are in no segment of its map.",
                         stored_, shown(entry_.path)),
             offset_, false, stored_);
    begin_side_run("tar-sparse-rest", stored_);
    return;
  }
  begin_padding();
}

// Records that change no member are bytes like any others.
void TarReader::Impl::show_unused_pax() {
  if (!pax_text_.empty()) handler_.side_bytes("pax-record", pax_offset_, as_bytes(pax_text_), true);
  pax_text_.clear();
}

void TarReader::Impl::drop_pending(bool report) {
  if (report && (pax_ || gnu_name_ || gnu_link_)) {
    diagnose("anomaly.tar-extended-header-order",
             "An extended header is not followed by a member that it belongs to.",
             pending_offset_.value_or(offset_));
    show_unused_pax();
    for (const auto& [name, offset] :
         {std::pair{&gnu_name_, gnu_name_offset_}, std::pair{&gnu_link_, gnu_link_offset_}}) {
      if (*name && !(*name)->empty())
        handler_.side_bytes("pax-record", offset, as_bytes(**name), true);
    }
  }
  pax_text_.clear();
  pending_offset_.reset();
  pax_.reset();
  gnu_name_.reset();
  gnu_link_.reset();
}

}  // namespace lazaret::format
