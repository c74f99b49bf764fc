#include "format/source_references.h"

#include <algorithm>

namespace lazaret::format {
namespace {

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' || c == '-' || c == '+' || c == '@' ||
         c == '%';
}

bool has_program_extension(std::string_view path) {
  for (const std::string_view extension : {".sh", ".bash", ".py", ".pl", ".pm", ".php", ".rb", ".js", ".mjs", ".cjs", ".lua", ".so", ".elf", ".bin", ".inc"}) {
    if (path.size() > extension.size() && path.ends_with(extension)) return true;
  }
  return false;
}

// `import a.b, c` and `from a.b import c`
void read_python_import(std::string_view line, std::uint64_t offset, std::vector<SourceReference>& result, std::size_t limit) {
  const auto begin = std::min(line.find_first_not_of(" \t"), line.size());
  std::string_view rest = line.substr(begin);
  const bool from = rest.starts_with("from ");
  if (!from && !rest.starts_with("import ")) return;
  rest.remove_prefix(from ? 5 : 7);
  while (!rest.empty() && result.size() < limit) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t,"), rest.size()));
    std::size_t end = 0;
    while (end < rest.size() && is_path_character(rest[end]) && rest[end] != '/' && rest[end] != '-') ++end;
    if (end == 0) return;
    std::string module(rest.substr(0, end));
    module.erase(0, std::min(module.find_first_not_of('.'), module.size()));
    std::replace(module.begin(), module.end(), '.', '/');
    if (!module.empty() && module.size() < 256) result.push_back({std::move(module), true, offset + begin});
    rest.remove_prefix(end);
    const auto comma = rest.find(',');
    if (from || comma == std::string_view::npos) return;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

std::vector<SourceReference> source_references(std::string_view text, Language language, std::size_t limit) {
  std::vector<SourceReference> result;
  if (language == Language::python) {
    for (std::size_t at = 0; at < text.size() && result.size() < limit;) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (end - at < 512) read_python_import(text.substr(at, end - at), at, result, limit);
      at = end + 1;
    }
  }
  // Runs of path characters inside of quotes that begin like a path or end like a program.
  for (std::size_t at = 0; at < text.size() && result.size() < limit;) {
    const char quote = text[at];
    if (quote != '"' && quote != '\'' && quote != '`') {
      ++at;
      continue;
    }
    const std::size_t begin = at + 1;
    std::size_t end = begin;
    while (end < text.size() && text[end] != quote && text[end] != '\n' && end - begin < 4096) end += text[end] == '\\' ? 2 : 1;
    end = std::min(end, text.size());
    for (std::size_t i = begin; i < end && result.size() < limit;) {
      if (!is_path_character(text[i])) {
        ++i;
        continue;
      }
      std::size_t stop = i;
      while (stop < end && is_path_character(text[stop])) ++stop;
      const std::string_view word = text.substr(i, stop - i);
      const bool whole = i == begin && stop == end;
      const bool path = word.size() > 2 && word.size() < 1024 &&
                        (word[0] == '/' || word.starts_with("./") || word.starts_with("../") || has_program_extension(word) ||
                         (whole && (word.find('/') != std::string_view::npos || text.substr(0, at).ends_with("require_relative "))));
      if (path && word.find("//") == std::string_view::npos) result.push_back({std::string(word), false, i});
      i = stop;
    }
    at = end + 1;
  }
  return result;
}

}  // namespace lazaret::format
