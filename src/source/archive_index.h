// The members of an uncompressed image archive on disk, found by reading its headers only.
//
// A tar file has no table of contents, but each header tells how much content follows. The one tar
// reader of lazaret is made for streams; so that there is no second one that could see other
// members, the same reader runs here, and gets zeros, which cost nothing, in place of contents.
#pragma once

#include "format/tar.h"
#include "source/archive_stream.h"
#include "source/delivery.h"
#include "source/image_members.h"
#include "source/local_file.h"

namespace lazaret::source {

class ArchiveIndex : private format::TarHandler {
 public:
  // `file` must be seekable and outlive this.
  ArchiveIndex(const LocalFile& file, const SourceOptions& options);

  // Reads all headers, and keeps small JSON members as documents.
  Result<void> read();

  ImageMembers& members() { return members_; }
  std::vector<Diagnostic> take_diagnostics() { return std::move(diagnostics_); }
  Unaudited& unaudited() { return unaudited_; }
  SideContents& side() { return side_; }

  // Writes the content of a file member to the writer.
  Result<void> push(const Member& member, BlobWriter& writer) const;

 private:
  Result<void> keep_documents();

  void entry(const format::TarEntry& entry) override;
  void data(Bytes piece) override;
  void hole(std::uint64_t size) override;
  void entry_end() override;
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override;
  void diagnostic(Diagnostic diagnostic) override;

  const LocalFile& file_;
  const SourceOptions& options_;
  ImageMembers members_;
  std::vector<Diagnostic> diagnostics_;
  Unaudited unaudited_;
  SideContents side_;

  std::uint64_t position_ = 0;         // in the file, of the bytes being fed
  const std::uint8_t* fed_ = nullptr;  // those bytes
  std::optional<std::size_t> index_;   // of the member that content belongs to
  bool located_ = false;               // the first bytes of its content have come
  bool skippable_ = false;             // and the rest may be replaced by zeros
  std::uint64_t left_ = 0;             // content still to come
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace lazaret::source
