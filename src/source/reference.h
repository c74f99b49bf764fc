// Names of images, as every engine abbreviates them.
//
// "nginx" means "docker.io/library/nginx:latest": a first component without a dot or colon that is
// not "localhost" is not a host, Docker Hub is the default host and "library" its default account,
// "latest" the default tag (distribution's reference grammar; containers-transports(5)).
#pragma once

#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace lazaret::source {

struct ImageName {
  std::string host;        // "docker.io", "registry.example:5000"
  std::string repository;  // "library/nginx"
  std::string tag;         // "" only when there is a digest
  Digest digest;           // empty when none was given

  std::string name() const { return host + "/" + repository; }
  // "docker.io/library/nginx:latest", "docker.io/library/nginx@sha256:..."
  std::string str() const;
};

// Errors say what is wrong with the name.
Result<ImageName> parse_image_name(std::string_view text);

// The name in full, or as it is when it is no name of an image.
std::string full_image_name(std::string_view text);

}  // namespace lazaret::source
