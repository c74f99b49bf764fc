#include "audit/file_assembler.h"

#include <algorithm>

#include "audit/file_memory.h"

namespace lazaret::audit {
namespace {

constexpr std::uint64_t small_buffer = 64 << 10;

}  // namespace

struct FileAssembler::Buffer {
  // The budget has been asked already.
  Buffer(std::uint64_t capacity, std::uint64_t reserve, const FileMemory& memory) : bytes(memory.arena), charged(capacity), budget(memory.budget) {
    bytes.reserve(static_cast<std::size_t>(reserve));
  }
  ~Buffer() {
    bytes = {};  // the memory is free before the budget says so
    if (budget != nullptr) budget->give(charged);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  FileBytes bytes;
  const std::uint64_t charged;
  ByteBudget* const budget;
};

FileAssembler::FileAssembler(std::uint64_t whole_limit, std::uint64_t window, std::uint64_t overlap, FileMemory memory, Sink sink)
    : whole_limit_(whole_limit), window_(window), overlap_(overlap), memory_(memory), sink_(std::move(sink)) {}

void FileAssembler::begin(std::uint64_t size) {
  expected_ = size;
  offset_ = 0;
  first_ = true;
  windowed_ = false;
  single_ = {};
  single_owner_.reset();
  buffer_.reset();
}

void FileAssembler::start_buffer(std::uint64_t capacity, std::uint64_t reserve) {
  if (memory_.budget != nullptr && !memory_.budget->try_take(capacity)) {
    if (before_waiting_) before_waiting_();
    memory_.budget->take(capacity);
  }
  buffer_ = std::make_shared<Buffer>(capacity, reserve, memory_);
}

void FileAssembler::add(Bytes piece, const std::shared_ptr<const void>& owner) {
  if (piece.empty()) return;
  if (buffer_ == nullptr && single_.empty() && owner != nullptr && piece.size() == expected_ &&
      piece.size() <= whole_limit_) {
    single_ = piece;
    single_owner_ = owner;
    return;
  }
  if (buffer_ == nullptr) {
    // A known size gets a buffer of that size; an unknown one starts small.
    windowed_ = expected_ != ~0ull && expected_ > whole_limit_;
    const std::uint64_t capacity = windowed_ ? window_ : std::min<std::uint64_t>(expected_ == ~0ull ? small_buffer : expected_, whole_limit_);
    start_buffer(capacity, capacity);
    if (!single_.empty()) {
      append(single_);
      single_ = {};
      single_owner_.reset();
    }
  }
  append(piece);
}

void FileAssembler::append(Bytes piece) {
  while (!piece.empty()) {
    const std::uint64_t capacity = buffer_->charged;
    std::uint64_t room = capacity - buffer_->bytes.size();
    if (room == 0 && !windowed_) {
      if (capacity < whole_limit_) {
        // Larger than expected. All that it may need is asked for at once, and nothing is held meanwhile: several blobs that moved up in
        // steps, each holding what the others wait for, would wait for ever.
        FileBytes bytes = std::move(buffer_->bytes);
        buffer_.reset();
        start_buffer(whole_limit_, 0);
        buffer_->bytes = std::move(bytes);
        continue;
      }
      windowed_ = true;
    }
    if (room == 0) {
      emit_window(false);
      room = buffer_->charged - buffer_->bytes.size();
    }
    const auto part = piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, piece.size())));
    buffer_->bytes.append(part, static_cast<std::size_t>(buffer_->charged));
    if (when_copied_) when_copied_(part);
    piece = piece.subspan(part.size());
  }
}

void FileAssembler::emit_window(bool last) {
  std::shared_ptr<Buffer> full = std::move(buffer_);
  std::vector<std::uint8_t> tail;
  if (!last) {
    const std::size_t keep = static_cast<std::size_t>(std::min<std::uint64_t>(overlap_, full->bytes.size() / 2));
    const Bytes end = full->bytes.view().last(keep);
    tail.assign(end.begin(), end.end());
  }
  const std::uint64_t size = full->bytes.size();
  const Bytes bytes = full->bytes.view();
  // Given away before the next buffer is asked for: whoever waits for the budget must not hold a part of it.
  sink_({bytes, offset_, first_, last, std::move(full), true, {}});
  first_ = false;
  if (last) return;
  offset_ += size - tail.size();
  start_buffer(window_, window_);
  buffer_->bytes.append(tail, static_cast<std::size_t>(buffer_->charged));
}

// A sparse entry of a few bytes may claim a hole of exabytes: what lies beyond a window's worth of zeros has nothing to find in it.
void FileAssembler::add_zeros(std::uint64_t size) {
  size = std::min<std::uint64_t>(size, window_ + overlap_);
  static constexpr std::uint8_t zeros[64 << 10] = {};
  while (size > 0) {
    const std::uint64_t part = std::min<std::uint64_t>(size, sizeof zeros);
    add(Bytes(zeros, static_cast<std::size_t>(part)), nullptr);
    size -= part;
  }
}

void FileAssembler::end() {
  if (buffer_ != nullptr) {
    emit_window(true);
  } else {
    sink_({single_, 0, true, true, single_owner_});
  }
  single_ = {};
  single_owner_.reset();
  buffer_.reset();
}

}  // namespace lazaret::audit
