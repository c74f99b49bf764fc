// Where imported incidents lie: a folder with one file each, in the form of rules/incidents. For `scan` that of the user, for `serve` DATA/intel.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "detect/incident_data_support.h"

namespace lazaret::intel {

// Every *.toml, by name; nothing when there is no such folder. An error names the file that cannot be read or is too large.
Result<std::vector<detect::DataFile>> read_incident_folder(const std::string& folder);
// In place of one of the same id, at once and wholly. The folder is made when it is not there. `id`: is_incident_id().
Result<void> write_incident(const std::string& folder, const std::string& id, const std::string& text);
// False: there was none.
Result<bool> remove_incident(const std::string& folder, const std::string& id);

}  // namespace lazaret::intel
