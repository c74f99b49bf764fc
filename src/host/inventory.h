// Every image and container of one store, told in the same words whoever keeps it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/blob_stream.h"
#include "format/image.h"
#include "host/container_settings.h"
#include "host/store_finder.h"
#include "source/source.h"

namespace lazaret::host {

struct StoredImage {
  std::vector<std::string> names;  // full: "docker.io/alice/tomcat:1"; none of an image without a name
  std::string id;                  // what the engine calls it
  std::vector<Digest> digests;     // of documents by which it was pulled, besides those of its manifests
  std::string target;              // for `lazaret scan`; "" when scan has no name for it
  // Delivers its blobs and says what it is, as a source does.
  std::function<Result<format::ImageDescription>(BlobConsumer&, const source::SourceOptions&)> deliver;
};

struct StoredContainer {
  std::string name, id, state;  // state: "running", "stopped", or "" when the store does not say
  std::string image_name, image_id;
  ContainerSettings settings;
  std::string no_settings;      // why there are none
  // The same of what the container wrote over its image. May be empty.
  std::function<Result<format::ImageDescription>(BlobConsumer&, const source::SourceOptions&)> deliver;
};

struct Inventory {
  std::vector<StoredImage> images;
  std::vector<StoredContainer> containers;
  std::vector<std::pair<std::string, std::string>> unread;  // (what, why)
  std::shared_ptr<void> store;                              // keeps open what `deliver` needs
};

// ErrorCode::not_found when the folder is no store.
Result<Inventory> list_store(StorePlace place, const source::SourceOptions& options);

}  // namespace lazaret::host
