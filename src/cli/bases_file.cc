#include "cli/bases_file.h"

#include <cstdlib>
#include <filesystem>

#include "cli/output.h"

namespace lazaret::cli {

std::string bases_file(const std::string& given) {
  if (!given.empty()) return given;
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg == '/') return std::string(xdg) + "/lazaret/bases";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return std::string(home) + "/.local/share/lazaret/bases";
  return "";
}

Result<audit::BaseTable> read_bases(const std::string& given) {
  const std::string file = bases_file(given);
  std::error_code error;
  if (file.empty() || (!std::filesystem::exists(file, error) && !error)) return audit::BaseTable();
  const auto text = read_text(file);
  if (!text) return text.error();
  return audit::BaseTable::parse(*text, file);
}

}  // namespace lazaret::cli
