// Phrases that the table, Markdown and HTML share.
#pragma once

#include <string>
#include <string_view>

#include "audit/report.h"

namespace lazaret::report {

std::string to_upper(std::string_view text);

// "/opt/a.tar.gz -> x/y.sh, line 4" with attacker text escaped; "config.Entrypoint".
std::string place_of(const audit::Finding& finding);

// "sha256:12ab34cd56ef (2 of 5, COPY run.sh /)"; "" for findings outside of layers.
std::string layer_of(const audit::Report& report, const audit::Finding& finding);

// "config.Entrypoint -> /run.sh:4 -> base64", "" without a chain.
std::string chain_of(const audit::Finding& finding);

}  // namespace lazaret::report
