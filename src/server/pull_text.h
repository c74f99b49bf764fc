// Entries of the ledger as text, for exports and archives.
#pragma once

#include <string>

#include "base/json_writer.h"
#include "store/ledger.h"

namespace lazaret::server {

void write_pull(JsonWriter& json, const store::Pull& pull);
// One line of JSON.
std::string to_json_line(const store::Pull& pull);

}  // namespace lazaret::server
