// How the bytes of an image reach whoever audits them, wherever they come from.
//
// A source (a registry, an archive, a daemon, a push) offers each blob of an image once; the
// consumer takes it or, when it already knows the content, declines, and the source then does not
// read or download it. Bytes are pushed as they arrive, so that a stream that cannot be rewound
// (`docker save`, an upload) needs no temporary copy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace lazaret {

// What is known of a blob before its first byte. All of it is a claim of the image until the bytes
// were hashed.
struct BlobOffer {
  // Names the blob within this image: its digest, or the member's name in an archive. Layers of a
  // manifest refer to it.
  std::string key;
  Digest digest;   // claimed blob digest; empty when the form has none (docker save's old layout)
  Digest diff_id;  // claimed digest of the decoded bytes; empty when not known yet
  std::uint64_t size = 0;  // claimed size in bytes; 0 when unknown
  std::string media_type;  // as declared; "" when the form has none
  // Identity of unchanged local bytes (device, inode, size, change times, offset), empty for all
  // other sources. Equal identities mean equal bytes, so that a layer in a local file need not be
  // hashed again.
  std::string file_identity;
  // True where the place the bytes come from has itself proved the digest (a content-addressed
  // store of a running daemon), so that knowing the digest is enough. Never true for a file that a
  // stranger handed over.
  bool digest_is_proved = false;
};

// Takes the bytes of one blob, in order, from one thread at a time. Destroyed without finish(): the
// blob ended early.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  // Blocks while the consumer is behind. Returns false when no more bytes are wanted; the source
  // may stop reading this blob.
  virtual bool write(Bytes bytes) = 0;
  // The blob is complete.
  virtual void finish() = 0;
  // The blob could not be read to its end; what came is audited and the rest is reported as not
  // audited.
  virtual void fail(const Error& why) = 0;
};

// Thread-safe: a source may deliver several blobs at once.
class BlobConsumer {
 public:
  virtual ~BlobConsumer() = default;
  // Null when the blob is already known and need not be read.
  virtual std::unique_ptr<BlobWriter> begin(const BlobOffer& offer) = 0;
};

}  // namespace lazaret
