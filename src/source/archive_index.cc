#include "source/archive_index.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace lazaret::source {
namespace {

constexpr std::size_t block_bytes = 512;
constexpr std::size_t window_bytes = 64 * 1024;
constexpr std::size_t zero_bytes = 1 << 20;
constexpr std::size_t max_diagnostics = 1000;
std::uint8_t
    zeros[zero_bytes];  // never written; not const, so that the program file has none of it

MemberKind kind_of(const format::TarEntry& entry) {
  switch (entry.type) {
    case format::TarType::hard_link:
      return MemberKind::hard_link;
    case format::TarType::symlink:
      return MemberKind::symlink;
    case format::TarType::directory:
      return MemberKind::folder;
    default:
      return MemberKind::file;
  }
}

// Gives the expanded content of the first entry of a tar stream to a writer.
class FirstEntry : public format::TarHandler {
 public:
  FirstEntry(BlobWriter& writer, const SourceOptions& options)
      : writer_(writer), options_(options) {}

  bool done() const { return done_; }
  bool complete() const { return refused_ || received_ == size_; }

  void entry(const format::TarEntry& entry) override {
    if (begun_) done_ = true;
    begun_ = true;
    if (!done_) size_ = entry.size;
  }
  void data(Bytes piece) override {
    if (done_) return;
    received_ += piece.size();
    if (!writer_.write(piece)) refused_ = done_ = true;
  }
  // A layer is a tar, and no honest tar begins with a hole: what a sparse entry claims beyond this is not worth expanding.
  void hole(std::uint64_t size) override {
    size = std::min<std::uint64_t>(size, options_.limits.file_window_bytes);
    while (size > 0 && !done_ && !is_cancelled(options_)) {
      const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(size, zero_bytes));
      data(Bytes(zeros, now));
      size -= now;
    }
  }
  void entry_end() override { done_ = true; }
  void side_bytes(std::string_view, std::uint64_t, Bytes, bool) override {}
  void diagnostic(Diagnostic) override {}

 private:
  BlobWriter& writer_;
  const SourceOptions& options_;
  std::uint64_t size_ = 0, received_ = 0;
  bool begun_ = false, done_ = false, refused_ = false;
};

}  // namespace

ArchiveIndex::ArchiveIndex(const LocalFile& file, const SourceOptions& options)
    : file_(file), options_(options), members_(options.limits) {}

Result<void> ArchiveIndex::read() {
  format::TarReader reader(options_.limits, *this);
  std::vector<std::uint8_t> window(window_bytes);
  std::uint64_t window_at = 0;
  std::size_t window_size = 0;
  const std::uint64_t end = file_.size();
  while (position_ < end) {
    if (is_cancelled(options_)) return cancelled_error();
    if (skippable_ && left_ > 0) {
      const std::uint64_t size = std::min({left_, end - position_, std::uint64_t{zero_bytes}});
      fed_ = zeros;
      reader.feed(Bytes(zeros, static_cast<std::size_t>(size)));
      position_ += size;
      continue;
    }
    if (position_ < window_at || position_ - window_at >= window_size) {
      const auto got = file_.read_at(position_, window);
      if (!got) return got.error();
      if (*got == 0) break;
      window_at = position_;
      window_size = *got;
    }
    const auto at = static_cast<std::size_t>(position_ - window_at);
    const Bytes block(window.data() + at, std::min(block_bytes, window_size - at));
    fed_ = block.data();
    reader.feed(block);
    position_ += block.size();
  }
  reader.finish();
  if (dropped_bytes_ > 0)
    unaudited_.emplace_back(
        "image archive", fmt::format("{} in members beyond the first {}",
                                     format_bytes(dropped_bytes_), options_.limits.image_members));
  return keep_documents();
}

Result<void> ArchiveIndex::keep_documents() {
  std::vector<std::uint8_t> buffer;
  for (std::size_t i = 0; i < members_.all().size(); ++i) {
    if (is_cancelled(options_)) return cancelled_error();
    const Member& member = members_.all()[i];
    if (member.kind != MemberKind::file || member.sparse || !members_.may_keep(member.size))
      continue;
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(member.size, 4096)));
    auto got = file_.read_at(member.offset, buffer);
    if (!got) return got.error();
    if (!begins_like_json(as_text(Bytes(buffer).first(*got))).value_or(false)) continue;
    buffer.resize(static_cast<std::size_t>(member.size));
    got = file_.read_at(member.offset, buffer);
    if (!got) return got.error();
    if (*got < buffer.size()) continue;  // cut off: delivered as a blob, which tells so
    std::string document(as_text(buffer));
    if (is_json_document(document, options_.limits)) members_.keep(i, std::move(document));
  }
  return {};
}

Result<void> ArchiveIndex::push(const Member& member, BlobWriter& writer) const {
  if (!member.sparse) return push_file(file_, member.offset, member.size, options_, writer);
  FirstEntry handler(writer, options_);
  format::TarReader reader(options_.limits, handler);
  std::vector<std::uint8_t> buffer(zero_bytes);
  std::uint64_t at = member.header_offset;
  while (!handler.done()) {
    if (is_cancelled(options_)) return cancelled_error();
    const auto got = file_.read_at(at, buffer);
    if (!got) return got.error();
    if (*got == 0) break;
    reader.feed(Bytes(buffer.data(), *got));
    at += *got;
  }
  if (!handler.complete()) return Error{ErrorCode::corrupt, "ends before its end"};
  if (file_.changed()) return Error{ErrorCode::io, "the file changed while it was read"};
  return {};
}

void ArchiveIndex::entry(const format::TarEntry& entry) {
  Member member;
  member.path = entry.path;
  member.kind = kind_of(entry);
  member.link_target = entry.link_target;
  member.size = entry.size;
  member.header_offset = entry.header_offset;
  member.sparse = entry.sparse;
  if (member.kind != MemberKind::file && entry.size > 0) {
    // Content behind the header of a link or folder: no reader of images uses it, and it is bytes.
    members_.add(member);
    member.kind = MemberKind::file;
    member.path += " (content of a link or folder)";
  }
  index_ = members_.add(std::move(member));
  if (!index_) dropped_bytes_ += entry.size;
  left_ = entry.sparse ? 0 : entry.size;
  located_ = skippable_ = false;
}

void ArchiveIndex::data(Bytes piece) {
  if (!located_) {
    located_ = true;
    skippable_ = left_ > 0;
    if (index_)
      members_.at(*index_).offset = position_ + static_cast<std::uint64_t>(piece.data() - fed_);
  }
  left_ -= std::min<std::uint64_t>(left_, piece.size());
}

void ArchiveIndex::hole(std::uint64_t) {}

void ArchiveIndex::entry_end() {
  skippable_ = false;
  left_ = 0;
}

void ArchiveIndex::side_bytes(std::string_view what, std::uint64_t, Bytes piece, bool) {
  side_.add(what, piece);
}

void ArchiveIndex::diagnostic(Diagnostic diagnostic) {
  if (diagnostics_.size() < max_diagnostics) {
    diagnostics_.push_back(std::move(diagnostic));
  } else if (diagnostics_.size() == max_diagnostics) {
    diagnostics_.push_back({"anomaly.archive-many-anomalies",
                            "The image archive has more anomalies than are listed.",
                            diagnostic.offset, true, 0});
  }
}

}  // namespace lazaret::source
