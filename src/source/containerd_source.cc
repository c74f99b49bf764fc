// containerd:[[ROOT]][namespace/]REF. An image of containerd, read from its folder.

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "source/containerd_store.h"
#include "source/oci_graph.h"
#include "source/sources.h"
#include "source/stored_images.h"
#include "source/unpacked_layer.h"

namespace lazaret::source {
namespace {

class Delivery {
 public:
  Delivery(ContainerdStore& store, ContainerdImage image, BlobConsumer& consumer,
           const SourceOptions& options)
      : store_(store), image_(std::move(image)), consumer_(consumer), options_(options) {}

  Result<format::ImageDescription> run() {
    description_.reference = fmt::format("containerd:{}/{}", image_.name_space, image_.name);
    description_.digest = image_.target.digest;
    description_.media_type = image_.target.media_type;
    OciGraph graph(
        [this](const format::Descriptor& descriptor, std::uint64_t limit) -> Result<std::string> {
          const auto file = open_blob(descriptor.digest);
          if (!file) return file.error();
          return read_whole(*file, limit);
        },
        [](const Digest& digest) { return digest.str(); }, options_);
    graph.follow(image_.target);
    if (auto selected = select_platform(graph.manifests, options_); !selected)
      return selected.error();
    std::vector<GraphManifest> manifests = std::move(graph.manifests);
    leave_out_absent(manifests);
    describe(std::move(graph), std::move(manifests), description_);
    for (auto& manifest : description_.manifests) add_layers(manifest);

    announce(blobs_, options_);
    if (const auto delivered = deliver_blobs(blobs_, consumer_, options_); !delivered)
      return delivered.error();
    for (const auto& manifest : description_.manifests) tell_outcomes(manifest);
    for (const Diagnostic& found : store_.diagnostics()) description_.diagnostics.push_back(found);
    return std::move(description_);
  }

 private:
  Result<LocalFile> open_blob(const Digest& digest) const {
    const std::string path = ContainerdStore::path_of(digest);
    if (path.empty()) return Error{ErrorCode::not_found, "a blob without a digest"};
    auto file = LocalFile::open_below(store_.root(), path);
    if (!file && file.error().code == ErrorCode::not_found)
      return Error{ErrorCode::not_found,
                   fmt::format("containerd does not have the blob {}", digest.str())};
    return file;
  }

  bool is_there(const format::ManifestDescription& manifest, std::size_t i) {
    if (open_blob(manifest.layers[i].descriptor.digest)) return true;
    const auto chain = chain_id(manifest, i);
    return chain && store_.open_snapshot(image_.name_space, *chain, options_);
  }

  // Platforms of which containerd fetched no more than documents: nothing here can run them.
  void leave_out_absent(std::vector<GraphManifest>& manifests) {
    const auto is_absent = [&](const GraphManifest& manifest) {
      const auto& layers = manifest.description.layers;
      for (std::size_t i = 0; i < layers.size(); ++i)
        if (is_there(manifest.description, i)) return false;
      return !layers.empty();
    };
    std::vector<GraphManifest> kept;
    std::vector<Diagnostic> absent;
    for (auto& manifest : manifests) {
      if (!is_absent(manifest)) {
        kept.push_back(std::move(manifest));
        continue;
      }
      absent.push_back(
          {"anomaly.platform-not-present",
           fmt::format("The index names the manifest {} ({}), whose layers are not part "
                       "of the target.",
                       manifest.description.digest.str(), manifest.description.platform),
           0, false, 0});
    }
    if (kept.empty()) return;  // nothing was moved but into `kept`
    manifests = std::move(kept);
    for (auto& found : absent) description_.diagnostics.push_back(std::move(found));
  }

  // image-spec, config.md, "Layer ChainID".
  static std::optional<Digest> chain_id(const format::ManifestDescription& manifest,
                                        std::size_t layer) {
    const auto& diff_ids = manifest.config.diff_ids;
    if (!manifest.is_image || layer >= diff_ids.size()) return std::nullopt;
    Digest chain = diff_ids[0];
    for (std::size_t i = 1; i <= layer; ++i)
      chain = sha256(as_bytes(chain.str() + " " + diff_ids[i].str()));
    return chain;
  }

