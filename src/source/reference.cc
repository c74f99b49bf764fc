#include "source/reference.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace lazaret::source {
namespace {

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

// Lower-case letters and digits, parted by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back()))
    return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_lower_or_digit(text[i])) {
      ++i;
      continue;
    }
    const char separator = text[i];
    std::size_t end = i;
    while (end < text.size() && text[end] == separator) ++end;
    const std::size_t count = end - i;
    if (!(separator == '-' || (separator == '.' && count == 1) || (separator == '_' && count <= 2)))
      return false;
    i = end;
  }
  return true;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  if (!is_alphanumeric(text.front()) && text.front() != '_') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_host(std::string_view text) {
  std::string_view name = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    name = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return false;
    if (!rest.empty()) {
      port = rest.substr(1);
      if (port.empty()) return false;
    }
    if (!std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanumeric(c) || c == ':' || c == '.'; }))
      return false;
  } else {
    const auto colon = text.find(':');
    if (colon != std::string_view::npos) {
      name = text.substr(0, colon);
      port = text.substr(colon + 1);
      if (port.empty()) return false;
    }
    for (const auto label : split(name, '.')) {
      if (label.empty() || !is_alphanumeric(label.front()) || !is_alphanumeric(label.back()))
        return false;
      if (!std::all_of(label.begin(), label.end(),
                       [](char c) { return is_alphanumeric(c) || c == '-'; }))
        return false;
    }
  }
  return port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error bad(std::string_view text, std::string_view why) {
  return {ErrorCode::invalid, fmt::format("\"{}\" is not the name of an image: {}", text, why)};
}

}  // namespace

std::string ImageName::str() const {
  std::string text = name();
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest.str();
  return text;
}

Result<ImageName> parse_image_name(std::string_view text) {
  ImageName result;
  std::string_view rest = text;
  if (rest.empty()) return bad(text, "it is empty");
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    const auto digest = Digest::parse(rest.substr(at + 1));
    if (!digest) return bad(text, "what follows \"@\" is not a digest like sha256:<64 hex digits>");
    result.digest = *digest;
    rest = rest.substr(0, at);
  }
  const auto slash = rest.rfind('/');
  const auto colon = rest.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    const std::string_view tag = rest.substr(colon + 1);
    if (!is_tag(tag)) return bad(text, fmt::format("\"{}\" cannot be a tag", tag));
    result.tag = tag;
    rest = rest.substr(0, colon);
  }
  const auto first = rest.substr(0, rest.find('/'));
  if (first.size() < rest.size() && (first.find_first_of(".:") != std::string_view::npos ||
                                     first == "localhost" || to_lower(first) != first)) {
    if (!is_host(first)) return bad(text, fmt::format("\"{}\" cannot be a host", first));
    result.host = first;
    rest = rest.substr(first.size() + 1);
  } else {
    result.host = "docker.io";
  }
  if (result.host == "index.docker.io" || result.host == "registry-1.docker.io")
    result.host = "docker.io";
  if (rest.size() > 255) return bad(text, "it is longer than 255 characters");
  for (const auto part : split(rest, '/')) {
    if (is_path_component(part)) continue;
    return bad(text, to_lower(rest) != rest
                         ? "repository names are in lower case"
                         : "its parts are lower-case letters and digits, parted by . _ or -");
  }
  if (result.host == "docker.io" && rest.find('/') == std::string_view::npos)
    result.repository = "library/";
  result.repository += rest;
  if (result.tag.empty() && result.digest.empty()) result.tag = "latest";
  return result;
}

std::string full_image_name(std::string_view text) {
  const auto parsed = parse_image_name(text);
  return parsed ? parsed->str() : std::string(text);
}

}  // namespace lazaret::source
