// lazaret serve: everything put together in one process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/configuration.h"

namespace lazaret::server {

// Opens the data folder, takes it for this process, and serves until stop() or the end of the object.
class Server {
 public:
  static Result<std::unique_ptr<Server>> start(const Configuration& configuration);
  virtual ~Server() = default;

  virtual std::vector<std::string> addresses() const = 0;
  // Lets running requests end for a while; then everything is written down and closed.
  virtual void stop() = 0;
  // Reads the certificate again.
  virtual Result<void> reload() = 0;
};

// The exclusive right to a data folder; held until the object goes. ErrorCode::busy when another process has it.
class DataLock {
 public:
  virtual ~DataLock() = default;
  static Result<std::unique_ptr<DataLock>> take(const std::string& folder);
};

// `lazaret gc` and `lazaret fsck` on a data folder that no server uses. Return the text to print; fsck's problems are an error.
Result<std::string> collect_offline(const Configuration& configuration);
struct FsckResult {
  std::string text;
  bool sound = false;
};
Result<FsckResult> fsck_offline(const Configuration& configuration, bool content);

}  // namespace lazaret::server
