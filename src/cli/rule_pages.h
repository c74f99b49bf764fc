// The pages of docs/detectors: what can be found, written from what the code says of itself.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "audit/ruleset.h"

namespace lazaret::cli {

// (file name, Markdown): the index README.md first, then a page for each category, in the order of the categories. Without YARA rules.
std::vector<std::pair<std::string, std::string>> rule_pages(const audit::Ruleset& ruleset);

}  // namespace lazaret::cli
