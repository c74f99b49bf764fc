#include "source/delivery.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <thread>

namespace lazaret::source {
namespace {

constexpr std::size_t piece_bytes = 128 << 10;  // stays in the cache of the core that reads, hashes and decodes it

}  // namespace

bool is_cancelled(const SourceOptions& options) {
  return options.cancelled != nullptr && options.cancelled->load(std::memory_order_relaxed);
}

Error cancelled_error() {
  return {ErrorCode::cancelled, "stopped as asked"};
}

Result<void> deliver_blobs(const std::vector<PendingBlob>& blobs, BlobConsumer& consumer,
                           const SourceOptions& options) {
  // Large blobs first, so that the last thread to end has little left to do.
  std::vector<std::size_t> order(blobs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return blobs[a].offer.size > blobs[b].offer.size;
  });

  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    while (!is_cancelled(options)) {
      const std::size_t turn = next.fetch_add(1);
      if (turn >= order.size()) return;
      const PendingBlob& blob = blobs[order[turn]];
      const auto writer = consumer.begin(blob.offer);
      if (!writer) continue;
      const auto pushed = blob.push(*writer);
      if (pushed) {
        writer->finish();
      } else {
        writer->fail(pushed.error());
      }
    }
  };
  const std::size_t jobs = std::min<std::size_t>(std::max(1u, options.jobs), blobs.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < jobs; ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();

  if (is_cancelled(options)) return cancelled_error();
  return {};
}

void announce(const std::vector<PendingBlob>& blobs, const SourceOptions& options) {
  if (!options.expect) return;
  std::uint64_t sum = 0;
  for (const auto& blob : blobs) sum = checked_add(sum, blob.offer.size).value_or(UINT64_MAX);
  options.expect(sum);
}

Result<void> push_file(const LocalFile& file, std::uint64_t offset, std::uint64_t size,
                       const SourceOptions& options, BlobWriter& writer) {
  const auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(
      std::min<std::uint64_t>(piece_bytes, std::max<std::uint64_t>(1, size))));
  std::uint64_t done = 0;
  while (done < size) {
    if (is_cancelled(options)) return cancelled_error();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, size - done));
    const auto got = file.read_at(offset + done, {buffer.get(), wanted});
    if (!got) return got.error();
    if (*got > 0 && !writer.write({buffer.get(), *got})) return {};
    done += *got;
    if (*got < wanted)
      return Error{ErrorCode::corrupt, fmt::format("ends after {} of {} bytes", done, size)};
  }
  if (file.changed()) return Error{ErrorCode::io, "the file changed while it was read"};
  return {};
}

PendingBlob blob_in_memory(BlobOffer offer, std::string bytes) {
  offer.size = bytes.size();
  return {std::move(offer), [content = std::move(bytes)](BlobWriter& writer) -> Result<void> {
            if (!content.empty()) writer.write(as_bytes(content));
            return {};
          }};
}

}  // namespace lazaret::source
