// From the top document of an OCI image to its manifests and configs.
//
// index -> index -> manifest -> config: a graph of documents that name each other by digest
// (image-spec, image-index.md and manifest.md). What a document is, is told by its own fields, not
// by the media type that somebody else gave it: one with both "manifests" and "layers" is one image
// to one program and another to the next (GHSA-77vh-xpmg-72qh), so both ways are followed. Loops
// cannot happen among honest digests and are cut for the others.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "format/image.h"
#include "source/delivery.h"
#include "source/source.h"

namespace lazaret::source {

struct GraphManifest {
  format::ManifestDescription description;
  // What the manifest names as layers, and for artifacts the config too: everything that is not
  // read as a document here. description.layers names the same, in the same order.
  std::vector<format::Descriptor> blobs;
  // Documents that it alone brought: (name, JSON).
  std::vector<std::pair<std::string, std::string>> documents;
  std::vector<Diagnostic> diagnostics;
  Unaudited unaudited;
};

class OciGraph {
 public:
  // Reads the document of a descriptor; at most the given number of bytes. What comes is hashed
  // here.
  using Read = std::function<Result<std::string>(const format::Descriptor&, std::uint64_t limit)>;
  // The BlobOffer::key of a blob.
  using KeyOf = std::function<std::string(const Digest&)>;

  OciGraph(Read read, KeyOf key_of, const SourceOptions& options)
      : read_(std::move(read)), key_of_(std::move(key_of)), options_(options) {}

  // Follows a descriptor. Each document is read once, however often it is named.
  void follow(const format::Descriptor& top);
  // The same for a top document that is at hand.
  void follow(const format::Descriptor& top, std::string document);

  // In the order in which the indexes name them.
  std::vector<GraphManifest> manifests;
  // Indexes: (name, JSON).
  std::vector<std::pair<std::string, std::string>> documents;
  std::vector<Diagnostic> diagnostics;
  Unaudited unaudited;

 private:
  bool visit(const format::Descriptor& descriptor, unsigned depth);
  void visit_document(const format::Descriptor& descriptor, std::string document, unsigned depth);
  void visit_index(const format::Descriptor& descriptor, const std::string& document,
                   unsigned depth);
  void visit_manifest(const format::Descriptor& descriptor, std::string document);
  void read_config(const format::Descriptor& config, GraphManifest& manifest);

  const Read read_;
  const KeyOf key_of_;
  const SourceOptions& options_;
  std::map<Digest, bool> visited_;  // and whether it could be read
};

// Whether the platform of a manifest is the one asked for: "linux/arm64" takes any variant.
bool platform_matches(std::string_view wanted, std::string_view platform);

// Leaves out the manifests of other platforms than options.platform; nothing is left out without
// one. ErrorCode::not_found, naming what there is, when none is left.
Result<void> select_platform(std::vector<GraphManifest>& manifests, const SourceOptions& options,
                             std::vector<GraphManifest>* left_out = nullptr);

// Moves what the graph found into the description: manifests, documents, diagnostics, unaudited.
void describe(OciGraph&& graph, std::vector<GraphManifest>&& selected,
              format::ImageDescription& image);

}  // namespace lazaret::source
