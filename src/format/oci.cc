#include "format/oci.h"

#include <array>
#include <set>

#include "base/base64.h"
#include "base/text.h"
#include "format/json.h"

namespace lazaret::format {
namespace {

using Annotations = std::vector<std::pair<std::string, std::string>>;

JsonDocument read(std::string_view text, const Limits& limits) {
  return parse_json(text, {static_cast<std::size_t>(limits.json_depth), 1'000'000, false});
}

void note(std::vector<Diagnostic>& diagnostics, std::string rule, std::string message) {
  diagnostics.push_back({std::move(rule), std::move(message), 0, false, 0});
}

std::vector<std::string> strings_of(const JsonValue* value) {
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (const std::string* single = value->as_string()) texts.push_back(*single);
  if (const auto* array = value->as_array()) {
    for (const JsonValue& item : *array) {
      if (const std::string* text = item.as_string()) texts.push_back(*text);
    }
  }
  return texts;
}

Annotations pairs_of(const JsonValue* value) {
  Annotations pairs;
  const auto* object = value == nullptr ? nullptr : value->as_object();
  if (object == nullptr) return pairs;
  for (const auto& [key, item] : *object) {
    if (const std::string* text = item.as_string()) pairs.emplace_back(key, *text);
  }
  return pairs;
}

std::string join_platform(std::string_view os, std::string_view architecture, std::string_view variant) {
  if (os.empty() && architecture.empty()) return "";
  std::string platform = std::string(os) + "/" + std::string(architecture);
  if (!variant.empty()) platform += "/" + std::string(variant);
  return platform;
}

Descriptor descriptor_of(const JsonValue& value, std::string_view what, std::vector<Diagnostic>& diagnostics) {
  Descriptor descriptor;
  descriptor.media_type = value.text("mediaType");
  descriptor.artifact_type = value.text("artifactType");
  if (const auto digest = Digest::parse(value.text("digest"))) {
    descriptor.digest = *digest;
  } else {
    diagnostics.push_back({"anomaly.descriptor-digest", "the digest of the " + std::string(what) + " is malformed: \"" + std::string(value.text("digest")) + "\"", 0, true, 0});
  }
  if (const JsonValue* size = value.find("size"); size != nullptr && size->as_size()) {
    descriptor.size = *size->as_size();
  } else {
    note(diagnostics, "anomaly.descriptor-size", "the size of the " + std::string(what) + " is missing or malformed");
  }
  descriptor.urls = strings_of(value.find("urls"));
  if (!descriptor.urls.empty()) {
    note(diagnostics, "anomaly.foreign-layer", "the " + std::string(what) + " is to be fetched from " + descriptor.urls.front());
  }
  descriptor.annotations = pairs_of(value.find("annotations"));
  if (const JsonValue* platform = value.find("platform")) {
    descriptor.platform = join_platform(platform->text("os"), platform->text("architecture"), platform->text("variant"));
  }
  if (const std::string_view data = value.text("data"); !data.empty()) {
    descriptor.data = decode_base64_letters(data);
    // A client may use `data` in place of the blob (image-spec, descriptor.md), so that it must be the blob.
    if (descriptor.digest.algorithm() == HashAlgorithm::sha256 && sha256(as_bytes(descriptor.data)) != descriptor.digest) {
      note(diagnostics, "integrity.descriptor-data", "the embedded data of the " + std::string(what) + " is not what its digest names");
    }
  }
  return descriptor;
}

// Every string below `value`, with its path, but for members in `taken`.
void collect_strings(const JsonValue& value, const std::string& path, const std::set<std::string_view>& taken, Annotations& out) {
  if (taken.contains(path)) return;
  if (const std::string* text = value.as_string()) {
    if (!text->empty()) out.emplace_back(path, *text);
  } else if (const auto* array = value.as_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) collect_strings((*array)[i], path + "[" + std::to_string(i) + "]", taken, out);
  } else if (const auto* object = value.as_object()) {
    for (const auto& [key, item] : *object) collect_strings(item, path.empty() ? key : path + "." + key, taken, out);
  }
}

}  // namespace

