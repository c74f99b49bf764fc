// From the pieces in which an archive delivers a file to the contents that detectors see.
//
// A file that arrives in one piece is handed on as it is, without a copy; one that crosses pieces is put together in a buffer; one larger
// than `whole_limit` is handed on in windows that overlap, so that what stands across a border is seen whole in one of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/threads.h"

namespace lazaret::audit {

struct FileContent {
  Bytes bytes;
  std::uint64_t offset = 0;    // of `bytes` in the file
  bool first = true, last = true;
  std::shared_ptr<const void> owner;  // keeps `bytes` alive; null when they are valid during the call only
};

class FileAssembler {
 public:
  using Sink = std::function<void(FileContent)>;

  // `budget` (may be null) is charged for buffers for as long as their owners live. It must outlive them. `before_waiting` (may be empty) is
  // called before the budget is asked for a buffer, which may block: whoever waits must let go of what others wait for.
  FileAssembler(std::uint64_t whole_limit, std::uint64_t window, std::uint64_t overlap, ByteBudget* budget, Sink sink,
                std::function<void()> before_waiting = nullptr);

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
  ByteBudget* const budget_;
  const Sink sink_;
  const std::function<void()> before_waiting_;
  std::uint64_t expected_ = 0;
  std::uint64_t offset_ = 0;  // of the buffer's first byte in the file
  bool first_ = true, windowed_ = false;
  Bytes single_;  // the only piece so far, not copied
  std::shared_ptr<const void> single_owner_;
  std::shared_ptr<Buffer> buffer_;
};

}  // namespace lazaret::audit
