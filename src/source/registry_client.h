// Requests to one repository of one registry: authentication, retries, resumed downloads.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/blob_stream.h"
#include "base/result.h"
#include "format/image.h"
#include "source/credentials.h"
#include "source/reference.h"
#include "source/source.h"

namespace lazaret::source {

// Thread-safe.
class RegistryClient {
 public:
  RegistryClient(ImageName image, const SourceOptions& options, Credentials credentials);
  ~RegistryClient();

  struct Document {
    std::string body, media_type;
    Digest digest;  // as the registry says; empty when it does not
  };
  // A manifest or index by tag or digest.
  Result<Document> manifest(const std::string& reference, std::uint64_t max_bytes);
  // A small blob, whole.
  Result<std::string> small_blob(const Digest& digest, std::uint64_t max_bytes);
  // A blob as a stream. A broken connection is resumed where it broke.
  Result<void> stream_blob(const format::Descriptor& descriptor, BlobWriter& writer);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What a WWW-Authenticate header asks for (RFC 7235; registry-auth-token.md).
struct Challenge {
  std::string scheme;  // "bearer", "basic", lower case
  std::string realm, service, scope;
};
Challenge parse_challenge(std::string_view header);

// Whether credentials of `registry_host` may be sent to a token server at `realm_host`: the same host, one under the same registrable domain, or Docker Hub's known one. A registry
// that could name any server as its realm could have credentials sent anywhere (CVE-2026-33540 and its kin).
bool realm_is_trusted(std::string_view registry_host, std::string_view realm_host);

}  // namespace lazaret::source
