// Documents of OCI images for tests.
#pragma once

#include <fmt/core.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "format/image.h"

namespace lazaret::source {

inline constexpr std::string_view index_type = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view manifest_type = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view config_type = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view layer_type = "application/vnd.oci.image.layer.v1.tar";

// Blobs by digest, put together to an image from its layers up.
struct OciBlobs {
  std::map<std::string, std::string> by_digest;

  std::string put(const std::string& bytes) {
    const std::string digest = sha256(as_bytes(bytes)).str();
    by_digest[digest] = bytes;
    return digest;
  }
  // "more" goes into the descriptor: `,"platform":{...}`.
  std::string descriptor(std::string_view type, const std::string& bytes,
                         std::string_view more = {}) {
    return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}{}}})", type, put(bytes),
                       bytes.size(), more);
  }
  std::string manifest(const std::string& architecture, const std::vector<std::string>& layers) {
    std::string list, diff_ids;
    for (const std::string& layer : layers) {
      list += (list.empty() ? "" : ",") + descriptor(layer_type, layer);
      diff_ids += (diff_ids.empty() ? "\"" : ",\"") + sha256(as_bytes(layer)).str() + "\"";
    }
    const std::string config = fmt::format(
        R"({{"os":"linux","architecture":"{}","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}})",
        architecture, diff_ids);
    return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}})",
                       manifest_type, descriptor(config_type, config), list);
  }
  // Of descriptors.
  static std::string index(const std::vector<std::string>& descriptors) {
    std::string list;
    for (const std::string& item : descriptors) list += (list.empty() ? "" : ",") + item;
    return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", index_type,
                       list);
  }
};

inline std::string platform(std::string_view architecture) {
  return fmt::format(R"(,"platform":{{"os":"linux","architecture":"{}"}})", architecture);
}
inline std::string ref_name(std::string_view name) {
  return fmt::format(R"(,"annotations":{{"org.opencontainers.image.ref.name":"{}"}})", name);
}

}  // namespace lazaret::source
