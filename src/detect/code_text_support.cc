#include "detect/code_text_support.h"

#include <algorithm>

#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

bool is_name(char c) { return is_word(c) || c == '$'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

std::string mask_code(std::string_view text, CodeStyle style) {
  std::string code(text.size(), ' ');
  const bool islands = style == CodeStyle::php || style == CodeStyle::server;
  const std::string_view open = style == CodeStyle::php ? "<?" : "<%", close = style == CodeStyle::php ? "?>" : "%>";
  bool inside = !islands;
  const auto starts = [&](std::size_t at, std::string_view what) { return text.substr(at, what.size()) == what; };
  std::size_t at = 0;
  const auto skip_to = [&](std::string_view what) {
    const auto end = text.find(what, at);
    at = end == std::string_view::npos ? text.size() : end + what.size();
  };
  while (at < text.size()) {
    if (!inside) {
      const auto next = text.find(open, at);
      if (next == std::string_view::npos) break;
      at = next + 2;
      inside = true;
      code[at - 1] = ';';
      if (starts(at, "php")) at += 3;
      continue;
    }
    const char c = text[at];
    if (islands && starts(at, close)) {
      inside = false;
      code[at] = ';';
      at += 2;
      continue;
    }
    const bool c_comments = style != CodeStyle::hash;
    const bool hash_comments = style == CodeStyle::hash || style == CodeStyle::php;
    if (c_comments && starts(at, "/*")) {
      at += 2;
      skip_to("*/");
      continue;
    }
    if ((c_comments && starts(at, "//")) || (hash_comments && c == '#' && !(style == CodeStyle::hash && at > 0 && (text[at - 1] == '$' || text[at - 1] == '{')))) {
      const auto end = std::min(text.find('\n', at), text.size());
      const auto out = islands ? text.find(close, at) : std::string_view::npos;
      at = std::min(end, out);
      continue;
    }
    if (c == '"' || c == '\'') {
      const bool triple = style == CodeStyle::hash && text.substr(at, 3) == std::string(3, c);
      const std::size_t quote = triple ? 3 : 1;
      code[at] = c;
      at += quote;
      while (at < text.size()) {
        if (text[at] == '\\') {
          at += 2;
          continue;
        }
        if (triple ? text.substr(at, 3) == std::string(3, c) : text[at] == c) break;
        // A quote that is never closed must not hide the rest of the file from us: JavaScript, Java and Python strings end with the line.
        if (text[at] == '\n' && !triple && style != CodeStyle::php && style != CodeStyle::hash) break;
        // "$_GET[x]" in PHP: the name and its index are code.
        if (style == CodeStyle::php && c == '"' && text[at] == '$') {
          while (at < text.size() && is_name(text[at])) {
            code[at] = text[at];
            ++at;
          }
          continue;
        }
        ++at;
      }
      if (at < text.size() && text[at] == c) code[at] = c;
      at = std::min(at + quote, text.size());
      continue;
    }
    code[at] = c;
    ++at;
  }
  return code;
}

std::vector<EnclosingCall> calls_around(std::string_view code, std::size_t place, std::size_t reach) {
  std::vector<EnclosingCall> calls;
  std::size_t at = std::min(place, code.size()), depth = 0, argument = 0;
  const std::size_t end = at > reach ? at - reach : 0;
  while (at > end) {
    const char c = code[--at];
    if (c == ')' || c == ']') {
      ++depth;
    } else if (c == '[') {
      if (depth > 0) --depth;
    } else if (c == '(' && depth > 0) {
      --depth;
    } else if (c == ',' && depth == 0) {
      ++argument;
    } else if ((c == ';' || c == '{' || c == '}') && depth == 0) {
      break;
    } else if (c == '(') {
      std::size_t last = at;
      while (last > end && is_space(code[last - 1])) --last;
      std::size_t first = last, nested = 0;
      // Names with dots, arrows and calls inside: Runtime.getRuntime().exec, $this->x, os.system.
      while (first > end) {
        const char d = code[first - 1];
        if (d == ')') {
          ++nested;
        } else if (d == '(') {
          if (nested == 0) break;
          --nested;
        } else if (nested == 0 && !is_name(d) && d != '.' && !(d == '>' && first >= 2 && code[first - 2] == '-') && !(d == '-' && code[first] == '>') && d != ':' && d != '\\') {
          break;
        }
        --first;
      }
      calls.push_back({code.substr(first, last - first), at, argument});
      argument = 0;
    }
  }
  return calls;
}

std::string_view arguments_at(std::string_view code, std::size_t open) {
  if (open >= code.size()) return {};
  std::size_t depth = 0, at = open;
  for (; at < code.size() && at - open < 4000; ++at) {
    if (code[at] == '(') ++depth;
    if (code[at] == ')' && --depth == 0) break;
  }
  return code.substr(open + 1, at > open ? at - open - 1 : 0);
}

std::string_view assigned_variable(std::string_view code, std::size_t place) {
  std::size_t begin = std::min(place, code.size());
  const std::size_t end = begin > 600 ? begin - 600 : 0;
  std::size_t equals = std::string_view::npos;
  while (begin > end && code[begin - 1] != ';' && code[begin - 1] != '{' && code[begin - 1] != '}' && code[begin - 1] != '\n') {
    --begin;
    const char before = begin > 0 ? code[begin - 1] : ' ', after = begin + 1 < code.size() ? code[begin + 1] : ' ';
    if (code[begin] == '=' && after != '=' && after != '>' && after != '~' && before != '=' && before != '!' && before != '<' && before != '>') equals = begin;
  }
  if (equals == std::string_view::npos) return {};
  std::size_t last = equals;
  while (last > begin && (is_space(code[last - 1]) || code[last - 1] == '.')) --last;
  std::size_t first = last;
  while (first > begin && is_name(code[first - 1])) --first;
  return code.substr(first, last - first);
}

bool mentions(std::string_view code, std::string_view name) {
  if (name.empty()) return false;
  for (auto at = code.find(name); at != std::string_view::npos; at = code.find(name, at + 1)) {
    const bool left = at == 0 || !is_name(code[at - 1]);
    const bool right = at + name.size() >= code.size() || !is_word(code[at + name.size()]);
    if (left && right) return true;
  }
  return false;
}

std::string_view last_name(std::string_view name) {
  const auto cut = name.find_last_of(".>:\\");
  return cut == std::string_view::npos ? name : name.substr(cut + 1);
}

}  // namespace lazaret::detect
