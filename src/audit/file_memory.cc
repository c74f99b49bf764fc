#include "audit/file_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace lazaret::audit {
namespace {

constexpr std::size_t huge_page = 2 << 20;

}  // namespace

void* allocate_file_memory(std::size_t bytes) {
  if (bytes < huge_page) {
    void* const memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  const std::size_t rounded = (bytes + huge_page - 1) / huge_page * huge_page;
  void* const memory = std::aligned_alloc(huge_page, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  // The end of the last page is never touched and stays out of memory: it is left to small pages. A kernel without huge pages refuses,
  // which changes nothing but speed.
  const std::size_t whole = bytes / huge_page * huge_page;
  [[maybe_unused]] const int ignored = madvise(memory, whole, MADV_HUGEPAGE);
  return memory;
}

void free_file_memory(void* memory) noexcept { std::free(memory); }

}  // namespace lazaret::audit
