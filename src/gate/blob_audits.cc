#include "gate/blob_audits.h"

#include <chrono>
#include <optional>

namespace lazaret::gate {
namespace {

// Smaller blobs (configs, signatures) are audited when their manifest comes: starting a pipeline for each would cost more than it saves.
constexpr std::uint64_t follow_from = 256 << 10;
constexpr std::size_t read_bytes = 1 << 20;
constexpr std::chrono::seconds patience{2};

}  // namespace

void UploadAudit::grown() {
  const std::uint64_t size = upload_->size();
  const std::lock_guard lock(owner_.mutex_);
  if (running_) {
    owner_.wake_.notify_all();
  } else if (!queued_ && size >= follow_from) {
    owner_.enqueue(self_.lock());
  }
}

void UploadAudit::complete(const Digest& digest) {
  const std::uint64_t size = upload_->size();
  const std::lock_guard lock(owner_.mutex_);
  // Somebody audits the same content already, or it is small: then this one is not needed.
  if ((!running_ && size < follow_from) || !owner_.busy_.insert(digest).second) {
    abandoned_ = true;
  } else {
    complete_ = true;
    digest_ = digest;
    if (!running_ && !queued_) owner_.enqueue(self_.lock());
  }
  owner_.wake_.notify_all();
}

void UploadAudit::abandon() {
  const std::lock_guard lock(owner_.mutex_);
  if (complete_) return;
  abandoned_ = true;
  owner_.wake_.notify_all();
}

BlobAudits::BlobAudits(std::shared_ptr<const audit::Ruleset> ruleset, audit::AuditMachine& machine, audit::Cache& cache, unsigned threads)
    : ruleset_(std::move(ruleset)), machine_(machine), cache_(cache) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

BlobAudits::~BlobAudits() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    turns_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::shared_ptr<UploadAudit> BlobAudits::follow(std::shared_ptr<const store::BlobUpload> upload) {
  std::shared_ptr<UploadAudit> audit(new UploadAudit(*this, std::move(upload)));
  audit->self_ = audit;
  return audit;
}

void BlobAudits::enqueue(const std::shared_ptr<UploadAudit>& upload) {
  if (upload == nullptr) return;
  upload->queued_ = true;
  queue_.push_back(upload);
  wake_.notify_all();
}

void BlobAudits::leave(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  busy_.erase(digest);
  turns_.notify_all();
}

void BlobAudits::work() {
  for (;;) {
    std::shared_ptr<UploadAudit> next;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      next = std::move(queue_.front());
      queue_.pop_front();
      next->queued_ = false;
      if (next->abandoned_) continue;
      next->running_ = true;
    }
    follow_to_end(next);
  }
}

void BlobAudits::follow_to_end(const std::shared_ptr<UploadAudit>& upload) {
  std::optional<audit::LayerAudit> result;
  Digest digest;
  {
    audit::LayerAuditor auditor(ruleset_, machine_, BlobOffer{}, [&](audit::LayerAudit audit) { result = std::move(audit); });
    std::vector<std::uint8_t> buffer(read_bytes);
    std::uint64_t offset = 0;
    bool whole = false;
    for (;;) {
      const auto got = upload->upload_->read(offset, buffer);
      if (!got) break;
      if (*got > 0) {
        auditor.write({buffer.data(), *got});
        offset += *got;
      }
      std::unique_lock lock(mutex_);
      if (upload->abandoned_ || stopping_) break;
      if (upload->upload_->size() > offset) continue;
      if (upload->complete_) {
        whole = true;
        break;
      }
      const auto news = [&] { return upload->abandoned_ || upload->complete_ || stopping_ || upload->upload_->size() > offset; };
      if (!wake_.wait_for(lock, patience, news) && !queue_.empty()) {
        // It stands still while others wait: it begins anew when it is complete.
        break;
      }
    }
    if (whole) {
      auditor.finish();
    } else {
      auditor.fail({ErrorCode::cancelled, "the upload was not followed to its end"});
    }
    std::unique_lock lock(mutex_);
    upload->running_ = false;
    digest = upload->digest_;
    if (!whole) {
      result.reset();
      // Completed in the meantime: somebody may wait for it, and audits it from the store.
      if (!upload->complete_) return;
    }
  }
  // Only what was hashed here is remembered under a digest.
  if (result && result->blob_digest == digest) {
    BlobOffer offer;
    offer.key = digest.str();
    offer.digest = digest;
    offer.digest_is_proved = true;
    cache_.store(offer, *result);
  }
  leave(digest);
}

BlobAudits::Turn::Turn(BlobAudits& audits, const Digest& digest) : audits_(audits), digest_(digest) {
  std::unique_lock lock(audits_.mutex_);
  audits_.turns_.wait(lock, [&] { return audits_.stopping_ || audits_.busy_.insert(digest_).second; });
}

BlobAudits::Turn::~Turn() { audits_.leave(digest_); }

}  // namespace lazaret::gate
