// A blob's bytes, as they arrive, become a LayerAudit.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "audit/file_arena.h"
#include "audit/layer_audit.h"
#include "audit/ruleset.h"
#include "base/blob_stream.h"
#include "base/limits.h"
#include "base/threads.h"

namespace lazaret::audit {

// What all layers of all audits of one process share. Must outlive every LayerAuditor made with it.
struct AuditMachine {
  AuditMachine(std::size_t jobs, const Limits& limits_in)
      : limits(limits_in), chunks(chunk_bytes, 20), buffers(limits_in.buffer_bytes), arena(limits_in.buffer_bytes), workers(jobs) {}

  static constexpr std::size_t chunk_bytes = 1 << 20;

  const Limits limits;
  BufferPool chunks;   // decoded bytes on their way from the decoder to the workers
  ByteBudget buffers;  // files put together from several chunks
  FileArena arena;     // their memory
  std::atomic<std::uint64_t> decoded_bytes{0}, files{0};  // for progress
  WorkerPool workers;  // last: its threads use what stands above
};

// The pipeline of one blob:
//
//   caller        write(): sha256 of the blob, decode into 1 MiB chunks
//   splitter      sha256 of the decoded bytes (diff_id) and of the files in them, tar, files put together; one thread for each blob
//   workers       each file: patterns, detectors, nested content; shared by all blobs
//
// The three overlap, and each step reads the bytes while the one before is still warm in the cache. The results come together in the order
// of the files, so that they do not depend on which worker was faster.
class LayerAuditor final : public BlobWriter {
 public:
  using Done = std::function<void(LayerAudit)>;

  // `done` is called once, on the thread that calls finish() or fail(), or destroys the auditor early.
  LayerAuditor(std::shared_ptr<const Ruleset> ruleset, AuditMachine& machine, BlobOffer offer, Done done);
  ~LayerAuditor() override;

  bool write(Bytes bytes) override;
  void finish() override;
  void fail(const Error& why) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazaret::audit
