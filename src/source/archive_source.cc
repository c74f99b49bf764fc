// docker-archive:FILE and oci-archive:FILE.
//
// An uncompressed archive in a file is read at any place: headers first, so that layers already
// known are never read, then the layers side by side. Anything else (compressed, a pipe) streams by
// once; twice only when a reference or platform was asked for and the archive can be rewound, since
// what belongs to it is known at the end.

#include <fmt/core.h>

#include "source/archive_index.h"
#include "source/archive_stream.h"
#include "source/image_layout.h"
#include "source/local_file.h"
#include "source/sources.h"

namespace lazaret::source {
namespace {

constexpr std::size_t piece_bytes = 128 << 10;  // stays in the cache of the core that reads, hashes and decodes it

class ArchiveSource : public ImageSource {
 public:
  ArchiveSource(LocalFile file, Target target)
      : file_(std::move(file)), target_(std::move(target)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    if (!file_.seekable()) return stream(consumer, options, nullptr);
    std::uint8_t head[512];
    const auto got = file_.read_at(0, head);
    if (!got) return got.error();
    if (codec::sniff(Bytes(head, *got)) == codec::Encoding::plain)
      return deliver_by_offset(consumer, options);
    if (target_.reference.empty() && options.platform.empty())
      return stream(consumer, options, nullptr);

    ArchiveStream collect({}, options);
    if (const auto read = pump(collect, options); !read) return read.error();
    const auto reading = read_layout(collect.members(), target_, local_reference(target_), options);
    if (!reading) return reading.error();
    return stream(consumer, options, &reading->excluded);
  }

 private:
  Result<format::ImageDescription> deliver_by_offset(BlobConsumer& consumer,
                                                     const SourceOptions& options) {
    ArchiveIndex index(file_, options);
    if (const auto read = index.read(); !read) return read.error();
    auto reading = read_layout(index.members(), target_, local_reference(target_), options);
    if (!reading) return explain(reading.error());

    std::vector<PendingBlob> blobs = document_blobs(index.members(), *reading);
    for (const Member& member : index.members().all()) {
      if (member.kind != MemberKind::file || member.document ||
          reading->excluded.contains(member.key))
        continue;
      PendingBlob blob;
      blob.offer = offer_of(member, *reading);
      blob.offer.file_identity =
          file_.identity(member.sparse ? member.header_offset : member.offset);
      blob.push = [&index, &member](BlobWriter& writer) { return index.push(member, writer); };
      blobs.push_back(std::move(blob));
    }
    for (auto& blob : index.side().take(index.unaudited())) blobs.push_back(std::move(blob));
    announce(blobs, options);
    if (const auto delivered = deliver_blobs(blobs, consumer, options); !delivered)
      return delivered.error();
    auto& image = reading->image;
    for (auto& found : index.take_diagnostics()) image.diagnostics.push_back(std::move(found));
    for (auto& part : index.unaudited()) image.unaudited.push_back(std::move(part));
    return std::move(image);
  }

  Result<format::ImageDescription> stream(BlobConsumer& consumer, const SourceOptions& options,
                                          const std::unordered_set<std::string>* excluded) {
    ArchiveStream::Settings settings;
    settings.consumer = &consumer;
    settings.excluded = excluded;
    settings.identity = [this](std::uint64_t offset) {
      const std::string identity = file_.identity(offset);
      return identity.empty() ? identity : identity + ":decoded";
    };
    settings.changed = [this] { return file_.changed(); };
    ArchiveStream archive(std::move(settings), options);
    if (const auto read = pump(archive, options); !read) return read.error();
    auto image = finish_archive(archive, target_, local_reference(target_), consumer, options);
    if (!image) return explain(image.error());
    return image;
  }

  // The whole file through the stream. A read error in the middle is the stream's to report.
  Result<void> pump(ArchiveStream& archive, const SourceOptions& options) {
    std::vector<std::uint8_t> buffer(piece_bytes);
    std::uint64_t offset = 0;
    while (!is_cancelled(options)) {
      const auto got = file_.seekable() ? file_.read_at(offset, buffer) : file_.read(buffer);
      if (!got) {
        if (!archive.any_member()) return got.error();
        archive.finish(&got.error());
        return {};
      }
      if (*got == 0) {
        archive.finish(nullptr);
        return {};
      }
      archive.feed(Bytes(buffer.data(), *got));
      offset += *got;
    }
    return cancelled_error();
  }

  Error explain(const Error& error) const {
    return {error.code, fmt::format("{}: {}", target_.text, error.message)};
  }

  LocalFile file_;
  const Target target_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> open_archive(const Target& target) {
  auto file = LocalFile::open(target.path);
  if (!file) return file.error();
  return std::unique_ptr<ImageSource>(std::make_unique<ArchiveSource>(std::move(*file), target));
}

}  // namespace lazaret::source
