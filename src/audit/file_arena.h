// A fixed piece of memory from which the contents of large files are served, one after the other in the same pages.
//
// The kernel clears every page that it gives to a process, which costs as much as hashing it. An image has gigabytes of large files, and only a few
// of them are in memory at a time: the same pages serve all of them, and what was used last is likely still in the processor's cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace lazaret::audit {

// Thread-safe. Takes no memory before it is used first, and never more than `bytes`.
class FileArena {
 public:
  explicit FileArena(std::size_t bytes);
  ~FileArena();  // nothing of it may be in use
  FileArena(const FileArena&) = delete;
  FileArena& operator=(const FileArena&) = delete;

  // A place that is large enough: the lowest for large pieces, the highest for small ones, so that they do not stand in each other's way. Null when
  // there is none. The content is what the last user left.
  std::uint8_t* allocate(std::size_t bytes);
  void free(std::uint8_t* memory);
  // Gives the memory of everything that is not in use back to the kernel.
  void trim();
  // The same when nothing is in use.
  void trim_idle();

  std::size_t used() const;

 private:
  void trim_locked();

  const std::size_t size_;
  mutable std::mutex mutex_;
  void* mapping_ = nullptr;
  std::size_t mapping_size_ = 0;
  std::uint8_t* base_ = nullptr;
  std::map<std::size_t, std::size_t> free_, used_;  // offset to size
  bool touched_ = false;                            // since the last trim()
};

}  // namespace lazaret::audit
