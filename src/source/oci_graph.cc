#include "source/oci_graph.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "format/oci.h"

namespace lazaret::source {
namespace {

constexpr std::size_t max_diagnostics = 1000;

void add_all(std::vector<Diagnostic>& to, const std::vector<Diagnostic>& from) {
  for (const auto& diagnostic : from) {
    if (to.size() < max_diagnostics) to.push_back(diagnostic);
  }
}

// Whether the bytes are what the descriptor promises.
void check(const format::Descriptor& descriptor, std::string_view what, const std::string& bytes,
           std::vector<Diagnostic>& diagnostics) {
  if (!descriptor.digest.empty()) {
    const Digest computed = hash(descriptor.digest.algorithm(), as_bytes(bytes));
    if (computed != descriptor.digest)
      diagnostics.push_back({fmt::format("anomaly.{}-digest", what),
                             fmt::format("The {} named {} has the digest {}.", what,
                                         descriptor.digest.str(), computed.str()),
                             0, false, bytes.size()});
  }
  if (descriptor.size != 0 && descriptor.size != bytes.size())
    diagnostics.push_back({fmt::format("anomaly.{}-size", what),
                           fmt::format("The {} {} has {} bytes; {} were declared.", what,
                                       descriptor.digest.str(), bytes.size(), descriptor.size),
                           0, false, bytes.size()});
}

bool is_index_type(std::string_view media_type) {
  return media_type == "application/vnd.oci.image.index.v1+json" ||
         media_type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

bool is_config_type(std::string_view media_type) {
  return media_type == "application/vnd.oci.image.config.v1+json" ||
         media_type == "application/vnd.docker.container.image.v1+json";
}

}  // namespace

void OciGraph::follow(const format::Descriptor& top) {
  if (!visit(top, 0))
    unaudited.emplace_back(top.digest.str(), "the document is missing from the target");
}

void OciGraph::follow(const format::Descriptor& top, std::string document) {
  visited_[top.digest] = true;
  visit_document(top, std::move(document), 0);
}

// False when the document is not there.
bool OciGraph::visit(const format::Descriptor& descriptor, unsigned depth) {
  const std::string name = descriptor.digest.str();
  const auto [known, first] = visited_.try_emplace(descriptor.digest, true);
  if (!first) return known->second;
  if (depth > options_.limits.index_depth) {
    unaudited.emplace_back(name, fmt::format("indexes nested more than {} deep",
                                             options_.limits.index_depth));
    return true;
  }
  if (visited_.size() > options_.limits.manifests) {
    unaudited.emplace_back(name, fmt::format("more than {} manifests", options_.limits.manifests));
    return true;
  }
  auto document = read_(descriptor, options_.limits.manifest_bytes);
  if (!document) {
    known->second = document.error().code != ErrorCode::not_found;
    if (known->second) unaudited.emplace_back(name, document.error().message);
    return known->second;
  }
  visit_document(descriptor, std::move(*document), depth);
  return true;
}

void OciGraph::visit_document(const format::Descriptor& descriptor, std::string document,
                              unsigned depth) {
  const auto shape = format::document_shape(document, options_.limits);
  const bool both = shape.has_manifests && shape.has_layers;
  if (shape.has_manifests || (is_index_type(descriptor.media_type) && !shape.has_layers))
    visit_index(descriptor, document, depth);
  if (both)
    diagnostics.push_back({"anomaly.manifest-and-index",
                           fmt::format("The document {} is an index to one program and a manifest "
                                       "to another.",
                                       descriptor.digest.str()),
                           0, false, document.size()});
  if (shape.has_layers || !(shape.has_manifests || is_index_type(descriptor.media_type)))
    visit_manifest(descriptor, std::move(document));
}

void OciGraph::visit_index(const format::Descriptor& descriptor, const std::string& document,
                           unsigned depth) {
  check(descriptor, "index", document, diagnostics);
  const auto index = format::parse_index(document, options_.limits);
  add_all(diagnostics, index.diagnostics);
  documents.emplace_back("index " + descriptor.digest.str(), document);
  std::vector<const format::Descriptor*> missing;
  for (const auto& child : index.manifests) {
    if (!visit(child, depth + 1)) missing.push_back(&child);
  }
  // An engine that pulled one platform keeps the whole index: what it did not pull is no part of the
  // target. When nothing of an index is there, the image is not there.
  for (const auto* child : missing) {
    const std::string name =
        child->digest.str() + (child->platform.empty() ? "" : " (" + child->platform + ")");
    if (missing.size() == index.manifests.size()) {
      unaudited.emplace_back(name, "the manifest is missing from the target");
    } else if (diagnostics.size() < max_diagnostics) {
      diagnostics.push_back({"anomaly.platform-not-present",
                             fmt::format("The index names the manifest {}, which is not part of "
                                         "the target.",
                                         name),
                             0, false, 0});
    }
  }
}

void OciGraph::visit_manifest(const format::Descriptor& descriptor, std::string document) {
  GraphManifest result;
  check(descriptor, "manifest", document, result.diagnostics);
  auto manifest = format::parse_manifest(document, options_.limits);
  add_all(result.diagnostics, manifest.diagnostics);
  auto& description = result.description;
  description.digest = descriptor.digest.empty() ? sha256(as_bytes(document)) : descriptor.digest;
  description.media_type =
      manifest.media_type.empty() ? descriptor.media_type : manifest.media_type;
  description.platform = descriptor.platform;
  description.annotations = std::move(manifest.annotations);
  description.artifact_type = std::move(manifest.artifact_type);
  description.is_image = is_config_type(manifest.config.media_type);
  result.documents.emplace_back("manifest " + description.digest.str(), std::move(document));

  // The config of an artifact may be anything, so that it is a blob like its layers.
  if (description.is_image) {
    read_config(manifest.config, result);
  } else if (!manifest.config.digest.empty()) {
    result.blobs.push_back(std::move(manifest.config));
  }
  for (auto& layer : manifest.layers) {
    if (result.blobs.size() >= options_.limits.layers) {
      result.unaudited.emplace_back(
          description.digest.str(),
          fmt::format("the manifest has more than {} layers", options_.limits.layers));
      break;
    }
    result.blobs.push_back(std::move(layer));
  }
  for (const auto& blob : result.blobs)
    description.layers.push_back({key_of_(blob.digest), blob});
  manifests.push_back(std::move(result));
}

void OciGraph::read_config(const format::Descriptor& config, GraphManifest& manifest) {
  auto bytes = read_(config, options_.limits.config_bytes);
  if (!bytes) {
    manifest.unaudited.emplace_back("config " + config.digest.str(), bytes.error().message);
    return;
  }
  check(config, "config", *bytes, manifest.diagnostics);
  auto& description = manifest.description;
  auto parsed = format::parse_config(*bytes, options_.limits);
  add_all(manifest.diagnostics, parsed.diagnostics);
  description.config = std::move(parsed.config);
  const std::string platform = format::platform_of(description.config);
  if (!platform.empty()) {
    if (!description.platform.empty() && !platform_matches(platform, description.platform) &&
        !platform_matches(description.platform, platform))
      manifest.diagnostics.push_back(
          {"anomaly.platform-mismatch",
           fmt::format("The index says {}, the config says {}.", description.platform, platform), 0,
           false, 0});
    description.platform = platform;
  }
  description.config_digest = sha256(as_bytes(*bytes));
  description.config_json = std::move(*bytes);
}

bool platform_matches(std::string_view wanted, std::string_view platform) {
  if (wanted == platform) return true;
  return platform.size() > wanted.size() && platform.starts_with(wanted) &&
         platform[wanted.size()] == '/' &&
         std::count(wanted.begin(), wanted.end(), '/') == 1;
}

Result<void> select_platform(std::vector<GraphManifest>& manifests, const SourceOptions& options,
                             std::vector<GraphManifest>* left_out) {
  if (options.platform.empty()) return {};
  std::vector<GraphManifest> selected;
  std::string present;
  for (auto& manifest : manifests) {
    const std::string& platform = manifest.description.platform;
    if (platform_matches(options.platform, platform)) {
      selected.push_back(std::move(manifest));
      continue;
    }
    if (!platform.empty() && present.find(platform) == std::string::npos && present.size() < 500)
      present += (present.empty() ? "" : ", ") + platform;
    if (left_out != nullptr) left_out->push_back(std::move(manifest));
  }
  if (selected.empty())
    return Error{ErrorCode::not_found,
                 fmt::format("there is no image for the platform {}{}", options.platform,
                             present.empty() ? "" : "; there is " + present)};
  manifests = std::move(selected);
  return {};
}

void describe(OciGraph&& graph, std::vector<GraphManifest>&& selected,
              format::ImageDescription& image) {
  const auto move_all = [](auto& from, auto& to) {
    for (auto& item : from) to.push_back(std::move(item));
  };
  move_all(graph.documents, image.documents);
  move_all(graph.diagnostics, image.diagnostics);
  move_all(graph.unaudited, image.unaudited);
  for (auto& manifest : selected) {
    move_all(manifest.documents, image.documents);
    move_all(manifest.diagnostics, image.diagnostics);
    move_all(manifest.unaudited, image.unaudited);
    image.manifests.push_back(std::move(manifest.description));
  }
}

}  // namespace lazaret::source
