#include "engine/saved_patterns.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/digest.h"

namespace lazaret::engine {
namespace {

std::unique_ptr<PatternDatabase> load_saved(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) return nullptr;
  const std::string bytes = text.str();
  if (bytes.size() < 64 || sha256(as_bytes(std::string_view(bytes).substr(64))).hex() != bytes.substr(0, 64)) return nullptr;
  return PatternDatabase::load(as_bytes(std::string_view(bytes).substr(64)));
}

// The checksum stands in front.
void save(const std::string& file, const std::string& bytes) {
  if (bytes.empty()) return;
  const std::string partial = file + "." + std::to_string(::getpid());
  {
    std::ofstream out(partial, std::ios::binary | std::ios::trunc);
    out << sha256(as_bytes(bytes)).hex() << bytes;
    if (!out.flush()) {
      ::unlink(partial.c_str());
      return;
    }
  }
  if (std::rename(partial.c_str(), file.c_str()) != 0) ::unlink(partial.c_str());
}

}  // namespace

Result<std::unique_ptr<PatternDatabase>> saved_or_compiled(const std::string& file, std::span<const Pattern> patterns) {
  if (!file.empty()) {
    if (auto saved = load_saved(file); saved != nullptr) return saved;
  }
  auto database = PatternDatabase::compile(patterns);
  if (database && !file.empty()) save(file, (*database)->save());
  return database;
}

}  // namespace lazaret::engine
