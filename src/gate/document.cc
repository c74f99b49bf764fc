#include "gate/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "format/json.h"
#include "format/oci.h"

namespace lazaret::gate {
namespace {

using store::ManifestKind;
using store::Reference;
using store::ReferenceKind;

constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view oci_artifact = "application/vnd.oci.artifact.manifest.v1+json";  // of drafts of 1.1; still pushed by old clients
constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";

bool is_index_type(std::string_view type) { return type == oci_index || type == docker_list; }

bool is_image_config_type(std::string_view type) {
  return type == "application/vnd.oci.image.config.v1+json" || type == "application/vnd.docker.container.image.v1+json";
}

Error invalid(std::string message) { return {ErrorCode::invalid, std::move(message)}; }

// Keys that every reader gives a meaning to. Go takes them in any case, so that another case is another document to it.
constexpr std::array<std::string_view, 15> known_keys = {"schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType",
                                                         "digest",        "size",      "urls",   "data",   "platform",  "blobs",   "fsLayers"};

const std::string* key_in_other_case(const format::JsonValue& value, int depth) {
  if (const auto* array = value.as_array()) {
    for (const format::JsonValue& item : *array) {
      if (const std::string* bad = key_in_other_case(item, depth)) return bad;
    }
  }
  const auto* object = value.as_object();
  if (object == nullptr) return nullptr;
  for (const auto& [key, item] : *object) {
    for (const std::string_view known : known_keys) {
      if (key != known && equals_ignore_case(key, known)) return &key;
    }
    // The document and its descriptors; annotations may have any keys.
    if (depth < 2 && key != "annotations") {
      if (const std::string* bad = key_in_other_case(item, depth + 1)) return bad;
    }
  }
  return nullptr;
}

Result<Reference> reference_of(const format::Descriptor& descriptor, ReferenceKind kind, std::string_view what) {
  if (descriptor.digest.empty()) return invalid(fmt::format("the {} has no digest, or one that is malformed", what));
  if (!descriptor.data.empty() && (descriptor.data.size() != descriptor.size || hash(descriptor.digest.algorithm(), as_bytes(descriptor.data)) != descriptor.digest)) {
    return invalid(fmt::format("the embedded data of the {} is not what its digest {} names", what, descriptor.digest.str()));
  }
  return Reference{kind, descriptor.digest, descriptor.size, descriptor.media_type};
}

}  // namespace

bool is_manifest_type(std::string_view type) {
  return type == oci_manifest || type == oci_index || type == docker_manifest || type == docker_list || type == oci_artifact;
}

bool is_foreign_layer_type(std::string_view type) {
  return type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar") || type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar");
}

