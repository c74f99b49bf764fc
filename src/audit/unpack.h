// What is inside a container: its members, and the bytes that are in it without being a member.
//
// Containers whose form is a stream (compressed files, tar, ar) are unpacked as the bytes arrive, with constant memory; the others (zip, cpio,
// rpm) from a whole buffer. A compressed stream holds either a tar, whose members are delivered, or one file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "audit/file_assembler.h"
#include "base/bytes.h"
#include "base/diagnostic.h"
#include "base/limits.h"
#include "format/file_kind.h"

namespace lazaret::audit {

class UnpackHandler {
 public:
  virtual ~UnpackHandler() = default;
  // A member or one window of it. `path` is as the container has it; `size` is that of the whole member, ~0 when not known.
  virtual void member(const std::string& path, std::uint32_t mode, std::uint64_t size, const FileContent& content) = 0;
  // Bytes that belong to no member: trailing data, padding that is not zero, a comment. Pieces of at most 1 MiB.
  virtual void side_content(std::string_view what, std::uint64_t offset, Bytes bytes) = 0;
  // With `unaudited` set, a part could not be looked at.
  virtual void diagnostic(const Diagnostic& diagnostic) = 0;
};

// Limits of one container.
struct UnpackLimits {
  std::uint64_t bytes_out = 0;     // decoded bytes in all
  std::uint64_t ratio = 0, ratio_grace = 0;
  std::uint64_t whole_file = 0;    // members up to this size are delivered whole
  const Limits* limits = nullptr;  // the rest
};

class StreamUnpacker {
 public:
  virtual ~StreamUnpacker() = default;
  virtual void feed(Bytes bytes) = 0;
  virtual void finish() = 0;
};

// For gzip, zstd, xz, lzma, bzip2, tar and ar. `name`: of the container without its folder; names a compressed single file ("a.sh.gz" -> "a.sh").
std::unique_ptr<StreamUnpacker> open_unpacker(format::FileKind kind, std::string_view name, const UnpackLimits& limits,
                                              UnpackHandler& handler);

// Unpacks a container held whole. False when `kind` is not a container that can be unpacked.
bool unpack(format::FileKind kind, std::string_view name, Bytes content, const UnpackLimits& limits, UnpackHandler& handler);

// gzip, zstd, xz, lzma, bzip2, tar, ar.
bool is_stream_container(format::FileKind kind);
// Those, and zip, cpio, rpm.
bool is_container(format::FileKind kind);
// Forms that hold files which lazaret cannot unpack: 7z, rar, cab, iso, squashfs.
bool is_closed_container(format::FileKind kind);

}  // namespace lazaret::audit
