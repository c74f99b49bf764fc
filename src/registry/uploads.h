// Blobs on their way in: sessions that belong to one publisher and one repository.
//
// The bytes go to a quarantine file; they are hashed as they arrive, and their audit follows. A session survives the end of the process: its record is in the
// metadata store, its bytes in the blob store, and what was hashed is hashed again.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/digest.h"
#include "gate/gate.h"

namespace lazaret::registry {

class Uploads;

// One session, held by one request at a time.
class UploadLease {
 public:
  UploadLease(const UploadLease&) = delete;
  UploadLease& operator=(const UploadLease&) = delete;
  ~UploadLease();

  const std::string& id() const;
  std::uint64_t size() const;
  Result<void> append(Bytes bytes);
  // The upload becomes the blob `name`. A digest that does not fit is a refusal, after which the session is as it was; so is condemned content, and then the
  // session is gone.
  std::optional<gate::Refusal> finish(const Digest& name);
  // Removes session and bytes.
  void cancel();

 private:
  friend class Uploads;
  struct Session;
  UploadLease(Uploads& owner, std::shared_ptr<Session> session) : owner_(owner), session_(std::move(session)) {}

  Uploads& owner_;
  const std::shared_ptr<Session> session_;
};

// Thread-safe; may block.
class Uploads {
 public:
  explicit Uploads(gate::Gate& gate);
  ~Uploads();

  Result<std::shared_ptr<UploadLease>> begin(const std::string& repository, const std::string& publisher, HashAlgorithm algorithm);
  // ErrorCode::not_found: no such session of that publisher in that repository. ErrorCode::busy: another request has it.
  Result<std::shared_ptr<UploadLease>> resume(const std::string& id, const std::string& repository, const std::string& publisher);
  // Sessions in memory nobody has touched for a while; they can be resumed.
  void forget_idle(store::Time before);
  std::size_t count() const;
  // Whether the session is in memory: somebody writes to it, or did so since the last forget_idle().
  bool open(const std::string& id) const;

 private:
  friend class UploadLease;
  void give_back(const std::shared_ptr<UploadLease::Session>& session);

  gate::Gate& gate_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<UploadLease::Session>> sessions_;
};

}  // namespace lazaret::registry
