// A report in the form somebody asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/report.h"
#include "audit/ruleset.h"

namespace lazaret::report {

enum class Format : std::uint8_t { table, json, sarif, markdown, html };
std::optional<Format> parse_format(std::string_view name);

struct TableStyle {
  bool colour = false;
  std::size_t width = 100;  // columns of the terminal
  bool quiet = false;       // verdict line only
};

// lazaret.report/v1 (docs/report.schema.json). `as_array`: one array of all reports; else the single report as an object. Ends with a newline. Always valid
// UTF-8: bytes of the image that are not are written as \xHH, control characters as JSON has them.
std::string to_json(const std::vector<audit::Report>& reports, bool as_array);

// For people on a terminal. Attacker text is escaped, so that it cannot move the cursor.
std::string to_table(const audit::Report& report, const TableStyle& style);

// SARIF 2.1.0: one run for all reports, rules with help texts, one result for each finding; the verdict stands in the run's properties.
std::string to_sarif(const std::vector<audit::Report>& reports, const audit::Ruleset& ruleset);

// GitHub-flavoured Markdown, for pull requests and tickets.
std::string to_markdown(const audit::Report& report);

// One self-contained HTML page: no scripts, nothing fetched, a Content-Security-Policy that forbids both.
std::string to_html(const std::vector<audit::Report>& reports);

}  // namespace lazaret::report
