// Where images come from: archives, layouts, registries, daemons, the stores of container engines,
// folders.
//
// A source gives every blob of its target to a BlobConsumer once and then tells what the image is.
// "Every blob" is more than what a manifest calls a layer: blobs that no manifest refers to and
// blobs of artifacts (attestations, charts) are bytes that somebody shipped, and are offered too.
// Sources trust nothing they read: a digest is a claim until the consumer hashed the bytes;
// manifests and configs, which the source reads itself, it hashes itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_stream.h"
#include "base/limits.h"
#include "base/result.h"
#include "format/image.h"

namespace lazaret::source {

enum class Transport : std::uint8_t {
  docker_archive,
  oci,
  oci_archive,
  registry,
  docker_daemon,
  containers_storage,
  containerd,
  rootfs,
};

// "docker-archive", "oci", "docker" (a registry), ...: what stands before the colon of a target.
std::string_view name_of(Transport transport);

// One target as the user named it, taken apart.
struct Target {
  Transport transport = Transport::registry;
  std::string text;       // what the user wrote
  std::string path;       // of file and folder transports; "-" is standard input
  std::string reference;  // image name, tag or digest; "" means everything the target holds
  // A bare path that turned out to be an archive: docker-archive or oci-archive, whatever is
  // inside.
  bool any_archive = false;
};

struct SourceOptions {
  // Blobs that may be delivered at one time, where the source can read at any place.
  unsigned jobs = 1;
  // "os/arch[/variant]": manifests of other platforms, and blobs only they refer to, are left out.
  // "" means all.
  std::string platform;
  Limits limits;
  // When it becomes true, delivery ends soon with ErrorCode::cancelled. May be null.
  const std::atomic<bool>* cancelled = nullptr;
  // Credentials instead of those at the usual places; "" for the usual places.
  std::string auth_file;
  // "host[:port]" of registries reached without TLS or without verifying it.
  std::vector<std::string> insecure_hosts;
  // Told the sum of the sizes of all blobs that will be offered, as far as known, as soon as it is
  // known, perhaps again later with a better figure. Called from any thread, one at a time. May be
  // empty.
  std::function<void(std::uint64_t expected_bytes)> expect;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;

  // Offers every blob to `consumer` and returns what the image is. To be called once. Blobs come in
  // any order and from up to options.jobs threads, all ended before this returns. A part that
  // cannot be had is in ImageDescription::unaudited; an Error means that there is nothing to audit.
  virtual Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                                   const SourceOptions& options) = 0;
};

// Understands `<transport>:<rest>` of the transports above and bare words: an existing path is
// sniffed (a folder with an oci-layout file, any other folder, a plain or compressed archive), all
// else is a reference to a registry. Looks at the disk for bare words only.
Result<Target> parse_target(std::string_view text);

// The source of a target. Opens local files and folders, so that a wrong name is told at once;
// talks to no peer yet.
Result<std::unique_ptr<ImageSource>> open_source(const Target& target);

}  // namespace lazaret::source
