#include "gate/collector.h"

#include <fmt/format.h>

#include <map>

namespace lazaret::gate {
namespace {

constexpr std::size_t at_once = 500;

store::Time milliseconds(std::chrono::hours hours) { return std::chrono::milliseconds(hours).count(); }

}  // namespace

Result<Collected> collect(const Collection& collection) {
  Collected collected;
  store::MetadataStore& metadata = collection.metadata;
  store::BlobStore& blobs = collection.blobs;
  const store::Time blob_limit = collection.now - milliseconds(collection.blob_age), upload_limit = collection.now - milliseconds(collection.upload_age);
  std::mutex nobody;
  const auto lock_of = [&](const Digest& digest) -> std::mutex& { return collection.lock ? collection.lock(digest) : nobody; };

  // Uploads that nobody goes on with.
  std::vector<std::string> dead;
  const auto looked = metadata.read([&](store::Reader& reader) {
    for (const store::Upload& upload : reader.uploads()) {
      if (upload.touched < upload_limit && !(collection.upload_in_use && collection.upload_in_use(upload.id))) dead.push_back(upload.id);
    }
  });
  if (!looked) return looked.error();
  for (const std::string& id : dead) {
    if (const auto removed = blobs.remove_upload(id); !removed) return removed.error();
    const auto done = metadata.write([&](store::Writer& writer) {
      writer.remove_upload(id);
      return Result<void>();
    });
    if (!done) return done.error();
    ++collected.uploads;
  }

  for (bool more = true; more;) {
    std::size_t links = 0, manifests = 0;
    const auto done = metadata.write([&](store::Writer& writer) {
      links = writer.collect_links(blob_limit, at_once);
      manifests = writer.collect_manifests(blob_limit, at_once).size();
      return Result<void>();
    });
    if (!done) return done.error();
    collected.links += links;
    collected.manifests += manifests;
    more = links == at_once || manifests == at_once;
  }

  for (bool more = true; more;) {
    std::vector<Digest> gone;
    const auto done = metadata.write([&](store::Writer& writer) {
      gone = writer.collect_blobs(at_once);
      return Result<void>();
    });
    if (!done) return done.error();
    for (const Digest& digest : gone) {
      const std::lock_guard lock(lock_of(digest));
      bool back = false;
      const auto read = metadata.read([&](store::Reader& reader) { back = reader.blob_size(digest).has_value(); });
      if (!read) return read.error();
      if (back) continue;
      if (const auto blob = blobs.open(digest)) collected.bytes += blob->size;
      if (const auto removed = blobs.remove(digest); !removed) return removed.error();
      ++collected.blobs;
    }
    more = gone.size() == at_once;
  }

  // Files that have no record: a crash came between the two.
  std::vector<Digest> orphans;
  const auto walked = blobs.for_each([&](const Digest& digest, std::uint64_t) {
    bool known = true;
    const auto read = metadata.read([&](store::Reader& reader) { known = reader.blob_size(digest).has_value(); });
    if (read.ok() && !known) orphans.push_back(digest);
    return orphans.size() < 100'000;
  });
  if (!walked) return walked.error();
  for (const Digest& digest : orphans) {
    const std::lock_guard lock(lock_of(digest));
    bool known = true;
    const auto read = metadata.read([&](store::Reader& reader) { known = reader.blob_size(digest).has_value(); });
    if (!read) return read.error();
    if (known) continue;
    if (const auto blob = blobs.open(digest)) collected.bytes += blob->size;
    if (const auto removed = blobs.remove(digest); !removed) return removed.error();
    ++collected.blobs;
  }
  return collected;
}

Result<std::uint64_t> remove_lost_uploads(store::BlobStore& blobs, store::MetadataStore& metadata) {
  const auto files = blobs.uploads();
  if (!files) return files.error();
  std::uint64_t removed = 0;
  for (const store::UploadFile& file : *files) {
    bool known = true;
    const auto read = metadata.read([&](store::Reader& reader) { known = reader.upload(file.id).has_value(); });
    if (!read) return read.error();
    if (known) continue;
    if (const auto done = blobs.remove_upload(file.id); !done) return done.error();
    ++removed;
  }
  return removed;
}

Result<Checked> check(store::BlobStore& blobs, store::MetadataStore& metadata, bool content) {
  Checked checked;
  const auto sound = metadata.check();
  if (!sound) return sound.error();
  for (const std::string& problem : *sound) checked.problems.push_back("metadata: " + problem);

  std::map<Digest, std::uint64_t> files;
  const auto walked = blobs.for_each([&](const Digest& digest, std::uint64_t size) {
    files.emplace(digest, size);
    checked.bytes += size;
    return true;
  });
  if (!walked) return walked.error();
  checked.blobs = files.size();

  std::vector<std::string> problems;
  const auto read = metadata.read([&](store::Reader& reader) {
    for (const auto& [digest, size] : files) {
      const auto recorded = reader.blob_size(digest);
      if (!recorded) ++checked.leftovers;
      if (recorded && *recorded != size) problems.push_back(fmt::format("the file of {} has {} bytes, its record says {}", digest.str(), size, *recorded));
    }
    for (const store::State state : {store::State::pending, store::State::released, store::State::held, store::State::condemned}) {
      for (const Digest& digest : reader.manifests_in(state, 100'000'000)) {
        ++checked.manifests;
        const auto bytes = reader.manifest_bytes(digest);
        if (!bytes || sha256(as_bytes(*bytes)) != digest) problems.push_back(fmt::format("the manifest {} is not what its digest names", digest.str()));
        if (state == store::State::released && !reader.verdict(digest, "") && !reader.manifest(digest)->pinned) {
          problems.push_back(fmt::format("the manifest {} is released without a verdict", digest.str()));
        }
        if (reader.repositories_with(digest).empty()) continue;
        for (const store::Reference& reference : reader.references(digest)) {
          if (reference.kind == store::ReferenceKind::manifest || files.contains(reference.digest)) continue;
          problems.push_back(fmt::format("{} names {}, whose bytes are not here", digest.str(), reference.digest.str()));
        }
      }
    }
  });
  if (!read) return read.error();
  checked.problems.insert(checked.problems.end(), problems.begin(), problems.end());

  if (content) {
    std::vector<std::uint8_t> buffer(1 << 20);
    for (const auto& [digest, size] : files) {
      const auto blob = blobs.open(digest);
      if (!blob) continue;  // collected meanwhile
      Hasher hasher;
      for (std::uint64_t offset = 0; offset < blob->size;) {
        const auto got = blob->read(offset, buffer);
        if (!got || *got == 0) break;
        hasher.update({buffer.data(), *got});
        offset += *got;
      }
      if (hasher.finish() != digest) checked.problems.push_back(fmt::format("the blob {} is not what its digest names", digest.str()));
    }
  }
  return checked;
}

}  // namespace lazaret::gate
