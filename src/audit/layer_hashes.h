// The hashes that are made while a layer goes by: of its decoded bytes (diff_id), and of each file in it.
//
// Both go over the same bytes at about the same time, so they advance together, which costs little more than one of them (base/sha256_stream.h).
#pragma once

#include <algorithm>

#include "base/sha256_stream.h"

namespace lazaret::audit {

class LayerHashes {
 public:
  // The next of the layer's bytes, which must stay until end_chunk().
  void begin_chunk(Bytes chunk) { left_ = chunk; }
  void end_chunk() {
    layer_.update(left_);
    left_ = {};
  }
  Digest finish_layer() { return layer_.finish(); }

  // A file whose pieces come one by one; one at a time.
  void add_to_file(Bytes piece) { add(file_, piece); }
  Digest finish_file() { return file_.finish(); }

  // A file that is there as a whole. May come between the pieces of the other.
  Digest hash_file(Bytes content) {
    add(whole_file_, content);
    return whole_file_.finish();
  }

 private:
  void add(Sha256Stream& file, Bytes piece) {
    // Whole blocks of the layer, so that none has to wait for its end.
    const Bytes beside = left_.first(std::min(left_.size(), (piece.size() + 63) / 64 * 64));
    Sha256Stream::update_both(layer_, beside, file, piece);
    left_ = left_.subspan(beside.size());
  }

  Sha256Stream layer_, file_, whole_file_;
  Bytes left_;  // of the chunk
};

}  // namespace lazaret::audit