DocumentShape document_shape(std::string_view text, const Limits& limits) {
  DocumentShape shape;
  const JsonDocument document = read(text, limits);
  if (document.value.as_object() == nullptr) return shape;
  shape.valid = true;
  for (const auto& [key, value] : *document.value.as_object()) {
    // Go matches keys whatever their case, so a "Layers" is layers to an engine.
    if (equals_ignore_case(key, "manifests")) shape.has_manifests = true;
    if (equals_ignore_case(key, "layers") || equals_ignore_case(key, "config")) shape.has_layers = true;
    if (equals_ignore_case(key, "fsLayers")) shape.is_schema1 = true;
  }
  shape.media_type = document.value.text("mediaType");
  return shape;
}

IndexDocument parse_index(std::string_view text, const Limits& limits) {
  IndexDocument index;
  JsonDocument document = read(text, limits);
  index.diagnostics = std::move(document.diagnostics);
  const JsonValue& root = document.value;
  index.media_type = root.text("mediaType");
  index.artifact_type = root.text("artifactType");
  index.annotations = pairs_of(root.find("annotations"));
  const JsonValue* manifests = root.find("manifests");
  if (manifests == nullptr || manifests->as_array() == nullptr) {
    note(index.diagnostics, "anomaly.index-without-manifests", "the index has no list of manifests");
    return index;
  }
  for (const JsonValue& item : *manifests->as_array()) {
    if (index.manifests.size() >= limits.manifests) {
      index.diagnostics.push_back({"anomaly.index-size", "the index names more than " + std::to_string(limits.manifests) + " manifests", 0, true, 0});
      break;
    }
    index.manifests.push_back(descriptor_of(item, "manifest", index.diagnostics));
  }
  return index;
}

ManifestDocument parse_manifest(std::string_view text, const Limits& limits) {
  ManifestDocument manifest;
  JsonDocument document = read(text, limits);
  manifest.diagnostics = std::move(document.diagnostics);
  const JsonValue& root = document.value;
  manifest.media_type = root.text("mediaType");
  manifest.artifact_type = root.text("artifactType");
  manifest.annotations = pairs_of(root.find("annotations"));
  if (const JsonValue* config = root.find("config"); config != nullptr && config->as_object() != nullptr) {
    manifest.config = descriptor_of(*config, "config", manifest.diagnostics);
  }
  if (const JsonValue* subject = root.find("subject")) manifest.subject = Digest::parse(subject->text("digest")).value_or(Digest());
  const JsonValue* layers = root.find("layers");
  if (layers == nullptr) layers = root.find("blobs");  // the artifact manifest of OCI 1.1 drafts
  if (layers != nullptr && layers->as_array() != nullptr) {
    for (const JsonValue& item : *layers->as_array()) {
      if (manifest.layers.size() >= limits.layers) {
        manifest.diagnostics.push_back({"anomaly.manifest-size", "the manifest names more than " + std::to_string(limits.layers) + " layers", 0, true, 0});
        break;
      }
      manifest.layers.push_back(descriptor_of(item, "layer " + std::to_string(manifest.layers.size() + 1), manifest.diagnostics));
    }
  }
  if (root.find("fsLayers") != nullptr) {
    manifest.diagnostics.push_back({"anomaly.manifest-schema1", "this is a manifest of Docker's schema 1, which lazaret does not read: push the image again with a current client", 0, true, 0});
  }
  return manifest;
}

