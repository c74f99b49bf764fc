// Images of stores that are open already, delivered as a source does (source.h): for who looks at
// every image of a store. A consumer whose begin() always returns null gets the documents alone.
#pragma once

#include <string>

#include "source/containerd_store.h"
#include "source/containers_store.h"
#include "source/docker_store.h"

namespace lazaret::source {

Result<format::ImageDescription> deliver_image(const ContainersStore& store,
                                               const StoreImage& image, std::string reference,
                                               BlobConsumer& consumer,
                                               const SourceOptions& options);
Result<format::ImageDescription> deliver_image(ContainerdStore& store, const ContainerdImage& image,
                                               BlobConsumer& consumer,
                                               const SourceOptions& options);
Result<format::ImageDescription> deliver_image(const DockerStore& store, const DockerImage& image,
                                               std::string reference, BlobConsumer& consumer,
                                               const SourceOptions& options);

// What a container wrote over its image, as one layer. Without a name and without a config.
Result<format::ImageDescription> deliver_written_layer(UnpackedLayer layer, std::string reference,
                                                       BlobConsumer& consumer,
                                                       const SourceOptions& options);

}  // namespace lazaret::source
