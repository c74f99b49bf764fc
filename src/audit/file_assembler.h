// From the pieces in which an archive delivers a file to the contents that detectors see.
//
// A file that arrives in one piece is handed on as it is, without a copy; one that crosses pieces is put together in a buffer; one larger
// than `whole_limit` is handed on in windows that overlap, so that what stands across a border is seen whole in one of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "audit/file_arena.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/threads.h"

namespace lazaret::audit {

struct FileContent {
  Bytes bytes;
  std::uint64_t offset = 0;    // of `bytes` in the file
  bool first = true, last = true;
  std::shared_ptr<const void> owner;  // keeps `bytes` alive; null when they are valid during the call only
  bool copied = false;                // out of the pieces, into a buffer
  Digest sha256{};                    // of the file, when it is whole and this is known already
};

// What the assemblers of a machine share. All members may be null.
struct FileMemory {
  ByteBudget* budget = nullptr;  // charged for buffers for as long as their owners live
  FileArena* arena = nullptr;    // where large buffers come from
};

class FileAssembler {
 public:
  using Sink = std::function<void(FileContent)>;

  // What `memory` points to must outlive the buffers' owners.
  FileAssembler(std::uint64_t whole_limit, std::uint64_t window, std::uint64_t overlap, FileMemory memory, Sink sink);

  // Called before the budget makes the caller wait: whoever waits must let go of what others wait for.
  void before_waiting(std::function<void()> what) { before_waiting_ = std::move(what); }
  // Called with the bytes of a file that are copied, each once and in their order.
  void when_copied(std::function<void(Bytes)> what) { when_copied_ = std::move(what); }

  // `size`: expected size, ~0 when unknown. Only a hint.
  void begin(std::uint64_t size);
  void add(Bytes piece, const std::shared_ptr<const void>& owner);
  void add_zeros(std::uint64_t size);
  void end();

 private:
  struct Buffer;
  void start_buffer(std::uint64_t capacity, std::uint64_t reserve);
  void append(Bytes piece);
  void emit_window(bool last);

  const std::uint64_t whole_limit_, window_, overlap_;
  const FileMemory memory_;
  const Sink sink_;
  std::function<void()> before_waiting_;
  std::function<void(Bytes)> when_copied_;
  std::uint64_t expected_ = 0;
  std::uint64_t offset_ = 0;  // of the buffer's first byte in the file
  bool first_ = true, windowed_ = false;
  Bytes single_;  // the only piece so far, not copied
  std::shared_ptr<const void> single_owner_;
  std::shared_ptr<Buffer> buffer_;
};

}  // namespace lazaret::audit
