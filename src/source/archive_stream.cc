#include "source/archive_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace lazaret::source {
namespace {

constexpr std::size_t sniff_bytes = 16;
constexpr std::size_t decoded_bytes = 1 << 20;
// White space before a JSON document that is waited for.
constexpr std::size_t head_bytes = 4096;
constexpr std::size_t max_diagnostics = 1000;

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

}  // namespace

void SideContents::add(std::string_view what, Bytes piece) {
  auto found = by_kind_.find(what);
  if (found == by_kind_.end()) {
    if (by_kind_.size() >= kinds) {
      dropped_ += piece.size();
      return;
    }
    found = by_kind_.emplace(what, Kind{}).first;
  }
  Kind& kind = found->second;
  const auto room = static_cast<std::size_t>(kind_bytes - kind.bytes.size());
  kind.bytes += as_text(piece.first(std::min(room, piece.size())));
  kind.dropped += piece.size() - std::min(room, piece.size());
}

std::vector<PendingBlob> SideContents::take(Unaudited& unaudited) {
  std::vector<PendingBlob> blobs;
  for (auto& [what, kind] : by_kind_) {
    BlobOffer offer;
    offer.key = fmt::format("image archive ({})", what);
    if (kind.dropped > 0)
      unaudited.emplace_back(offer.key, fmt::format("{} more than are looked at outside of members",
                                                    format_bytes(kind.dropped)));
    blobs.push_back(blob_in_memory(std::move(offer), std::move(kind.bytes)));
  }
  if (dropped_ > 0)
    unaudited.emplace_back("image archive", fmt::format("{} outside of members are not looked at",
                                                        format_bytes(dropped_)));
  by_kind_.clear();
  return blobs;
}

ArchiveStream::ArchiveStream(Settings settings, const SourceOptions& options)
    : settings_(std::move(settings)),
      options_(options),
      members_(options.limits),
      reader_(options.limits, *this) {}

ArchiveStream::~ArchiveStream() = default;

void ArchiveStream::feed(Bytes bytes) {
  if (sniffed_) return decode(bytes);
  const std::size_t wanted = sniff_bytes - head_.size();
  const Bytes first = bytes.first(std::min(wanted, bytes.size()));
  head_ += as_text(first);
  if (head_.size() < sniff_bytes) return;
  sniffed_ = true;
  const auto encoding = codec::sniff(as_bytes(head_));
  if (encoding != codec::Encoding::plain) {
    decoder_ = codec::make_decoder(encoding,
                                   {.bytes_out = options_.limits.layer_bytes,
                                    .ratio = options_.limits.ratio,
                                    .ratio_grace = options_.limits.ratio_grace,
                                    .window = options_.limits.decoder_window},
                                   this);
    decoded_.resize(decoded_bytes);
  }
  decode(as_bytes(head_));
  decode(bytes.subspan(first.size()));
}

void ArchiveStream::decode(Bytes bytes) {
  if (!decoder_) {
    reader_.feed(bytes);
    return;
  }
  while (!is_cancelled(options_)) {
    const std::size_t size = decoder_->decode(bytes, decoded_);
    reader_.feed(Bytes(decoded_.data(), size));
    if (bytes.empty() && size < decoded_.size()) return;
  }
}

void ArchiveStream::finish(const Error* error) {
  if (!sniffed_ && !head_.empty()) decode(as_bytes(head_));
  if (decoder_) {
    decode({});
    if (error == nullptr) decoder_->end_of_input();
    for (const auto& found : decoder_->diagnostics()) diagnostics_.push_back(found);
  }
  if (error != nullptr) {
    unaudited_.emplace_back("image archive", error->message);
    if (writer_) {
      writer_->fail(*error);
      writer_.reset();
    }
    state_ = State::none;
    pending_.clear();
  }
  reader_.finish();
  if (state_ != State::none) entry_end();  // the archive ended within a member
  if (dropped_bytes_ > 0)
    unaudited_.emplace_back(
        "image archive", fmt::format("{} in members beyond the first {}",
                                     format_bytes(dropped_bytes_), options_.limits.image_members));
}

