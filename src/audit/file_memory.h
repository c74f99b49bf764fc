// Memory for the contents of files that are put together from pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "audit/file_arena.h"
#include "base/bytes.h"

namespace lazaret::audit {

// Bytes that grow at their end.
//
// The kernel zeroes and maps each 4 KiB page that a process touches for the first time, which costs more than copying a file's bytes into it.
// Large buffers come out of an arena, whose pages are there already, or ask for pages of 2 MiB (madvise(2), MADV_HUGEPAGE), so that a file of
// 60 MiB takes 30 faults and not 15,000.
class FileBytes {
 public:
  FileBytes() = default;
  // `arena` (may be null) must outlive the bytes.
  explicit FileBytes(FileArena* arena) : arena_(arena) {}
  FileBytes(FileBytes&& other) noexcept { swap(other); }
  FileBytes& operator=(FileBytes&& other) noexcept {
    FileBytes(std::move(other)).swap(*this);
    return *this;
  }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  Bytes view() const { return {memory_.get(), size_}; }

  // Room for `capacity` bytes in all, without growing on the way.
  void reserve(std::size_t capacity);
  // Grows to twice what is needed when there is no room, but not beyond `most`, which must hold them all.
  void append(Bytes bytes, std::size_t most);

 private:
  struct Free {
    Free() : arena(nullptr) {}
    explicit Free(FileArena* from) : arena(from) {}
    FileArena* arena;
    void operator()(std::uint8_t* memory) const {
      if (arena != nullptr) {
        arena->free(memory);
      } else {
        std::free(memory);
      }
    }
  };
  using Memory = std::unique_ptr<std::uint8_t[], Free>;

  static Memory allocate(std::size_t bytes, FileArena* arena);

  void swap(FileBytes& other) noexcept {
    std::swap(arena_, other.arena_);
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  FileArena* arena_ = nullptr;
  Memory memory_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace lazaret::audit
