// Compiled patterns kept in a file, so that the next start does not compile them.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "engine/pattern_database.h"

namespace lazaret::engine {

// From `file` when it holds a database that save() wrote, else compiled and written there. A damaged or half-written file reads as none. The caller's file
// name says which patterns they are. "" for no file.
Result<std::unique_ptr<PatternDatabase>> saved_or_compiled(const std::string& file, std::span<const Pattern> patterns);

}  // namespace lazaret::engine
