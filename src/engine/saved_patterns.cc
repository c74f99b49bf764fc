#include "engine/saved_patterns.h"

#include "engine/saved_file.h"

namespace lazaret::engine {

Result<std::unique_ptr<PatternDatabase>> saved_or_compiled(const std::string& file, std::span<const Pattern> patterns) {
  if (!file.empty()) {
    if (const auto saved = load_file(file)) {
      if (auto database = PatternDatabase::load(as_bytes(*saved)); database != nullptr) return database;
    }
  }
  auto database = PatternDatabase::compile(patterns);
  if (database && !file.empty()) {
    if (const std::string bytes = (*database)->save(); !bytes.empty()) save_file(file, bytes);
  }
  return database;
}

}  // namespace lazaret::engine
