#include "detect/text_context_support.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace lazaret::detect {
namespace {

bool is_line_end(char c) {
  return c == '\n' || c == '\r' || c == '\0';
}

std::size_t clamp_offset(std::string_view text, std::uint64_t offset) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size()));
}

// Only what is a comment in the language itself: "//bin/sh" is a path in shell, "#define" is code
// in C.
bool is_comment_line(std::string_view line, format::Language language) {
  using format::Language;
  line = trim(line);
  switch (language) {
    case Language::c:
    case Language::java:
    case Language::go:
    case Language::node:
      return line.starts_with("//");
    case Language::php:
      return line.starts_with("//") || (line.starts_with('#') && !line.starts_with("#["));
    case Language::lua:
      return line.starts_with("--");
    default:
      return line.starts_with('#') && !line.starts_with("#!");
  }
}

}  // namespace

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view line_at(std::string_view text, std::uint64_t offset, std::size_t limit) {
  const std::size_t at = clamp_offset(text, offset);
  std::size_t begin = at, end = at;
  while (begin > 0 && at - begin < limit && !is_line_end(text[begin - 1])) --begin;
  while (end < text.size() && end - at < limit && !is_line_end(text[end])) ++end;
  return text.substr(begin, end - begin);
}

std::string_view logical_line_at(std::string_view text, std::uint64_t offset, std::size_t limit) {
  const std::size_t at = clamp_offset(text, offset);
  // A line end is part of the line when a backslash stands before it.
  const auto ends_line = [&](std::size_t i) {
    if (!is_line_end(text[i])) return false;
    if (text[i] == '\0') return true;
    std::size_t before = i;
    while (before > 0 && text[before - 1] == '\r') --before;
    return before == 0 || text[before - 1] != '\\';
  };
  std::size_t begin = at, end = at;
  while (begin > 0 && at - begin < limit && !ends_line(begin - 1)) --begin;
  while (end < text.size() && end - at < limit && !ends_line(end)) ++end;
  return text.substr(begin, end - begin);
}

std::string evidence_of(std::string_view text, std::uint64_t begin, std::uint64_t end) {
  constexpr std::size_t longest = 300;
  const std::size_t first = clamp_offset(text, begin);
  const std::size_t last = std::max(first, clamp_offset(text, end));
  const auto shows = [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  };
  const std::size_t match = std::min(last - first, longest);
  const std::size_t margin = (longest - match) / 2;
  std::size_t from = first, to = first + match;
  while (from > 0 && first - from < margin && shows(text[from - 1])) --from;
  const std::size_t room = longest - (to - from);
  const std::size_t stop = to + room;
  while (to < text.size() && to < stop && shows(text[to])) ++to;
  return std::string(trim(text.substr(from, to - from)));
}

bool stands_alone(std::string_view text, std::uint64_t begin, std::uint64_t end,
                  std::string_view joining) {
  const auto joins = [&](char c) {
    return is_word(c) || joining.find(c) != std::string_view::npos;
  };
  if (begin > 0 && begin <= text.size() && joins(text[static_cast<std::size_t>(begin) - 1]))
    return false;
  return end >= text.size() || !joins(text[static_cast<std::size_t>(end)]);
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string extension_of(std::string_view path) {
  const std::string_view name = base_name(path);
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  return to_lower(name.substr(dot + 1));
}

bool is_documentation(std::string_view path) {
  static constexpr std::array<std::string_view, 9> folders = {
      "/usr/share/doc/",     "/usr/share/man/",       "/usr/share/info/",
      "/usr/share/help/",    "/usr/local/share/doc/", "/usr/local/share/man/",
      "/usr/share/gtk-doc/", "/usr/share/licenses/",  "/usr/share/common-licenses/"};
  for (const std::string_view folder : folders) {
    if (path.starts_with(folder)) return true;
  }
  static constexpr std::array<std::string_view, 8> extensions = {"md",  "rst",  "adoc", "asciidoc",
                                                                 "mdx", "texi", "pod",  "markdown"};
  const std::string extension = extension_of(path);
  for (const std::string_view candidate : extensions) {
    if (extension == candidate) return true;
  }
  const std::string name = to_lower(base_name(path));
  static constexpr std::array<std::string_view, 7> names = {
      "readme", "changelog", "changes", "license", "copying", "news", "notice"};
  for (const std::string_view candidate : names) {
    if (name == candidate || (name.starts_with(candidate) && name.size() > candidate.size() &&
                              name[candidate.size()] == '.' && extension != "sh"))
      return true;
  }
  return false;
}

Role role_of(const FileView& file, std::uint64_t offset) {
  using format::FileKind;
  using format::Language;
  switch (file.origin) {
    case Origin::config:
    case Origin::environment:
      return Role::runs;
    case Origin::history:
    case Origin::metadata:
      return Role::record;
    case Origin::file:
      break;
  }
  switch (file.type.kind) {
    case FileKind::script:
      return is_comment_line(line_at(file.text(), offset), file.type.language) ? Role::prose
                                                                               : Role::runs;
    case FileKind::elf:
    case FileKind::pe:
    case FileKind::macho:
    case FileKind::java_class:
    case FileKind::python_bytecode:
    case FileKind::wasm:
      return Role::runs;
    case FileKind::text:
      if (file.type.language != Language::none) {
        return is_comment_line(line_at(file.text(), offset), file.type.language) ? Role::prose
                                                                                 : Role::runs;
      }
      return is_documentation(file.path) ? Role::prose : Role::settings;
    default:
      return is_documentation(file.path) ? Role::prose : Role::settings;
  }
}

}  // namespace lazaret::detect
