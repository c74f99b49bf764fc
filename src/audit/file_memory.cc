#include "audit/file_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace lazaret::audit {
namespace {

constexpr std::size_t huge_page = 2 << 20;
constexpr std::size_t arena_bytes = 64 << 10;  // from here on an arena is asked

}  // namespace

FileBytes::Memory FileBytes::allocate(std::size_t bytes, FileArena* arena) {
  if (arena != nullptr && bytes >= arena_bytes) {
    if (std::uint8_t* const memory = arena->allocate(bytes)) return Memory(memory, Free{arena});
    arena->trim();  // what it holds for nobody makes room for this
  }
  const bool large = bytes >= huge_page;
  void* const memory = large ? std::aligned_alloc(huge_page, (bytes + huge_page - 1) / huge_page * huge_page) : std::malloc(std::max<std::size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  // The last part of a page stays small pages: what is not touched of it takes no memory. A kernel without huge pages refuses, which costs
  // nothing but speed.
  if (large) {
    [[maybe_unused]] const int refused = madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);
  }
  return Memory(static_cast<std::uint8_t*>(memory), Free{});
}

void FileBytes::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  Memory memory = allocate(capacity, arena_);
  if (size_ > 0) std::memcpy(memory.get(), memory_.get(), size_);
  memory_ = std::move(memory);
  capacity_ = capacity;
}

void FileBytes::append(Bytes bytes, std::size_t most) {
  if (bytes.empty()) return;
  const std::size_t needed = size_ + bytes.size();
  assert(needed <= most);
  if (needed > capacity_) reserve(std::min(needed * 2, most));
  std::memcpy(memory_.get() + size_, bytes.data(), bytes.size());
  size_ = needed;
}

}  // namespace lazaret::audit
