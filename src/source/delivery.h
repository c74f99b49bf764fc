// Gives blobs to a consumer: in parallel where they can be read at any place, and with the same
// answer whatever the number of threads.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/blob_stream.h"
#include "source/local_file.h"
#include "source/source.h"

namespace lazaret::source {

// A blob that can be read when its turn comes.
struct PendingBlob {
  BlobOffer offer;
  // Writes all bytes to the writer; returns early when write() says that no more are wanted. An
  // Error is passed on to BlobWriter::fail().
  std::function<Result<void>(BlobWriter&)> push;
};

// (what, why), as in format::ImageDescription.
using Unaudited = std::vector<std::pair<std::string, std::string>>;

bool is_cancelled(const SourceOptions& options);
Error cancelled_error();

// Offers each blob once, the large ones first, from up to options.jobs threads. A blob that could
// not be read to its end is failed at its writer, which reports it. An Error only when cancelled.
Result<void> deliver_blobs(const std::vector<PendingBlob>& blobs, BlobConsumer& consumer,
                           const SourceOptions& options);

// Tells options.expect what the blobs come to.
void announce(const std::vector<PendingBlob>& blobs, const SourceOptions& options);

// Writes `size` bytes at `offset` of `file`, in pieces. Fails when the file ends before, or changed
// while it was read.
Result<void> push_file(const LocalFile& file, std::uint64_t offset, std::uint64_t size,
                       const SourceOptions& options, BlobWriter& writer);

// Offers bytes that are in memory.
PendingBlob blob_in_memory(BlobOffer offer, std::string bytes);

}  // namespace lazaret::source
