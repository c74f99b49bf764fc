// Parts of the forms of a report that other documents have too.
#pragma once

#include <string>

#include "audit/report.h"
#include "base/json_writer.h"
#include "report/writer.h"

namespace lazaret::report {

// The findings as the table shows them, without verdict, indicators and image.
std::string findings_text(const audit::Report& report, const TableStyle& style);

// Finding, indicator and part that was not audited, as in lazaret.report/v1.
void write_finding(JsonWriter& json, const audit::Finding& finding);
void write_indicator(JsonWriter& json, const detect::Indicator& indicator);
void write_incomplete(JsonWriter& json, const audit::Incomplete& part);

}  // namespace lazaret::report
