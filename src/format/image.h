// What an image is, as its manifests and configs say: the meeting point of sources, audit and
// report.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/diagnostic.h"
#include "base/digest.h"

namespace lazaret::format {

using lazaret::Diagnostic;

// OCI descriptor (image-spec, descriptor.md).
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::vector<std::string> urls;
  std::string data;  // decoded `data` field; "" when absent
  std::vector<std::pair<std::string, std::string>> annotations;
  std::string artifact_type;
  std::string platform;  // "os/arch[/variant]"; "" when absent
};

// OCI image config (image-spec, config.md) and Docker's superset of it. Absent fields are empty.
struct ImageConfig {
  std::string os, architecture, variant;
  std::string user, working_dir, stop_signal;
  std::vector<std::string> entrypoint, cmd, shell, onbuild;
  std::vector<std::string> env;  // "NAME=value", in order
  std::vector<std::string> volumes, exposed_ports;
  std::vector<std::pair<std::string, std::string>> labels;
  // Healthcheck.Test: {"NONE"}, {"CMD", ...}, {"CMD-SHELL", "text"}; empty when absent.
  std::vector<std::string> healthcheck;
  std::vector<Digest> diff_ids;
  struct History {
    std::string created_by, comment, author;
    bool empty_layer = false;
  };
  std::vector<History> history;
  std::string author;
  // Every other string of the document, with its JSON path, so that nothing in a config goes
  // unread.
  std::vector<std::pair<std::string, std::string>> other_strings;
};

// How the bytes that a source delivers for a layer come to be.
enum class LayerForm : std::uint8_t {
  shipped,   // as the descriptor names them
  unpacked,  // the decoded layer, put together again byte for byte: the diff_id holds, the encoding is gone
  rebuilt,   // a tar made from a folder: neither can hold
};

// One layer as a manifest names it. `key` is the BlobOffer::key under which the source delivers its
// bytes.
struct LayerReference {
  std::string key;
  Descriptor descriptor;
  LayerForm form = LayerForm::shipped;
};

// One manifest of an image (an index has several) with its config.
struct ManifestDescription {
  Digest
      digest;  // of the manifest's bytes; for docker-archive of the config's bytes (the image ID)
  std::string media_type;
  std::string platform;     // "linux/amd64"; from the config, else from the index
  Digest config_digest;     // computed from the config's bytes
  std::string config_json;  // the exact bytes
  ImageConfig config;
  std::vector<LayerReference> layers;  // lowest first
  std::vector<std::pair<std::string, std::string>> annotations;
  std::string artifact_type;
  bool is_image =
      true;  // false: an artifact (attestation, chart, ...); its blobs are audited as bytes
};

// The whole of one target after its blobs were delivered.
struct ImageDescription {
  std::string reference;  // what the user asked for, normalised ("docker.io/library/nginx:latest");
                          // no host path in it
  Digest digest;          // of the top document (index or manifest)
  std::string media_type;  // of the top document
  std::vector<ManifestDescription> manifests;
  // Raw JSON documents (manifests, indexes, other small members) with the name each had: audited as
  // text too.
  std::vector<std::pair<std::string, std::string>> documents;
  std::vector<Diagnostic> diagnostics;
  // Parts that could not be fetched or read: (what, why). Each makes the audit incomplete.
  std::vector<std::pair<std::string, std::string>> unaudited;
};

}  // namespace lazaret::format
