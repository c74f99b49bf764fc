// A difference between two images in the form somebody asked for.
#pragma once

#include <string>

#include "audit/image_diff.h"
#include "report/writer.h"

namespace lazaret::report {

// lazaret.diff/v1 (docs/diff.schema.json), as the report's JSON is written.
std::string to_json(const audit::ImageDiff& diff);

// For people on a terminal: risks first, then what is different, as much as a person reads.
std::string to_table(const audit::ImageDiff& diff, const TableStyle& style);

// GitHub-flavoured Markdown, for the request that updates the image.
std::string to_markdown(const audit::ImageDiff& diff);

// "high: the entrypoint now starts /wrapper.sh first, which no package owns"; "none: nothing in it looks risky" without a risk. Escaped.
std::string risk_line_of(const audit::ImageDiff& diff);

}  // namespace lazaret::report
