#include "report/terminal_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace lazaret::report {

std::string Paint::operator()(const char* code, std::string_view text) const { return on ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text); }

const char* colour_of(audit::Verdict verdict) {
  switch (verdict) {
    case audit::Verdict::malicious: return "1;97;41";
    case audit::Verdict::suspicious: return "1;30;43";
    case audit::Verdict::incomplete: return "1;30;46";
    case audit::Verdict::clean: return "1;30;42";
  }
  return "0";
}

const char* colour_of(detect::Severity severity) {
  switch (severity) {
    case detect::Severity::critical: return "1;31";
    case detect::Severity::high: return "31";
    case detect::Severity::medium: return "33";
    default: return "2";
  }
}

std::string wrap(std::string_view text, std::size_t width, std::string_view indent) {
  std::string out;
  std::size_t column = indent.size();
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, space);
    if (column > indent.size() && column + 1 + word.size() > width) {
      while (out.ends_with(' ')) out.pop_back();
      out += "\n" + std::string(indent);
      column = indent.size();
    } else if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    while (column + word.size() > width && width > indent.size() + 8) {
      std::size_t part = width - column;
      while (part > 1 && (static_cast<unsigned char>(word[part]) & 0xc0) == 0x80) --part;  // not inside a character
      out += word.substr(0, part);
      out += "\n" + std::string(indent);
      word.remove_prefix(part);
      column = indent.size();
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out;
}

}  // namespace lazaret::report
