// Unpacked layers of a container engine's store (source/unpacked_layer.h), delivered like other blobs.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/blob_stream.h"
#include "source/delivery.h"
#include "source/unpacked_layer.h"

namespace lazaret::source {

class UnpackedDelivery {
 public:
  // Both must outlive it.
  UnpackedDelivery(BlobConsumer& consumer, const SourceOptions& options)
      : consumer_(consumer), options_(options) {}

  // `open` is called when the layer's turn comes, on any thread.
  void add(BlobOffer offer, std::function<Result<UnpackedLayer>()> open);

  // Once, after all were added. An Error only when cancelled.
  Result<void> deliver();

  // What became of the layer with this key, after deliver(). Null when the consumer did not want it.
  LayerOutcome* outcome(const std::string& key);

 private:
  BlobConsumer& consumer_;
  const SourceOptions& options_;
  std::vector<PendingBlob> blobs_;
  std::mutex mutex_;
  std::map<std::string, LayerOutcome> outcomes_;  // by key
};

}  // namespace lazaret::source
