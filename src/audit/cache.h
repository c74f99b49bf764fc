// Audits of layers, kept from one run to the next.
//
// A layer's audit depends on nothing but its bytes, the ruleset and the limits, so it is stored under (blob digest, ruleset, limits): the
// digest of the encoded bytes and not the diff_id, since the encoding itself can hide things (a second gzip member, a skippable
// frame) that another encoding of the same content does not have. What a claimed name is worth is another matter: an archive may name a clean layer and hold another one. An audit is therefore only reused when
// the digest of the very bytes is known: because a local file is unchanged since we hashed it (device, inode, size, change
// times), or because the name is what every client verifies while it downloads (a registry's blob digest).
//
// SQLite in the XDG cache folder; several processes may use it at once. A damaged or foreign file is moved aside and started anew, with a
// warning; an unusable folder means no cache, never a failed audit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "audit/layer_audit.h"
#include "base/blob_stream.h"
#include "base/limits.h"
#include "base/result.h"

namespace lazaret::audit {

// $XDG_CACHE_HOME/lazaret, else ~/.cache/lazaret; "" when neither is set.
std::string default_cache_folder();

// Thread-safe.
class Cache {
 public:
  // `ruleset`: Ruleset::digest(). `max_bytes`: the oldest entries go when it is larger. `warning` is set when a damaged cache was replaced.
  static Result<std::unique_ptr<Cache>> open(const std::string& folder, const std::string& ruleset, const Limits& limits,
                                             std::uint64_t max_bytes, std::string* warning);
  ~Cache();

  // The audit of the bytes that `offer` names, when their identity is proved as said above.
  std::optional<LayerAudit> find(const BlobOffer& offer);
  // Remembers a complete audit. Failures are ignored: the next run audits again.
  void store(const BlobOffer& offer, const LayerAudit& audit);

 private:
  class Impl;
  explicit Cache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazaret::audit
