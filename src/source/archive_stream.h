// An image archive read from front to end, once, with constant memory.
//
// `docker save` writes manifest.json last, so what a member is comes to light only after its bytes
// went by. Everything that is large or does not look like JSON is therefore offered as a blob as it
// streams past, and small JSON is kept until the end. A kept document that turns out not to be JSON
// is offered as a blob after all: a tar layer may begin with '{' as well.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/blob_stream.h"
#include "codec/decoder.h"
#include "format/tar.h"
#include "source/delivery.h"
#include "source/image_members.h"
#include "source/source.h"

namespace lazaret::source {

// Bytes of an archive that are neither header nor content of a member: behind the end, in the
// padding, in fields of its compression. Kept by kind, up to a limit, to be audited as blobs.
class SideContents {
 public:
  void add(std::string_view what, Bytes piece);
  // One blob for each kind; notes what went over the limit.
  std::vector<PendingBlob> take(Unaudited& unaudited);

 private:
  static constexpr std::uint64_t kind_bytes = 1 << 20;
  static constexpr std::size_t kinds = 32;
  struct Kind {
    std::string bytes;
    std::uint64_t dropped = 0;
  };
  std::map<std::string, Kind, std::less<>> by_kind_;
  std::uint64_t dropped_ = 0;
};

// True for a document that a reader of manifests would take for JSON.
bool is_json_document(std::string_view text, const Limits& limits);

class ArchiveStream : private format::TarHandler, private codec::SideContent {
 public:
  struct Settings {
    BlobConsumer* consumer = nullptr;  // null: only collect members and documents
    const std::unordered_set<std::string>* excluded = nullptr;  // keys that are not offered
    // The file identity of the bytes at an offset of the decoded archive; may be empty.
    std::function<std::string(std::uint64_t)> identity;
    // Whether the file behind the stream changed since it was opened; may be empty.
    std::function<bool()> changed;
  };

  ArchiveStream(Settings settings, const SourceOptions& options);
  ~ArchiveStream() override;

  // The next bytes of the archive, plain or compressed.
  void feed(Bytes bytes);
  // No more bytes; `error` when the stream broke off.
  void finish(const Error* error);

  ImageMembers& members() { return members_; }
  std::vector<Diagnostic> take_diagnostics() { return std::move(diagnostics_); }
  Unaudited& unaudited() { return unaudited_; }
  SideContents& side() { return side_; }
  bool any_member() const { return !members_.all().empty(); }

 private:
  enum class State { none, undecided, document, blob, skipped };

  void decode(Bytes bytes);
  void decide(bool at_end);
  void open_blob(const Member& member);
  void offer_whole(std::size_t index);

  void entry(const format::TarEntry& entry) override;
  void data(Bytes piece) override;
  void hole(std::uint64_t size) override;
  void entry_end() override;
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override;
  void diagnostic(Diagnostic diagnostic) override;

  const Settings settings_;
  const SourceOptions& options_;
  ImageMembers members_;
  std::vector<Diagnostic> diagnostics_;
  Unaudited unaudited_;
  SideContents side_;
  std::string head_;  // of the archive, until its encoding is known
  bool sniffed_ = false;
  std::unique_ptr<codec::Decoder> decoder_;
  std::vector<std::uint8_t> decoded_;
  format::TarReader reader_;

  State state_ = State::none;
  std::size_t index_ = 0;
  std::uint64_t size_ = 0, received_ = 0;
  std::string pending_;  // bytes of a member that is undecided or a document
  std::unique_ptr<BlobWriter> writer_;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace lazaret::source
