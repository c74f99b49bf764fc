#include "registry/name.h"

#include <algorithm>

namespace lazaret::registry {
namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// One part between slashes.
bool is_part(std::string_view part) {
  if (part.empty() || !is_alphanumeric(part.front()) || !is_alphanumeric(part.back())) return false;
  for (std::size_t i = 0; i < part.size();) {
    if (is_alphanumeric(part[i])) {
      ++i;
      continue;
    }
    const char separator = part[i];
    std::size_t length = 0;
    while (i < part.size() && part[i] == separator) ++i, ++length;
    const bool fine = separator == '-' || (separator == '.' && length == 1) || (separator == '_' && length <= 2);
    if (!fine || !is_alphanumeric(part[i])) return false;  // part ends alphanumerically, so that i is inside
  }
  return true;
}

}  // namespace

bool is_repository_name(std::string_view name) {
  if (name.empty() || name.size() > 229) return false;
  for (std::size_t begin = 0;;) {
    const std::size_t slash = name.find('/', begin);
    if (!is_part(name.substr(begin, slash == std::string_view::npos ? slash : slash - begin))) return false;
    if (slash == std::string_view::npos) return true;
    begin = slash + 1;
  }
}

bool is_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > 128 || tag.front() == '.' || tag.front() == '-') return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) { return is_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-'; });
}

std::optional<Route> parse_route(std::string_view path) {
  if (path == "/v2/" || path == "/v2") return Route{};
  if (!path.starts_with("/v2/")) return std::nullopt;
  std::string_view rest = path.substr(4);
  if (rest == "_catalog") return Route{Route::Kind::catalog, "", ""};
  // The last part, what stands before it, and the part before that.
  const auto cut = [](std::string_view text) {
    const std::size_t slash = text.rfind('/');
    return slash == std::string_view::npos ? std::pair(std::string_view(), text) : std::pair(text.substr(0, slash), text.substr(slash + 1));
  };
  const auto [before, last] = cut(rest);
  const auto [name, kind] = cut(before);
  if (name.empty()) return std::nullopt;
  const auto route = [](Route::Kind k, std::string_view repository, std::string_view reference) {
    return Route{k, std::string(repository), std::string(reference)};
  };
  if (kind == "tags" && last == "list") return route(Route::Kind::tags, name, "");
  if (kind == "manifests") return route(Route::Kind::manifest, name, last);
  if (kind == "referrers") return route(Route::Kind::referrers, name, last);
  if (kind == "uploads") {
    const auto [repository, blobs] = cut(name);
    if (blobs == "blobs" && !repository.empty()) return route(last.empty() ? Route::Kind::start_upload : Route::Kind::upload, repository, last);
  }
  if (kind == "blobs") {
    if (last == "uploads") return route(Route::Kind::start_upload, name, "");
    return route(Route::Kind::blob, name, last);
  }
  return std::nullopt;
}

}  // namespace lazaret::registry
