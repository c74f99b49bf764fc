// containers-storage:[[driver@root+runroot]]REF. An image of Podman's store, read from disk.

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "source/containers_store.h"
#include "source/oci_graph.h"
#include "source/sources.h"
#include "source/stored_images.h"
#include "source/unpacked_delivery.h"

namespace lazaret::source {
namespace {

class Delivery {
 public:
  Delivery(const ContainersStore& store, const StoreImage& image, BlobConsumer& consumer,
           const SourceOptions& options)
      : store_(store), image_(image), options_(options), layers_(consumer, options) {}

  Result<format::ImageDescription> run(std::string reference) {
    description_.reference = std::move(reference);
    OciGraph graph([this](const format::Descriptor& descriptor,
                          std::uint64_t limit) { return read_document(descriptor.digest, limit); },
                   [](const Digest& digest) { return digest.str(); }, options_);
    follow_top(graph);
    if (auto selected = select_platform(graph.manifests, options_); !selected)
      return selected.error();
    std::vector<GraphManifest> manifests = std::move(graph.manifests);
    describe(std::move(graph), std::move(manifests), description_);

    for (auto& manifest : description_.manifests) assign_layers(manifest);
    if (const auto delivered = layers_.deliver(); !delivered) return delivered.error();
    for (auto& manifest : description_.manifests) tell_outcomes(manifest);
    add_other_documents();
    return std::move(description_);
  }

 private:
  void follow_top(OciGraph& graph) {
    format::Descriptor top;
    top.digest = Digest::parse(image_.digest).value_or(Digest());
    auto document = top.digest.empty() ? Result<std::string>(Error{ErrorCode::not_found, ""})
                                       : store_.big_data(image_, "manifest-" + top.digest.str(),
                                                         options_.limits.manifest_bytes);
    if (!document) document = store_.big_data(image_, "manifest", options_.limits.manifest_bytes);
    if (!document) {
      description_.unaudited.emplace_back(
          "manifest", "the store has no manifest of the image: " + document.error().message);
      return;
    }
    if (top.digest.empty()) top.digest = sha256(as_bytes(*document));
    description_.digest = top.digest;
    read_.insert(sha256(as_bytes(*document)));
    graph.follow(top, std::move(*document));
    if (graph.manifests.size() == 1)
      description_.media_type = graph.manifests.front().description.media_type;
  }

  // Documents of an index may belong to other images of the store.
  Result<std::string> read_document(const Digest& digest, std::uint64_t limit) {
    std::vector<const StoreImage*> places = {&image_};
    for (const StoreImage& other : store_.images()) {
      if (&other != &image_) places.push_back(&other);
    }
    for (const StoreImage* place : places) {
      for (const std::string& key : {digest.str(), "manifest-" + digest.str()}) {
        if (std::find(place->big_data.begin(), place->big_data.end(), key) == place->big_data.end())
          continue;
        auto document = store_.big_data(*place, key, limit);
        if (document) read_.insert(sha256(as_bytes(*document)));
        return document;
      }
    }
    return Error{ErrorCode::not_found, fmt::format("the store has no document {}", digest.str())};
  }

  const StoreImage& owner_of(const Digest& manifest) const {
    const std::string key = "manifest-" + manifest.str();
    const auto has = [&](const StoreImage& image) {
      return std::find(image.big_data.begin(), image.big_data.end(), key) != image.big_data.end() &&
             !image.top_layer.empty();
    };
    if (has(image_)) return image_;
    for (const StoreImage& other : store_.images()) {
      if (has(other)) return other;
    }
    return image_;
  }

  // The layers of an image, lowest first.
  std::vector<const StoreLayer*> chain_of(const StoreImage& image) {
    std::vector<const StoreLayer*> chain;
    for (std::string id = image.top_layer; !id.empty();) {
      const StoreLayer* layer = store_.layer(id);
      if (layer == nullptr) {
        description_.unaudited.emplace_back("layer " + id, "the store does not list this layer");
        break;
      }
      if (chain.size() >= options_.limits.layers) {
        description_.unaudited.emplace_back(
            "layer " + id, fmt::format("there are more than {} layers", options_.limits.layers));
        break;
      }
      chain.push_back(layer);
      id = layer->parent;
    }
    std::reverse(chain.begin(), chain.end());
    return chain;
  }