void ArchiveStream::entry(const format::TarEntry& entry) {
  if (state_ != State::none) entry_end();
  Member member;
  member.path = entry.path;
  member.kind = kind_of(entry);
  member.link_target = entry.link_target;
  member.size = entry.size;
  member.header_offset = entry.header_offset;
  size_ = entry.size;
  received_ = 0;
  pending_.clear();
  if (member.kind != MemberKind::file && entry.size > 0) {
    // Content behind the header of a link or folder: no reader of images uses it, and it is bytes.
    members_.add(member);
    member.kind = MemberKind::file;
    member.path += " (content of a link or folder)";
  }
  const bool file = member.kind == MemberKind::file;
  const auto index = members_.add(std::move(member));
  if (!file) {
    state_ = State::none;
    return;
  }
  if (!index) {
    dropped_bytes_ += entry.size;
    state_ = State::skipped;
    return;
  }
  index_ = *index;
  state_ = State::undecided;
}

void ArchiveStream::decide(bool at_end) {
  auto json = begins_like_json(pending_);
  if (!json && (at_end || pending_.size() >= head_bytes)) json = false;
  if (!json) return;
  if (*json && members_.may_keep(size_)) {
    state_ = State::document;
    return;
  }
  open_blob(members_.all()[index_]);
  if (writer_ && !pending_.empty()) writer_->write(as_bytes(pending_));
  pending_.clear();
}

void ArchiveStream::open_blob(const Member& member) {
  state_ = State::skipped;
  if (settings_.consumer == nullptr) return;
  if (settings_.excluded != nullptr && settings_.excluded->contains(member.key)) return;
  BlobOffer offer;
  offer.key = member.key;
  offer.size = size_;
  if (settings_.identity) offer.file_identity = settings_.identity(member.header_offset);
  if (member.path.starts_with("blobs/sha256/"))
    offer.digest = Digest::parse("sha256:" + member.path.substr(13)).value_or(Digest());
  if (member.path.starts_with("blobs/sha512/"))
    offer.digest = Digest::parse("sha512:" + member.path.substr(13)).value_or(Digest());
  writer_ = settings_.consumer->begin(offer);
  if (writer_) state_ = State::blob;
}

void ArchiveStream::data(Bytes piece) {
  received_ += piece.size();
  if (state_ == State::undecided || state_ == State::document) {
    pending_ += as_text(piece);
    // What is undecided may be a layer: only as much of it is looked at as is needed.
    if (state_ == State::undecided) decide(false);
  } else if (state_ == State::blob && writer_) {
    if (!writer_->write(piece)) {
      writer_->finish();
      writer_.reset();
      state_ = State::skipped;
    }
  }
}

void ArchiveStream::hole(std::uint64_t size) {
  static constexpr std::uint8_t zeros[64 * 1024] = {};
  size = std::min<std::uint64_t>(size, options_.limits.file_window_bytes);
  while (size > 0 && !is_cancelled(options_)) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof zeros));
    data(Bytes(zeros, now));
    size -= now;
    if (state_ == State::skipped) return;
  }
}

void ArchiveStream::entry_end() {
  if (state_ == State::undecided) decide(true);
  const bool complete = received_ == size_;
  const bool changed = settings_.changed && settings_.changed();
  if (state_ == State::document) {
    members_.keep(index_, std::move(pending_));
    pending_.clear();
    if (!is_json_document(*members_.all()[index_].document, options_.limits)) offer_whole(index_);
  } else if (state_ == State::blob && writer_) {
    if (complete && !changed) {
      writer_->finish();
    } else {
      writer_->fail({ErrorCode::corrupt,
                     changed ? std::string("the file changed while it was read")
                             : fmt::format("ends after {} of {} bytes", received_, size_)});
    }
    writer_.reset();
  }
  state_ = State::none;
}

void ArchiveStream::offer_whole(std::size_t index) {
  const std::string document = members_.take(index);
  open_blob(members_.all()[index]);
  if (!writer_) return;
  writer_->write(as_bytes(document));
  if (received_ == size_) {
    writer_->finish();
  } else {
    writer_->fail({ErrorCode::corrupt, fmt::format("ends after {} of {} bytes", received_, size_)});
  }
  writer_.reset();
}

void ArchiveStream::side_bytes(std::string_view what, std::uint64_t, Bytes piece, bool) {
  if (settings_.consumer != nullptr) side_.add(what, piece);
}

void ArchiveStream::diagnostic(Diagnostic diagnostic) {
  if (diagnostics_.size() < max_diagnostics) {
    diagnostics_.push_back(std::move(diagnostic));
  } else if (diagnostics_.size() == max_diagnostics) {
    diagnostics_.push_back({"anomaly.archive-many-anomalies",
                            "The image archive has more anomalies than are listed.",
                            diagnostic.offset, true, 0});
  }
}

}  // namespace lazaret::source
