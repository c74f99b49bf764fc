// The calls of libyara 4.2.3: compile, make small, scan. Only yara.cc needs them.
#pragma once

#include <yara.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/yara.h"
#include "engine/yara_condition.h"

namespace lazaret::engine {

struct YaraText {
  std::string name_space, file, text;  // file: for messages
};

struct YaraRulesDeleter {
  void operator()(YR_RULES* rules) const { yr_rules_destroy(rules); }
};
using CompiledYara = std::unique_ptr<YR_RULES, YaraRulesDeleter>;

// An error names file, line and what to do. A source that imports a module we do not offer is an error too.
Result<CompiledYara> compile_yara(std::span<const YaraText> sources);

// The same rules in less memory: what the compiler leaves takes 9 MiB at least, however few the rules are. `bytes`: about what they take now.
CompiledYara make_small(CompiledYara rules, std::size_t& bytes);

// The values of the text variables, in the order of yara_text_variables.
struct YaraVariables {
  explicit YaraVariables(const YaraFile& file);
  std::array<std::string, yara_text_variables.size()> values;
};

// Appends the matches of those rules to which `indexes` gives a number, and the first reason why the scan is not complete. `indexes` has an entry for each
// rule of `rules` in their order; no_index leaves a rule out.
inline constexpr std::size_t no_index = static_cast<std::size_t>(-1);
void scan_with(YR_RULES* rules, std::span<const std::size_t> indexes, Bytes content, const YaraVariables& variables, int timeout_seconds, YaraResult& result);

}  // namespace lazaret::engine
