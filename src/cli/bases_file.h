// Where a user's table of base images (audit/lineage.h) and imported incidents (intel/incident_folder.h) are kept.
#pragma once

#include <string>

#include "audit/lineage.h"
#include "base/result.h"

namespace lazaret::cli {

// `given` (--bases), else $XDG_DATA_HOME/lazaret/bases, else ~/.local/share/lazaret/bases; "" when none of them can be told.
std::string bases_file(const std::string& given);

// `given` (--incidents), else the folder intel beside that table.
std::string incident_folder(const std::string& given);

// The table. A file that does not exist is an empty table.
Result<audit::BaseTable> read_bases(const std::string& given);

}  // namespace lazaret::cli