Result<PushedDocument> read_pushed_document(std::string_view bytes, std::string_view content_type, bool foreign_layers, const Limits& limits) {
  const format::JsonDocument json = format::parse_json(bytes, {static_cast<std::size_t>(limits.json_depth), 1'000'000, false});
  if (!json.valid || json.value.as_object() == nullptr) return invalid("the manifest is not a JSON object");
  if (!json.diagnostics.empty()) return invalid("the manifest can be read in more than one way: " + json.diagnostics.front().message);
  if (const std::string* key = key_in_other_case(json.value, 0)) return invalid(fmt::format("the key \"{}\" is not written as the specification has it", *key));
  const format::JsonValue& root = json.value;

  if (const format::JsonValue* version = root.find("schemaVersion"); version == nullptr || version->as_size() != std::optional<std::uint64_t>(2)) {
    return invalid("schemaVersion must be 2; an image of Docker's schema 1 must be pushed again with a current client");
  }
  PushedDocument document;
  document.media_type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
  const std::string_view written = root.text("mediaType");
  const bool index_like = root.find("manifests") != nullptr;
  const bool manifest_like = root.find("layers") != nullptr || root.find("config") != nullptr || root.find("blobs") != nullptr;
  if (index_like && manifest_like) return invalid("the document is an index to one program and a manifest to another");
  if (root.find("mediaType") != nullptr && root.find("mediaType")->as_string() == nullptr) return invalid("mediaType must be a text");
  // Programs that send everything as octets or plain JSON mean what the document says.
  if (!is_manifest_type(document.media_type) && (document.media_type.empty() || !written.empty())) {
    if (document.media_type.empty() || document.media_type == "application/json" || document.media_type == "application/octet-stream") {
      document.media_type = !written.empty() ? std::string(written) : std::string(index_like ? oci_index : oci_manifest);
    }
  }
  if (!is_manifest_type(document.media_type)) {
    return invalid(fmt::format("manifests of the type \"{}\" are not known here; known are {}, {}, {} and {}", document.media_type, oci_manifest, oci_index,
                               docker_manifest, docker_list));
  }
  if (!written.empty() && written != document.media_type) {
    return invalid(fmt::format("the manifest says that it is \"{}\", the request \"{}\"", written, document.media_type));
  }
  if (written.empty() && document.media_type.starts_with("application/vnd.docker.")) return invalid("a manifest of Docker's types must have a mediaType");
  if (is_index_type(document.media_type) != index_like) return invalid(fmt::format("the document has not the members of \"{}\"", document.media_type));

  const auto refuse = [&](const std::vector<Diagnostic>& diagnostics) -> Result<void> {
    for (const Diagnostic& diagnostic : diagnostics) {
      if (diagnostic.rule == "anomaly.foreign-layer" && foreign_layers) continue;
      if (diagnostic.rule == "anomaly.foreign-layer") {
        return invalid(diagnostic.message + ": its bytes would never be audited. Push the image with its layers in it (docker: \"allow-nondistributable-artifacts\")");
      }
      return invalid(diagnostic.message);
    }
    return {};
  };
  if (index_like) {
    if (root.find("manifests")->as_array() == nullptr) return invalid("manifests must be a list");
    document.kind = ManifestKind::index;
    const format::IndexDocument index = format::parse_index(bytes, limits);
    if (const auto fine = refuse(index.diagnostics); !fine) return fine.error();
    for (const format::Descriptor& descriptor : index.manifests) {
      const auto reference = reference_of(descriptor, ReferenceKind::manifest, "manifest");
      if (!reference) return reference.error();
      document.references.push_back(*reference);
    }
    document.artifact_type = index.artifact_type;
    document.annotations = index.annotations;
  } else {
    const bool artifact_form = document.media_type == oci_artifact;
    const char* const list = artifact_form ? "blobs" : "layers";
    if (const format::JsonValue* layers = root.find(list); layers == nullptr ? !artifact_form : layers->as_array() == nullptr) {
      return invalid(fmt::format("{} must be a list", list));
    }
    if (root.find(artifact_form ? "layers" : "blobs") != nullptr) return invalid("the document is a manifest of two types at once");
    const format::ManifestDocument manifest = format::parse_manifest(bytes, limits);
    if (const auto fine = refuse(manifest.diagnostics); !fine) return fine.error();
    if (!artifact_form) {
      const auto config = reference_of(manifest.config, ReferenceKind::config, "config");
      if (!config) return config.error();
      document.references.push_back(*config);
    }
    for (const format::Descriptor& descriptor : manifest.layers) {
      const auto layer = reference_of(descriptor, ReferenceKind::layer, "layer");
      if (!layer) return layer.error();
      document.references.push_back(*layer);
    }
    document.kind = is_image_config_type(manifest.config.media_type) ? ManifestKind::image : ManifestKind::artifact;
    document.artifact_type = manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
    document.annotations = manifest.annotations;
  }
  if (const format::JsonValue* subject = root.find("subject"); subject != nullptr && !subject->is_null()) {
    const auto digest = Digest::parse(subject->text("digest"));
    if (!digest) return invalid("the digest of the subject is malformed");
    document.subject = *digest;
  }
  return document;
}

}  // namespace lazaret::gate