  void add_layers(format::ManifestDescription& manifest) {
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      auto& layer = manifest.layers[i];
      const auto file = open_blob(layer.descriptor.digest);
      if (file) {
        add_blob(layer, *file,
                 i < manifest.config.diff_ids.size() ? manifest.config.diff_ids[i] : Digest());
        continue;
      }
      std::string why = file.error().message;
      if (const auto chain = chain_id(manifest, i)) {
        auto folder = store_.open_snapshot(image_.name_space, *chain, options_);
        if (folder) {
          layer.key = add_snapshot(*chain, std::move(*folder));
          layer.form = format::LayerForm::rebuilt;
          continue;
        }
        why += ", and " + folder.error().message;
      }
      description_.unaudited.emplace_back("layer " + layer.descriptor.digest.str(), why);
    }
  }

  void add_blob(const format::LayerReference& layer, const LocalFile& file, const Digest& diff_id) {
    if (!offered_.insert(layer.key).second) return;
    PendingBlob blob;
    blob.offer.key = layer.key;
    blob.offer.digest = layer.descriptor.digest;
    blob.offer.diff_id = diff_id;
    blob.offer.size = file.size();
    blob.offer.media_type = layer.descriptor.media_type;
    blob.offer.file_identity = file.identity(0);
    blob.push = [this, digest = layer.descriptor.digest,
                 identity = blob.offer.file_identity](BlobWriter& writer) -> Result<void> {
      const auto again = open_blob(digest);
      if (!again) return again.error();
      if (!identity.empty() && again->identity(0) != identity)
        return Error{ErrorCode::io, "the blob was replaced while the image was read"};
      return push_file(*again, 0, again->size(), options_, writer);
    };
    blobs_.push_back(std::move(blob));
  }

  std::string add_snapshot(const Digest& chain, FileHandle folder) {
    const std::string key = "snapshot " + chain.str();
    if (!offered_.insert(key).second) return key;
    PendingBlob blob;
    blob.offer.key = key;
    auto unpacked = std::make_shared<UnpackedLayer>();
    unpacked->folder = std::move(folder);
    blob.push = [this, key, unpacked](BlobWriter& writer) -> Result<void> {
      auto written = write_unpacked_layer(*unpacked, options_, writer);
      if (!written) return written.error();
      const std::lock_guard lock(mutex_);
      outcomes_[key] = std::move(*written);
      return {};
    };
    blobs_.push_back(std::move(blob));
    return key;
  }

  void tell_outcomes(const format::ManifestDescription& manifest) {
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const auto found = outcomes_.find(manifest.layers[i].key);
      if (found != outcomes_.end())
        tell_outcome(manifest.config.diff_ids[i].str(), found->second, description_);
    }
  }

  ContainerdStore& store_;
  const ContainerdImage image_;
  BlobConsumer& consumer_;
  const SourceOptions& options_;
  format::ImageDescription description_;
  std::vector<PendingBlob> blobs_;
  std::set<std::string> offered_;
  std::mutex mutex_;
  std::map<std::string, LayerOutcome> outcomes_;  // by key
};

class ContainerdSource : public ImageSource {
 public:
  explicit ContainerdSource(ContainerdSpecifier specifier) : specifier_(std::move(specifier)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    auto store = ContainerdStore::open(specifier_.root, options);
    if (!store) return store.error();
    auto image = store->find(specifier_.reference);
    if (!image) return image.error();
    return deliver_image(*store, *image, consumer, options);
  }

 private:
  const ContainerdSpecifier specifier_;
};

}  // namespace

Result<format::ImageDescription> deliver_image(ContainerdStore& store, const ContainerdImage& image,
                                               BlobConsumer& consumer,
                                               const SourceOptions& options) {
  return Delivery(store, image, consumer, options).run();
}

Result<std::unique_ptr<ImageSource>> open_containerd(const Target& target) {
  auto specifier = parse_containerd_specifier(target.reference);
  if (!specifier) return specifier.error();
  return std::unique_ptr<ImageSource>(std::make_unique<ContainerdSource>(std::move(*specifier)));
}

}  // namespace lazaret::source
