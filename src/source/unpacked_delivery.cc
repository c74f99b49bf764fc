#include "source/unpacked_delivery.h"

namespace lazaret::source {

void UnpackedDelivery::add(BlobOffer offer, std::function<Result<UnpackedLayer>()> open) {
  PendingBlob blob;
  blob.offer = std::move(offer);
  blob.push = [this, key = blob.offer.key,
               open = std::move(open)](BlobWriter& writer) -> Result<void> {
    const auto unpacked = open();
    LayerOutcome outcome;
    Result<void> result;
    if (!unpacked) {
      outcome.changed = unpacked.error().message;
      result = unpacked.error();
    } else if (auto written = write_unpacked_layer(*unpacked, options_, writer)) {
      outcome = std::move(*written);
    } else {
      outcome.changed = written.error().message;
      result = written.error();
    }
    const std::lock_guard lock(mutex_);
    outcomes_[key] = std::move(outcome);
    return result;
  };
  blobs_.push_back(std::move(blob));
}

Result<void> UnpackedDelivery::deliver() {
  announce(blobs_, options_);
  return deliver_blobs(blobs_, consumer_, options_);
}

LayerOutcome* UnpackedDelivery::outcome(const std::string& key) {
  const auto found = outcomes_.find(key);
  return found == outcomes_.end() ? nullptr : &found->second;
}

}  // namespace lazaret::source
