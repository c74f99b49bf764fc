// The stores of Podman, Buildah, CRI-O and Skopeo on disk (github.com/containers/storage): which
// images there are, and where their documents and layers lie.
//
// <root>/<driver>-images/images.json lists images, <root>/<driver>-images/<id>/ holds their
// manifests and configs ("big data"), <root>/<driver>-layers/layers.json lists layers. All of it is
// replaced by renaming, so that each file is whole at any time; nothing is locked or written.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "source/bolt_file.h"
#include "source/delivery.h"
#include "source/local_file.h"
#include "source/source.h"
#include "source/unpacked_layer.h"

namespace lazaret::source {

// One root folder, with one driver.
struct StoreLocation {
  std::string root;
  std::string driver;     // "overlay", "vfs"; "" for those that are there
  bool is_named = false;  // by the user: then it must be there
  // The root folder when it is open already, and how messages call it is `root`. Not owned; must be
  // valid until the store is open.
  int folder = -1;
};

// [driver@root+runroot:options]: what is in the brackets, and what follows them. Nothing in the
// brackets means the places that storage.conf names (containers-storage.conf(5)).
struct StoreSpecifier {
  std::vector<StoreLocation> locations;  // the first one is the store, the others are read-only
  std::string reference;
};
Result<StoreSpecifier> parse_store_specifier(std::string_view text);
// A storage.conf: places, as they are written there but for $HOME, $UID and $USER, which are those of
// this process. `path` is its name for messages.
struct StorageConfig {
  std::string driver, graph_root, image_store, rootless_path;
  std::vector<std::string> additional;
};
Result<StorageConfig> parse_storage_config(std::string_view text, const std::string& path);
// The places of this host and user.
Result<std::vector<StoreLocation>> default_store_locations();

struct StoreImage {
  std::size_t store = 0;  // index into ContainersStore's stores
  std::string id, digest, top_layer;
  std::vector<std::string> names, big_data;
};

struct StoreLayer {
  std::size_t store = 0;
  std::string id, parent;
  Digest diff_id;
  std::uint64_t size = 0;  // of the decoded layer
};

// A container, running or not.
struct StoreContainer {
  std::size_t store = 0;
  std::string id, image_id, image_name, layer;  // `layer`: what the container wrote
  std::vector<std::string> names;
};

class ContainersStore {
 public:
  // ErrorCode::not_found when there is no store at any of the places.
  static Result<ContainersStore> open(const std::vector<StoreLocation>& locations,
                                      const SourceOptions& options);

  const std::vector<StoreImage>& images() const { return images_; }
  // The image that podman would take: by ID or the beginning of one, by name, by digest.
  Result<const StoreImage*> find(std::string_view reference, std::string* name) const;
  const StoreLayer* layer(const std::string& id) const;
  const std::vector<StoreContainer>& containers() const { return containers_; }
  // How the container is run: a runtime's config.json (OCI runtime-spec), as the engine left it when
  // the container was started, or else as Podman's own database has it.
  // ErrorCode::not_found when neither has it.
  Result<std::string> container_spec(const StoreContainer& container, const SourceOptions& options);

  // The value of a key of an image's big data.
  Result<std::string> big_data(const StoreImage& image, std::string_view key,
                               std::uint64_t limit) const;
  Result<UnpackedLayer> open_layer(const StoreLayer& layer) const;

  // Parts of the store that could not be read.
  const Unaudited& unread() const { return unread_; }

 private:
  struct Store {
    FileHandle root;
    std::string driver;
  };
  void read_images(std::size_t store, const SourceOptions& options);
  void read_layers(std::size_t store, const std::string& file, const SourceOptions& options);
  void read_containers(std::size_t store, const std::string& file, const SourceOptions& options);
  Result<std::string> spec_of_podman(const StoreContainer& container, const SourceOptions& options);

  std::vector<Store> stores_;
  std::vector<StoreContainer> containers_;
  // Podman's databases that were read, by store; null where there is none.
  std::map<std::size_t, std::shared_ptr<BoltFile>> databases_;
  std::vector<StoreImage> images_;
  std::map<std::string, StoreLayer, std::less<>> layers_;
  Unaudited unread_;
};

// The file name of a key: keys of other than plain characters are "=" and base64
// (containers/storage, userns.go and images.go, makeBigDataBaseName).
std::string big_data_file(std::string_view key);

}  // namespace lazaret::source
