#include "base/csv.h"

#include "base/text.h"

namespace lazaret {

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += ',';
    // The first character counts, and so does one behind spaces.
    const auto first = field.find_first_not_of(" \t\r\n");
    const bool formula = !field.empty() && (static_cast<unsigned char>(field.front()) < 0x20 || (first != std::string::npos && std::string_view("=+-@|%").find(field[first]) != std::string_view::npos));
    std::string text = formula ? "'" : "";
    text += escape(field);
    if (text.find_first_of(",\"'; ") == std::string::npos) {
      line += text;
      continue;
    }
    line += '"';
    for (const char c : text) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\r\n";
}

}  // namespace lazaret
