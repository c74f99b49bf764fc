// Audits of blobs: while they are uploaded, so that the verdict is there with the last byte, and from the store where that did not happen.
//
// An upload's audit reads the quarantine file behind the writer (the bytes are in the page cache), on a thread of its own: a slow audit does not
// slow the client, nothing is kept in memory twice, and an upload that stands still gives its thread to others and is audited when it is complete.
// Audits go into the cache; whoever needs one takes it from there.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "audit/cache.h"
#include "audit/layer_auditor.h"
#include "audit/ruleset.h"
#include "store/blob_store.h"

namespace lazaret::gate {

class BlobAudits;

// The audit that follows one upload. Thread-safe.
class UploadAudit {
 public:
  // Bytes were appended.
  void grown();
  // All bytes are there, and this is their sha256. Before the upload becomes a blob.
  void complete(const Digest& digest);
  // The upload is no more.
  void abandon();

 private:
  friend class BlobAudits;
  UploadAudit(BlobAudits& owner, std::shared_ptr<const store::BlobUpload> upload) : owner_(owner), upload_(std::move(upload)) {}

  BlobAudits& owner_;
  const std::shared_ptr<const store::BlobUpload> upload_;
  // guarded by the owner's mutex
  bool queued_ = false, running_ = false, complete_ = false, abandoned_ = false;
  Digest digest_;
  std::weak_ptr<UploadAudit> self_;
};

class BlobAudits {
 public:
  // All must outlive it. `threads`: uploads that are followed at one time.
  BlobAudits(std::shared_ptr<const audit::Ruleset> ruleset, audit::AuditMachine& machine, audit::Cache& cache, unsigned threads);
  ~BlobAudits();

  std::shared_ptr<UploadAudit> follow(std::shared_ptr<const store::BlobUpload> upload);

  // Holds the audit of a blob for its owner, so that no two do the same. Waits for an upload's audit that is under way.
  class Turn {
   public:
    Turn(BlobAudits& audits, const Digest& digest);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    BlobAudits& audits_;
    const Digest digest_;
  };

 private:
  friend class UploadAudit;
  void work();
  void follow_to_end(const std::shared_ptr<UploadAudit>& upload);
  void enqueue(const std::shared_ptr<UploadAudit>& upload);  // with the mutex held
  void leave(const Digest& digest);

  const std::shared_ptr<const audit::Ruleset> ruleset_;
  audit::AuditMachine& machine_;
  audit::Cache& cache_;
  std::mutex mutex_;
  std::condition_variable wake_;   // the queue, bytes, ends
  std::condition_variable turns_;  // a digest became free
  std::deque<std::shared_ptr<UploadAudit>> queue_;
  std::set<Digest> busy_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lazaret::gate
