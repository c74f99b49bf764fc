// Takedowns outside of the database, so that an older backup of it does not bring back what was taken down since.
//
// A file of lines that only grows: each act with its tombstones, and each undoing. When the server starts, what stands in the file and not in the database is done
// again, and what stands in the database alone is written to the file. Leave the file where it is when a backup comes back.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "gate/gate.h"

namespace lazaret::gate {

class TakedownJournal {
 public:
  explicit TakedownJournal(std::string path) : path_(std::move(path)) {}

  // Of an act that the database has, or has undone. Durable on return.
  Result<void> write(store::MetadataStore& metadata, std::int64_t act);
  // Before requests come. How many acts were done again. A line that cannot be read is an error: somebody has to look.
  Result<std::size_t> restore(Gate& gate);

 private:
  const std::string path_;
};

}  // namespace lazaret::gate
