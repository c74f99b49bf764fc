// A known incident as others take it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "detect/incident_data_support.h"
#include "intel/import.h"
#include "intel/story.h"

namespace lazaret::intel {

// As read_import() would give it.
Import import_of(const detect::IncidentData& data, const detect::Incident& incident);
// One value a line, with its type behind a '#': what plain lists can say.
std::string to_list(const Import& import);
// A story of the incident alone, for report::campaign_stix().
Story story_of(const Import& import);

}  // namespace lazaret::intel
