// Requests to one repository of one registry: authentication, retries, resumed downloads.
//
// A registry is spoken to over TLS. One that the user listed as insecure may speak plain http: that
// is found out once, by a request without credentials, and only by an answer that is no TLS; a lost
// connection is no reason to say a password in the clear.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/blob_stream.h"
#include "base/result.h"
#include "format/image.h"
#include "source/credentials.h"
#include "source/reference.h"
#include "source/source.h"

namespace lazaret::source {

// How often something is asked for, and how long in between: the pause doubles each time, unless
// the registry says how long it wants (Retry-After). One that wants more than `longest_pause` is
// given up.
struct RetryPolicy {
  int tries = 6;
  std::chrono::milliseconds first_pause{1000};
  std::chrono::milliseconds longest_pause{30000};
};

// Thread-safe.
class RegistryClient {
 public:
  RegistryClient(ImageName image, const SourceOptions& options, Credentials credentials,
                 RetryPolicy retry = {});
  ~RegistryClient();

  struct Document {
    std::string body, media_type;
    Digest digest;  // as the registry says; empty when it does not
  };
  // A manifest or index by tag or digest.
  Result<Document> manifest(const std::string& reference, std::uint64_t max_bytes);
  // A small blob, whole.
  Result<std::string> small_blob(const Digest& digest, std::uint64_t max_bytes);
  // A blob as a stream. A broken connection is resumed where it broke. Whether the bytes are those
  // of the digest is for whoever takes them to see.
  Result<void> stream_blob(const format::Descriptor& descriptor, BlobWriter& writer);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazaret::source
