#include "cli/bases_file.h"

#include <cstdlib>
#include <filesystem>

#include "cli/output.h"

namespace lazaret::cli {

namespace {

std::string user_data(std::string_view name) {
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg == '/') return std::string(xdg) + "/lazaret/" + std::string(name);
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return std::string(home) + "/.local/share/lazaret/" + std::string(name);
  return "";
}

}  // namespace

std::string bases_file(const std::string& given) { return given.empty() ? user_data("bases") : given; }

std::string incident_folder(const std::string& given) { return given.empty() ? user_data("intel") : given; }

Result<audit::BaseTable> read_bases(const std::string& given) {
  const std::string file = bases_file(given);
  std::error_code error;
  if (file.empty() || (!std::filesystem::exists(file, error) && !error)) return audit::BaseTable();
  const auto text = read_text(file);
  if (!text) return text.error();
  return audit::BaseTable::parse(*text, file);
}

}  // namespace lazaret::cli
