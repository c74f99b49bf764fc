#include "registry/grant.h"

#include <algorithm>

#include "base/text.h"

namespace lazaret::registry {
namespace {

constexpr std::size_t most_scopes = 64;

// "pull,push". `strict`: unknown actions give nothing instead of being left out.
std::optional<Rights> parse_rights(std::string_view text, bool strict) {
  Rights rights = 0;
  for (const std::string_view action : split(text, ',')) {
    if (action == "pull") {
      rights |= right_pull;
    } else if (action == "push") {
      rights |= right_push;
    } else if (action == "delete") {
      rights |= right_delete;
    } else if (action == "*") {
      rights |= right_all;
    } else if (strict) {
      return std::nullopt;
    }
  }
  return rights;
}

bool is_repository(std::string_view name) {
  if (name.size() > 255) return false;
  const auto parts = split(name, '/');
  return std::all_of(parts.begin(), parts.end(), is_name_part);
}

bool is_pattern(std::string_view text) {
  return text == "*" || is_repository(text) || (text.ends_with("/*") && is_repository(text.substr(0, text.size() - 2)));
}

bool covers_all(const std::vector<Grant>& grants) {
  return std::any_of(grants.begin(), grants.end(), [](const Grant& grant) { return grant.repository == "*"; });
}

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_name_part(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_lower_or_digit(text[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < text.size() && !is_lower_or_digit(text[i])) ++i;
    const std::string_view separator = text.substr(begin, i - begin);
    if (separator != "." && separator != "_" && separator != "__" && separator.find_first_not_of('-') != std::string_view::npos) return false;
  }
  return true;
}

bool is_account_name(std::string_view name) {
  if (name.size() > 64 || !is_name_part(name) || name.find('.') != std::string_view::npos) return false;
  for (const std::string_view taken : {"localhost", "library", "anonymous", "token", "v2", "api"})
    if (name == taken) return false;
  return true;
}

bool Grant::covers(std::string_view name) const {
  if (repository == "*") return true;
  if (!repository.ends_with("/*")) return name == repository;
  const std::string_view folder = std::string_view(repository).substr(0, repository.size() - 1);  // with its '/'
  return name.size() > folder.size() && name.starts_with(folder);
}

std::optional<std::vector<Grant>> parse_scopes(std::string_view text) {
  std::vector<Grant> grants;
  std::size_t count = 0;
  for (const std::string_view scope : split(text, ' ')) {
    if (scope.empty()) continue;
    // The name may hold a ':' of a port: the type ends at the first one, the actions begin at the last.
    const auto first = scope.find(':'), last = scope.rfind(':');
    if (first == std::string_view::npos || first == last || ++count > most_scopes) return std::nullopt;
    const std::string_view type = scope.substr(0, scope.find('('));
    const std::string_view name = scope.substr(first + 1, last - first - 1);
    // The catalog lists what the account may pull, so that this is what its token allows.
    if (scope == "registry:catalog:*") {
      if (!covers_all(grants)) grants.push_back({"*", right_pull});
      continue;
    }
    if (type.substr(0, first) != "repository" || !is_repository(name)) continue;
    const Rights rights = *parse_rights(scope.substr(last + 1), false);
    const auto same = std::find_if(grants.begin(), grants.end(), [&](const Grant& grant) { return grant.repository == name; });
    if (same != grants.end()) {
      same->rights |= rights;
    } else {
      grants.push_back({std::string(name), rights});
    }
  }
  return grants;
}

std::optional<std::vector<Grant>> parse_grants(std::string_view text) {
  std::vector<Grant> grants;
  for (const std::string_view grant : split(text, ' ')) {
    if (grant.empty()) continue;
    const auto colon = grant.rfind(':');
    if (colon == std::string_view::npos || !is_pattern(grant.substr(0, colon)) || grants.size() == most_scopes) return std::nullopt;
    const auto rights = parse_rights(grant.substr(colon + 1), true);
    if (!rights || *rights == 0) return std::nullopt;
    grants.push_back({std::string(grant.substr(0, colon)), *rights});
  }
  if (grants.empty()) return std::nullopt;
  return grants;
}

std::string rights_text(Rights rights) {
  std::string text;
  for (const auto& [right, name] : {std::pair{right_pull, "pull"}, {right_push, "push"}, {right_delete, "delete"}}) {
    if ((rights & right) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

std::string scope_text(const std::vector<Grant>& grants) {
  std::string text;
  for (const Grant& grant : grants) {
    if (!text.empty()) text += ' ';
    text += grant.repository == "*" ? "registry:catalog:*" : "repository:" + grant.repository + ":" + rights_text(grant.rights);
  }
  return text;
}

std::string grants_text(const std::vector<Grant>& grants) {
  std::string text;
  for (const Grant& grant : grants) {
    if (!text.empty()) text += ' ';
    text += grant.repository + ":" + rights_text(grant.rights);
  }
  return text;
}

}  // namespace lazaret::registry