  // Which layer of the store is which of the manifest: the chain is as long as the manifest's list,
  // and if it is not, the diff_ids tell.
  void assign_layers(format::ManifestDescription& manifest) {
    const auto chain = chain_of(owner_of(manifest.digest));
    const auto& diff_ids = manifest.config.diff_ids;
    std::set<const StoreLayer*> used;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const StoreLayer* layer = nullptr;
      if (chain.size() == manifest.layers.size()) {
        layer = chain[i];
      } else if (i < diff_ids.size()) {
        const auto found = std::find_if(chain.begin(), chain.end(), [&](const StoreLayer* one) {
          return one->diff_id == diff_ids[i];
        });
        if (found != chain.end()) layer = *found;
      }
      if (layer == nullptr) continue;  // the audit says that it is missing
      used.insert(layer);
      manifest.layers[i].key = add_blob(*layer);
    }
    for (const StoreLayer* layer : chain) {
      if (!used.contains(layer)) add_blob(*layer);
    }
  }

  std::string add_blob(const StoreLayer& layer) {
    std::string key = "layer " + layer.id;
    if (!offered_.insert(key).second) return key;
    BlobOffer offer;
    offer.key = key;
    offer.diff_id = layer.diff_id;
    offer.size = layer.size;
    layers_.add(std::move(offer), [this, &layer] { return store_.open_layer(layer); });
    return key;
  }

  void tell_outcomes(format::ManifestDescription& manifest) {
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      auto& layer = manifest.layers[i];
      LayerOutcome* found = layers_.outcome(layer.key);
      if (found == nullptr) continue;
      LayerOutcome& outcome = *found;
      layer.form = outcome.exact ? format::LayerForm::unpacked : format::LayerForm::rebuilt;
      const std::string name =
          i < manifest.config.diff_ids.size() ? manifest.config.diff_ids[i].str() : layer.key;
      tell_outcome(name, outcome, description_);
    }
  }

  // Signatures, indexes that the image was pulled by, and whatever else was put beside it.
  void add_other_documents() {
    std::vector<std::string> keys = image_.big_data;
    std::sort(keys.begin(), keys.end());
    if (keys.size() > options_.limits.manifests) {
      description_.unaudited.emplace_back("", "the image has more documents than are looked at");
      keys.resize(options_.limits.manifests);
    }
    std::uint64_t total = 0;
    for (const std::string& key : keys) {
      auto document = store_.big_data(image_, key, options_.limits.manifest_bytes);
      if (document && (total += document->size()) > options_.limits.documents_bytes)
        document = Error{ErrorCode::limit, "the documents of the image are larger than the limit"};
      if (!document) {
        description_.unaudited.emplace_back(key, document.error().message);
      } else if (!document->empty() && read_.insert(sha256(as_bytes(*document))).second) {
        description_.documents.emplace_back(key, std::move(*document));
      }
    }
  }

  const ContainersStore& store_;
  const StoreImage& image_;
  const SourceOptions& options_;
  UnpackedDelivery layers_;
  format::ImageDescription description_;
  std::set<std::string> offered_;
  std::set<Digest> read_;  // documents that are in the description
};

class ContainersStorageSource : public ImageSource {
 public:
  explicit ContainersStorageSource(StoreSpecifier specifier) : specifier_(std::move(specifier)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    const auto store = ContainersStore::open(specifier_.locations, options);
    if (!store) return store.error();
    std::string name;
    const auto image = store->find(specifier_.reference, &name);
    if (!image) {
      std::string message = image.error().message;
      for (const auto& [what, why] : store->unread()) {
        if (message.size() < 1000) message += fmt::format("; {}: {}", what, why);
      }
      return Error{image.error().code, std::move(message)};
    }
    return deliver_image(*store, **image,
                         "containers-storage:" + (name.empty() ? (*image)->id : name), consumer,
                         options);
  }

 private:
  const StoreSpecifier specifier_;
};

}  // namespace

Result<format::ImageDescription> deliver_image(const ContainersStore& store,
                                               const StoreImage& image, std::string reference,
                                               BlobConsumer& consumer,
                                               const SourceOptions& options) {
  return Delivery(store, image, consumer, options).run(std::move(reference));
}

Result<std::unique_ptr<ImageSource>> open_containers_storage(const Target& target) {
  auto specifier = parse_store_specifier(target.reference);
  if (!specifier) return specifier.error();
  if (specifier->reference.empty())
    return Error{ErrorCode::invalid, "name an image, as in containers-storage:nginx:latest"};
  return std::unique_ptr<ImageSource>(
      std::make_unique<ContainersStorageSource>(std::move(*specifier)));
}

}  // namespace lazaret::source
