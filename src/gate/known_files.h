// Files by which an image is tied to others that were taken down.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/image_auditor.h"
#include "audit/report.h"
#include "store/metadata_store.h"

namespace lazaret::gate {

// Of one layer; beyond, what no package claims goes before what one does, and then the order is that of the digests, which is the same in every image.
constexpr std::size_t most_carried_files = 5000;

// What the store remembers of each layer: what the publisher brought, files in which a finding stands that weighs `convicting` or more, and, first of all,
// whatever is in `buried`.
std::map<Digest, std::vector<store::CarriedFile>> carried_files(const audit::ImageAuditor& auditor, const audit::Report& report,
                                                                const std::vector<const audit::LayerAudit*>& layers, int convicting,
                                                                const std::set<store::FileContent>& buried);

// The file of the manifest's layers that says most against it; nothing when none is known.
std::optional<store::FileTombstone> known_file(store::Reader& reader, const Digest& manifest);
// For people.
std::string explain(const store::FileTombstone& file);

}  // namespace lazaret::gate
