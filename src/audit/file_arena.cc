#include "audit/file_arena.h"

#include <sys/mman.h>

#include <cassert>
#include <iterator>

namespace lazaret::audit {
namespace {

constexpr std::size_t page = 4096, huge_page = 2 << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

// AddressSanitizer watches the borders of what malloc gives, and of nothing else.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool watched = true;
#else
constexpr bool watched = false;
#endif

}  // namespace

FileArena::FileArena(std::size_t bytes) : size_(watched ? 0 : round_up(bytes, huge_page)) {
  if (size_ > 0) free_[0] = size_;
}

FileArena::~FileArena() {
  assert(used_.empty());
  if (mapping_ != nullptr) munmap(mapping_, mapping_size_);
}

std::uint8_t* FileArena::allocate(std::size_t bytes) {
  if (bytes == 0 || bytes > size_) return nullptr;
  bytes = round_up(bytes, page);
  const std::lock_guard lock(mutex_);
  if (mapping_ == nullptr) {
    void* const mapping = mmap(nullptr, size_ + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return nullptr;
    mapping_ = mapping;
    mapping_size_ = size_ + huge_page;
    base_ = reinterpret_cast<std::uint8_t*>(round_up(reinterpret_cast<std::uintptr_t>(mapping), huge_page));
    // A kernel without huge pages refuses, which costs nothing but speed.
    [[maybe_unused]] const int refused = madvise(base_, size_, MADV_HUGEPAGE);
  }
  const auto take = [&](std::map<std::size_t, std::size_t>::iterator range, bool from_front) {
    const auto [begin, size] = *range;
    const std::size_t rest = size - bytes, offset = from_front ? begin : begin + rest;
    free_.erase(range);
    if (rest > 0) free_[from_front ? begin + bytes : begin] = rest;
    used_[offset] = bytes;
    touched_ = true;
    return base_ + offset;
  };
  if (bytes >= huge_page) {
    for (auto range = free_.begin(); range != free_.end(); ++range) {
      if (range->second >= bytes) return take(range, true);
    }
  } else {
    for (auto range = free_.end(); range != free_.begin();) {
      if ((--range)->second >= bytes) return take(range, false);
    }
  }
  return nullptr;
}

void FileArena::free(std::uint8_t* memory) {
  const std::lock_guard lock(mutex_);
  const auto place = used_.find(static_cast<std::size_t>(memory - base_));
  assert(place != used_.end());
  std::size_t offset = place->first, size = place->second;
  const std::size_t end = offset + size;
  used_.erase(place);
  const auto next = free_.lower_bound(offset);
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      size += before->second;
      free_.erase(before);
    }
  }
  if (next != free_.end() && next->first == end) {
    size += next->second;
    free_.erase(next);
  }
  free_[offset] = size;
}

void FileArena::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void FileArena::trim_idle() {
  const std::lock_guard lock(mutex_);
  if (used_.empty()) trim_locked();
}

void FileArena::trim_locked() {
  if (!touched_ || base_ == nullptr) return;
  for (const auto& [offset, size] : free_) {
    [[maybe_unused]] const int refused = madvise(base_ + offset, size, MADV_DONTNEED);
  }
  touched_ = !used_.empty();
}

std::size_t FileArena::used() const {
  const std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const auto& [offset, size] : used_) sum += size;
  return sum;
}

}  // namespace lazaret::audit
