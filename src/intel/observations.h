// From the report of an audit to what the index of indicators keeps of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/report.h"
#include "detect/incident_data_support.h"
#include "store/indicator_store.h"

namespace lazaret::intel {

// More of one image are not indexed; those that were part of findings go before others.
constexpr std::size_t observations_limit = 1000;

// Each (kind, value) once, in order. Indicators, facts and layers of the report, and what follows from them: the host, the port and the file name of a
// URL. Of a known base image, of unmodified package files and of hosts that everybody uses (code and file hosting) nothing is taken but whole URLs.
std::vector<store::Observation> observe(const audit::Report& report);
// Repository and account as indicators, and the stems of their names ("mysql" of "mysql2").
void observe_place(const store::NodePlace& place, std::vector<store::Observation>& observations);
// Everything a known incident lists.
std::vector<store::Observation> observe(const detect::IncidentData& data, const detect::Incident& incident);

// A C2 address or URL and what it says: "c2" or "url", "host" or "domain", "port-file".
void observe_address(std::string_view address, bool flagged, std::vector<store::Observation>& observations);

// Lower case, without digits and separators at the end: "mysql" of "mysql-2"; "" when less than four letters are left.
std::string name_stem(std::string_view name);

// Sorted, each once, the flagged one of two kept.
void tidy(std::vector<store::Observation>& observations);

// Techniques of the findings that weigh something, each once, with blanks between.
std::string techniques_of(const audit::Report& report);

}  // namespace lazaret::intel
