// Docker's own folder on disk (/var/lib/docker), without its daemon: which images and containers
// there are, and where their documents and layers lie.
//
// image/<driver>/repositories.json names images, image/<driver>/imagedb/content/sha256/<ID> is the
// config of one, image/<driver>/layerdb/sha256/<chain ID>/ says for each layer its diff_id, where it
// was unpacked ("cache-id") and how its tar looked ("tar-split.json.gz"); distribution/ remembers
// under which digest a layer was pulled; containers/<ID>/ has config.v2.json and hostconfig.json
// (moby, image/store.go, layer/filestore.go, distribution/metadata, container/container.go). Each
// file is replaced by renaming; nothing is locked or written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "source/delivery.h"
#include "source/local_file.h"
#include "source/source.h"
#include "source/unpacked_layer.h"

namespace lazaret::source {

struct DockerImage {
  std::string driver;
  Digest id;  // of the config
  std::vector<std::string> names;     // "docker.io/library/nginx:latest"
  std::vector<Digest> digests;        // of manifests or indexes by which it was pulled or pushed
};

struct DockerContainer {
  std::string id, name, driver;
  std::string image_name;  // as it was named when the container was made
  Digest image_id;
  bool running = false;
  std::string config;      // config.v2.json
  std::string host_config;  // hostconfig.json; "" when there is none
};

class DockerStore {
 public:
  // `root` is how messages call the folder. ErrorCode::not_found when it is not Docker's.
  static Result<DockerStore> open(FileHandle folder, const std::string& root,
                                  const SourceOptions& options);

  const std::vector<DockerImage>& images() const { return images_; }
  const std::vector<DockerContainer>& containers() const { return containers_; }

  // The config of an image, which is what its ID is the digest of.
  Result<std::string> config(const DockerImage& image, const SourceOptions& options) const;
  // The layer with this chain ID (image-spec, config.md).
  Result<UnpackedLayer> open_layer(std::string_view driver, const Digest& chain_id) const;
  // The digests under which the layer with this diff_id was pulled or pushed.
  std::vector<Digest> layer_digests(std::string_view driver, const Digest& diff_id) const;
  // What the container wrote.
  Result<UnpackedLayer> open_layer(const DockerContainer& container) const;

  // Parts of the store that could not be read.
  const Unaudited& unread() const { return unread_; }

 private:
  void read_images(const std::string& driver, const SourceOptions& options);
  void read_containers(const SourceOptions& options);
  Result<std::string> read(const std::string& path, std::uint64_t limit) const;
  Result<UnpackedLayer> open_unpacked(std::string_view driver, std::string_view cache_id) const;

  FileHandle root_;
  std::vector<DockerImage> images_;
  std::vector<DockerContainer> containers_;
  Unaudited unread_;
};

}  // namespace lazaret::source
