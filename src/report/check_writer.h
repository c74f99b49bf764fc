// What `lazaret check` found, in the form somebody asked for.
#pragma once

#include <string>

#include "host/check.h"
#include "report/writer.h"

namespace lazaret::report {

// lazaret.check/v1 (docs/check.schema.json), with findings as in lazaret.report/v1.
std::string to_json(const host::CheckReport& report);

// For people on a terminal. Attacker text is escaped.
std::string to_table(const host::CheckReport& report, const TableStyle& style);

}  // namespace lazaret::report
