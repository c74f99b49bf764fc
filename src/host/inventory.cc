#include "host/inventory.h"

#include <fmt/format.h>

#include "source/reference.h"
#include "source/stored_images.h"

namespace lazaret::host {
namespace {

using source::SourceOptions;

Result<Inventory> list_docker(StorePlace place, const SourceOptions& options) {
  auto opened = source::DockerStore::open(std::move(place.folder), place.path, options);
  if (!opened) return opened.error();
  const auto store = std::make_shared<source::DockerStore>(std::move(*opened));
  Inventory inventory;
  inventory.store = store;
  inventory.unread = store->unread();
  for (const source::DockerImage& image : store->images()) {
    StoredImage stored;
    stored.names = image.names;
    stored.id = image.id.str();
    stored.digests = image.digests;
    stored.target = "docker-daemon:" + (image.names.empty() ? stored.id : image.names.front());
    stored.deliver = [store, &image, name = image.names.empty() ? stored.id : image.names.front()](BlobConsumer& consumer, const SourceOptions& how) {
      return source::deliver_image(*store, image, name, consumer, how);
    };
    inventory.images.push_back(std::move(stored));
  }
  for (const source::DockerContainer& container : store->containers()) {
    StoredContainer stored;
    stored.name = container.name;
    stored.id = container.id;
    stored.state = container.running ? "running" : "stopped";
    stored.image_name = source::full_image_name(container.image_name);
    stored.image_id = container.image_id.str();
    stored.settings = read_docker_settings(container.config, container.host_config);
    stored.deliver = [store, &container](BlobConsumer& consumer, const SourceOptions& how) -> Result<format::ImageDescription> {
      auto layer = store->open_layer(container);
      if (!layer) return layer.error();
      return source::deliver_written_layer(std::move(*layer), container.name, consumer, how);
    };
    inventory.containers.push_back(std::move(stored));
  }
  return inventory;
}

Result<Inventory> list_podman(StorePlace place, const SourceOptions& options) {
  source::StoreLocation location;
  location.root = place.path;
  location.folder = place.folder.get();
  auto opened = source::ContainersStore::open({location}, options);
  if (!opened) return opened.error();
  const auto store = std::make_shared<source::ContainersStore>(std::move(*opened));
  Inventory inventory;
  inventory.store = store;
  inventory.unread = store->unread();
  for (const source::StoreImage& image : store->images()) {
    StoredImage stored;
    for (const std::string& name : image.names) stored.names.push_back(source::full_image_name(name));
    stored.id = image.id;
    if (const auto digest = Digest::parse(image.digest)) stored.digests.push_back(*digest);
    stored.target = fmt::format("containers-storage:[{}]{}", place.path, image.names.empty() ? "@" + image.id : image.names.front());
    stored.deliver = [store, &image, name = stored.names.empty() ? image.id : stored.names.front()](BlobConsumer& consumer, const SourceOptions& how) {
      return source::deliver_image(*store, image, name, consumer, how);
    };
    inventory.images.push_back(std::move(stored));
  }
  for (const source::StoreContainer& container : store->containers()) {
    StoredContainer stored;
    stored.name = container.names.empty() ? container.id.substr(0, 12) : container.names.front();
    stored.id = container.id;
    stored.image_id = container.image_id;
    if (!container.image_name.empty()) stored.image_name = source::full_image_name(container.image_name);
    const auto spec = store->container_spec(container, options);
    if (spec) stored.settings = read_oci_settings(*spec);
    if (!stored.settings.read) stored.no_settings = spec ? "its settings are not the JSON of a runtime" : spec.error().message;
    stored.deliver = [store, &container, name = stored.name](BlobConsumer& consumer, const SourceOptions& how) -> Result<format::ImageDescription> {
      const source::StoreLayer* layer = store->layer(container.layer);
      if (layer == nullptr) return Error{ErrorCode::not_found, "the store does not list what the container wrote"};
      auto unpacked = store->open_layer(*layer);
      if (!unpacked) return unpacked.error();
      return source::deliver_written_layer(std::move(*unpacked), name, consumer, how);
    };
    inventory.containers.push_back(std::move(stored));
  }
  return inventory;
}

Result<Inventory> list_containerd(StorePlace place, const SourceOptions& options) {
  auto opened = source::ContainerdStore::open(std::move(place.folder), place.path, options);
  if (!opened) return opened.error();
  const auto store = std::make_shared<source::ContainerdStore>(std::move(*opened));
  Inventory inventory;
  inventory.store = store;
  for (const source::ContainerdImage& image : store->images()) {
    StoredImage stored;
    stored.names = {source::full_image_name(image.name)};
    stored.id = image.target.digest.str();
    stored.digests = {image.target.digest};
    stored.target = fmt::format("containerd:[{}]{}/{}", place.path, image.name_space, image.name);
    stored.deliver = [store, image, name = stored.names.front()](BlobConsumer& consumer, const SourceOptions& how) {
      auto description = source::deliver_image(*store, image, consumer, how);
      if (description) description->reference = name;
      return description;
    };
    inventory.images.push_back(std::move(stored));
  }
  for (const source::ContainerdContainer& container : store->containers()) {
    StoredContainer stored;
    stored.name = container.container_name.empty() ? container.id.substr(0, 64) : fmt::format("{} of pod {}", container.container_name, container.pod_name);
    stored.id = container.name_space + "/" + container.id;
    if (!container.image.empty()) stored.image_name = source::full_image_name(container.image);
    stored.settings = read_oci_settings(container.spec);
    if (!stored.settings.read) stored.no_settings = "its settings are not the JSON of a runtime";
    stored.deliver = [store, container, name = stored.name](BlobConsumer& consumer, const SourceOptions& how) -> Result<format::ImageDescription> {
      auto folder = store->open_snapshot(container, how);
      if (!folder) return folder.error();
      source::UnpackedLayer layer;
      layer.folder = std::move(*folder);
      return source::deliver_written_layer(std::move(layer), name, consumer, how);
    };
    inventory.containers.push_back(std::move(stored));
  }
  for (const Diagnostic& found : store->diagnostics()) inventory.unread.emplace_back("containerd's database", found.message);
  return inventory;
}

}  // namespace

Result<Inventory> list_store(StorePlace place, const SourceOptions& options) {
  switch (place.engine) {
    case Engine::docker: return list_docker(std::move(place), options);
    case Engine::podman: return list_podman(std::move(place), options);
    case Engine::containerd: return list_containerd(std::move(place), options);
  }
  return Error{ErrorCode::unsupported, "no such engine"};
}

}  // namespace lazaret::host