ConfigDocument parse_config(std::string_view text, const Limits& limits) {
  ConfigDocument result;
  JsonDocument document = read(text, limits);
  result.diagnostics = std::move(document.diagnostics);
  ImageConfig& config = result.config;
  const JsonValue& root = document.value;
  config.os = root.text("os");
  config.architecture = root.text("architecture");
  config.variant = root.text("variant");
  config.author = root.text("author");
  if (const JsonValue* run = root.find("config")) {
    config.user = run->text("User");
    config.working_dir = run->text("WorkingDir");
    config.stop_signal = run->text("StopSignal");
    config.entrypoint = strings_of(run->find("Entrypoint"));
    config.cmd = strings_of(run->find("Cmd"));
    config.shell = strings_of(run->find("Shell"));
    config.onbuild = strings_of(run->find("OnBuild"));
    config.env = strings_of(run->find("Env"));
    config.labels = pairs_of(run->find("Labels"));
    const auto names = [&](std::string_view key) {
      std::vector<std::string> list;
      if (const JsonValue* value = run->find(key); value != nullptr && value->as_object() != nullptr) {
        for (const auto& [name, empty] : *value->as_object()) list.push_back(name);
      }
      return list;
    };
    config.volumes = names("Volumes");
    config.exposed_ports = names("ExposedPorts");
    if (const JsonValue* health = run->find("Healthcheck")) config.healthcheck = strings_of(health->find("Test"));
  }
  if (const JsonValue* rootfs = root.find("rootfs")) {
    for (const std::string& name : strings_of(rootfs->find("diff_ids"))) {
      if (config.diff_ids.size() >= limits.layers) break;
      const auto digest = Digest::parse(name);
      if (!digest) note(result.diagnostics, "anomaly.config-diff-id", "a diff_id of the config is malformed: \"" + name + "\"");
      config.diff_ids.push_back(digest.value_or(Digest()));
    }
  }
  if (const JsonValue* history = root.find("history"); history != nullptr && history->as_array() != nullptr) {
    for (const JsonValue& item : *history->as_array()) {
      if (config.history.size() >= 4 * limits.layers) break;
      ImageConfig::History step{std::string(item.text("created_by")), std::string(item.text("comment")), std::string(item.text("author")), false};
      if (const JsonValue* empty = item.find("empty_layer"); empty != nullptr && empty->as_bool() != nullptr) step.empty_layer = *empty->as_bool();
      config.history.push_back(std::move(step));
    }
  }
  static const std::set<std::string_view> taken = {"os", "architecture", "variant", "author", "rootfs", "history", "config.User", "config.WorkingDir", "config.StopSignal",
                                                   "config.Entrypoint", "config.Cmd", "config.Shell", "config.OnBuild", "config.Env", "config.Labels", "config.Volumes",
                                                   "config.ExposedPorts", "config.Healthcheck.Test", "created"};
  collect_strings(root, "", taken, config.other_strings);
  return result;
}

std::string platform_of(const ImageConfig& config) { return join_platform(config.os, config.architecture, config.variant); }

DockerArchiveDocument parse_docker_archive_manifest(std::string_view text, const Limits& limits) {
  DockerArchiveDocument result;
  JsonDocument document = read(text, limits);
  result.diagnostics = std::move(document.diagnostics);
  const auto* images = document.value.as_array();
  if (images == nullptr) {
    note(result.diagnostics, "anomaly.docker-archive-manifest", "manifest.json is not a list of images");
    return result;
  }
  for (const JsonValue& item : *images) {
    if (result.images.size() >= limits.manifests) {
      result.diagnostics.push_back({"anomaly.index-size", "manifest.json names more than " + std::to_string(limits.manifests) + " images", 0, true, 0});
      break;
    }
    DockerArchiveImage image{std::string(item.text("Config")), strings_of(item.find("RepoTags")), strings_of(item.find("Layers"))};
    if (image.layers.size() > limits.layers) {
      image.layers.resize(limits.layers);
      result.diagnostics.push_back({"anomaly.manifest-size", "an image of manifest.json has more than " + std::to_string(limits.layers) + " layers", 0, true, 0});
    }
    result.images.push_back(std::move(image));
  }
  return result;
}

}  // namespace lazaret::format
