#include "report/markdown_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace lazaret::report {

std::string markdown_plain(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : escape(text, limit)) {
    if (std::string_view("\\`*_{}[]<>()#+-!|~@&:").find(c) != std::string_view::npos) {
      if (c == '<') {
        out += "&lt;";
        continue;
      }
      if (c == '>') {
        out += "&gt;";
        continue;
      }
      if (c == '&') {
        out += "&amp;";
        continue;
      }
      if (c == '@' || c == ':') {  // no mention, no automatic link
        out += fmt::format("&#{};", static_cast<int>(c));
        continue;
      }
      out.push_back('\\');
    }
    out.push_back(c);
  }
  return out;
}

std::string markdown_code(std::string_view text) { return markdown_code(std::vector<std::string>{std::string(text)}); }

std::string markdown_code(const std::vector<std::string>& lines) {
  std::string body;
  for (const std::string& line : lines) body += escape(line, 400) + "\n";
  std::size_t longest = 0, run = 0;
  for (const char c : body) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "\n" + body + fence + "\n";
}

}  // namespace lazaret::report
