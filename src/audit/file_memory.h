// Memory for the contents of files that are put together from pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lazaret::audit {

// The kernel zeroes and maps each 4 KiB page that a process touches for the first time, which costs more than copying a file's bytes into it.
// Large buffers ask for pages of 2 MiB instead (madvise(2), MADV_HUGEPAGE), so that a file of 60 MiB takes 30 faults and not 15,000.
void* allocate_file_memory(std::size_t bytes);
void free_file_memory(void* memory) noexcept;

// An allocator over the two (C++20 [allocator.requirements]).
template <typename T>
struct FileMemory {
  using value_type = T;

  FileMemory() = default;
  template <typename U>
  FileMemory(const FileMemory<U>&) {}

  T* allocate(std::size_t count) { return static_cast<T*>(allocate_file_memory(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) noexcept { free_file_memory(memory); }
  bool operator==(const FileMemory&) const { return true; }
};

using FileBytes = std::vector<std::uint8_t, FileMemory<std::uint8_t>>;

}  // namespace lazaret::audit
