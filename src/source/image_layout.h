// What the members of an archive or layout folder say the image is.
//
// Two forms, often both in one archive: Docker's manifest.json (a list of images, each a config and
// the layers by member name) and the OCI layout (index.json and blobs by digest). `docker load`
// reads the one, containerd and podman the other, so that both are read here whatever the target
// was called, and images that only one of them shows are audited and reported.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "format/image.h"
#include "source/archive_stream.h"
#include "source/delivery.h"
#include "source/image_members.h"
#include "source/source.h"

namespace lazaret::source {

struct LayoutReading {
  format::ImageDescription image;
  // Keys of blobs and documents that only images outside of the target refer to (another tag of the
  // same archive, another platform).
  std::unordered_set<std::string> excluded;
  // What the manifests say of blobs, by key: digest, diff_id, media type.
  std::unordered_map<std::string, BlobOffer> claims;
  // Members kept as documents that a manifest names as blobs.
  std::vector<std::size_t> documents_as_blobs;
};

// An Error when there is no image: no index of either form, or not the one asked for.
Result<LayoutReading> read_layout(const ImageMembers& members, const Target& target,
                                  const std::string& reference, const SourceOptions& options);

// The blobs among the documents, to be offered from memory.
std::vector<PendingBlob> document_blobs(const ImageMembers& members, const LayoutReading& reading);

// The offer of a blob that is a member, with what is claimed about it.
BlobOffer offer_of(const Member& member, const LayoutReading& reading);

// What is left to do after an archive was streamed to a consumer: reads the layout, offers what is
// still in memory.
Result<format::ImageDescription> finish_archive(ArchiveStream& stream, const Target& target,
                                                const std::string& reference,
                                                BlobConsumer& consumer,
                                                const SourceOptions& options);

}  // namespace lazaret::source
