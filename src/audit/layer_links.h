// Entries whose folder is a symlink: where they land.
//
// A layer may name "/bin/x" while /bin is a symlink to usr/bin. Engines that unpack layer upon layer follow the link inside the root (containerd's fs.RootPath, umoci's SecureJoin), so that the
// file is /usr/bin/x and /bin stays a link. Nearly no image does this; one that does can bring a file to a place that its name does not say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "audit/layer_audit.h"

namespace lazaret::audit {

using LinkedEntries = std::map<std::pair<std::size_t, std::size_t>, std::string>;  // (layer, entry) -> path where it lands

// `layers`, lowest first. Only entries that land elsewhere than they say. At most some hundred thousand links are followed.
LinkedEntries linked_entries(const std::vector<const LayerAudit*>& layers);

}  // namespace lazaret::audit
