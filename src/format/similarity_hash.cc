#include "format/similarity_hash.h"

#include <tlsh.h>

#include <algorithm>

#include "base/text.h"

namespace lazaret::format {
namespace {

constexpr std::size_t hash_digits = 70, header_digits = 6;
constexpr std::size_t longest_content = 1u << 30;
constexpr std::size_t long_word = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '_' || c == '-' || c == '='; }

}  // namespace

std::string similarity_hash(Bytes content) {
  if (content.size() < MIN_DATA_LENGTH || content.size() > longest_content) return "";
  Tlsh hash;
  hash.final(content.data(), static_cast<unsigned>(content.size()));
  const char* text = hash.getHash();
  const std::string result = text == nullptr ? "" : text;
  return is_similarity_hash(result) ? result : "";
}

bool is_similarity_hash(std::string_view text) {
  return text.size() == hash_digits && std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'A' && c <= 'F'); });
}

int similarity_distance(std::string_view a, std::string_view b) {
  if (!is_similarity_hash(a) || !is_similarity_hash(b)) return -1;
  Tlsh first, second;
  if (first.fromTlshStr(std::string(a).c_str()) != 0 || second.fromTlshStr(std::string(b).c_str()) != 0) return -1;
  return first.totalDiff(&second);
}

std::vector<std::uint32_t> similarity_keys(std::string_view hash) {
  std::vector<std::uint32_t> keys;
  if (!is_similarity_hash(hash)) return keys;
  for (std::size_t at = header_digits; at + 4 <= hash.size(); at += 4) {
    std::uint32_t value = 0;
    for (const char c : hash.substr(at, 4)) value = value << 4 | static_cast<std::uint32_t>(is_digit(c) ? c - '0' : c - 'A' + 10);
    keys.push_back(static_cast<std::uint32_t>((at - header_digits) / 4) << 16 | value);
  }
  return keys;
}

std::string script_shape(std::string_view text) {
  std::string shape;
  shape.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (!shape.empty() && shape.back() != ' ') shape += ' ';
      const bool new_line = c == '\n';
      ++at;
      if (!new_line) continue;
      // A comment of a whole line.
      std::size_t next = at;
      while (next < text.size() && (text[next] == ' ' || text[next] == '\t')) ++next;
      if (next < text.size() && text[next] == '#') {
        const auto end = text.find('\n', next);
        at = end == std::string_view::npos ? text.size() : end;
      }
      continue;
    }
    if (text.substr(at).starts_with("://")) {
      shape += "://h";
      at += 3;
      while (at < text.size() && (is_word(text[at]) || text[at] == '.')) ++at;
      continue;
    }
    if (!is_word(c)) {
      shape += c;
      ++at;
      continue;
    }
    std::size_t end = at;
    bool digits = false;
    while (end < text.size() && is_word(text[end])) digits |= is_digit(text[end++]);
    if (end - at >= long_word) {
      shape += 'X';
      at = end;
    } else if (digits) {
      for (; at < end; ++at) {
        if (!is_digit(text[at])) {
          shape += text[at];
        } else if (shape.empty() || shape.back() != '0') {
          shape += '0';
        }
      }
    } else {
      shape.append(text.substr(at, end - at));
      at = end;
    }
  }
  while (!shape.empty() && shape.back() == ' ') shape.pop_back();
  return shape;
}

}  // namespace lazaret::format
