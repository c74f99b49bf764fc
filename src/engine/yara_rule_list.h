// What is said of rules besides their conditions (names, tags, metadata), as libyara lists it, in a form that can be kept: the next start with the same sources
// need not compile them all to know that they compile.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/yara.h"
#include "engine/yara_library.h"

namespace lazaret::engine {

std::vector<YaraRule> list_rules(YR_RULES* compiled);

std::string write_rule_list(const std::vector<YaraRule>& rules);
// Nothing when `bytes` is not what write_rule_list() gave.
std::optional<std::vector<YaraRule>> read_rule_list(std::string_view bytes);

}  // namespace lazaret::engine
