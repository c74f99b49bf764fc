// What an image's layers and history say together that none of them says alone: what is brought along and never seen, and histories that tell another story than the layers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "audit/root_file_system.h"
#include "format/image.h"

namespace lazaret::audit {

struct LayerRemark {
  std::string rule;  // of audit_rules()
  std::size_t layer = 0;
  std::string path;  // "" for the layer as a whole
  std::string evidence;
};

// Markers that act on nothing or on everything, entries that land elsewhere than they say, programs that a later layer hides. A few for each layer.
std::vector<LayerRemark> remarks_on_layers(const RootFileSystem& root);

// The history is written by whoever made the image, and much that is odd in it is innocent (squashed and rebased images, other builders). `layers`: lowest first.
std::vector<LayerRemark> remarks_on_history(const format::ImageConfig& config, const std::vector<const LayerAudit*>& layers);

}  // namespace lazaret::audit
