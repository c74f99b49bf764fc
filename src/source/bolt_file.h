// A bbolt database (format/bolt.h) that another program holds open and writes to: containerd's, and
// Podman's. It is neither locked nor written here: the file is copied, and the copy counts when no
// transaction ended meanwhile.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "format/bolt.h"
#include "source/source.h"

namespace lazaret::source {

struct BoltFile {
  explicit BoltFile(std::string content) : bytes(std::move(content)), bolt(as_bytes(bytes)) {}

  // The file `path` below the folder `root`, up to options.limits.store_database_bytes. ErrorCode::busy
  // when it changes faster than it can be read.
  static Result<std::unique_ptr<BoltFile>> read(int root, const std::string& path,
                                                const SourceOptions& options);

  const std::string bytes;
  format::BoltDatabase bolt;
};

}  // namespace lazaret::source
