// The documents of images: OCI manifests, indexes and configs (image-spec manifest.md, image-index.md, config.md), Docker's of the same purpose,
// docker save's manifest.json.
//
// Each parser returns what it could read and says what was wrong or ambiguous; none fails.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/limits.h"
#include "format/image.h"

namespace lazaret::format {

// Which kinds of document a text could be taken for. A document that is two kinds at once is an attack on readers (CVE-2021-41190).
struct DocumentShape {
  bool valid = false;          // a JSON object, or the readable beginning of one
  bool has_manifests = false;  // "manifests": an index
  bool has_layers = false;     // "layers" or "config": a manifest
  bool is_schema1 = false;     // Docker's first form ("fsLayers"), which nobody makes any more
  std::string media_type;
};
DocumentShape document_shape(std::string_view text, const Limits& limits);

struct IndexDocument {
  std::string media_type, artifact_type;
  std::vector<Descriptor> manifests;
  std::vector<std::pair<std::string, std::string>> annotations;
  std::vector<Diagnostic> diagnostics;
};
IndexDocument parse_index(std::string_view text, const Limits& limits);

struct ManifestDocument {
  std::string media_type, artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  Digest subject;
  std::vector<std::pair<std::string, std::string>> annotations;
  std::vector<Diagnostic> diagnostics;
};
ManifestDocument parse_manifest(std::string_view text, const Limits& limits);

struct ConfigDocument {
  ImageConfig config;
  std::vector<Diagnostic> diagnostics;
};
ConfigDocument parse_config(std::string_view text, const Limits& limits);

// "os/architecture[/variant]", "" when the config names neither.
std::string platform_of(const ImageConfig& config);

// One image of docker save's manifest.json.
struct DockerArchiveImage {
  std::string config;               // name of the member
  std::vector<std::string> tags;    // "nginx:latest"
  std::vector<std::string> layers;  // names of members, lowest first
};
struct DockerArchiveDocument {
  std::vector<DockerArchiveImage> images;
  std::vector<Diagnostic> diagnostics;
};
DockerArchiveDocument parse_docker_archive_manifest(std::string_view text, const Limits& limits);

}  // namespace lazaret::format
