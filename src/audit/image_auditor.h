// All blobs of an image -> its report.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "audit/cache.h"
#include "audit/layer_auditor.h"
#include "audit/policy.h"
#include "audit/publisher_files.h"
#include "audit/report.h"
#include "base/blob_stream.h"
#include "format/image.h"

namespace lazaret::audit {

// A blob as it was offered and as it is.
struct AuditedBlob {
  BlobOffer offer;
  LayerAudit audit;
};

// Give it to a source as the consumer of its blobs, then call finish() with what the source says the image is.
class ImageAuditor final : public BlobConsumer {
 public:
  // `cache` may be null. All must outlive it.
  ImageAuditor(std::shared_ptr<const Ruleset> ruleset, AuditMachine& machine, const Policy& policy, Cache* cache);

  std::unique_ptr<BlobWriter> begin(const BlobOffer& offer) override;

  // Once, after the source has delivered everything.
  Report finish(const format::ImageDescription& image);

  // The layers of one manifest, lowest first, as they were audited; without those that could not be read. Valid as long as this is.
  std::vector<const LayerAudit*> layers_of(const format::ManifestDescription& manifest) const;

  // Asks finish() to list what the publisher brought along.
  void want_publisher_files() { wants_publisher_files_ = true; }
  // By the digest of the blob of their layer; a layer that several manifests share may have a file more than once.
  const std::map<Digest, std::vector<PublisherFile>>& files_of_publisher() const { return publisher_files_; }

  // Blobs whose audit came from the cache.
  std::size_t cached_blobs() const { return cached_; }

 private:
  const std::shared_ptr<const Ruleset> ruleset_;
  AuditMachine& machine_;
  const Policy& policy_;
  Cache* const cache_;
  std::mutex mutex_;
  std::map<std::string, AuditedBlob> blobs_;  // by BlobOffer::key
  std::size_t cached_ = 0;
  bool wants_publisher_files_ = false;
  std::map<Digest, std::vector<PublisherFile>> publisher_files_;
};

}  // namespace lazaret::audit
