#include "audit/known_bad_packages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <toml++/toml.h>

#include "base/embedded.h"
#include "base/text.h"

namespace lazaret {
std::span<const EmbeddedFile> embedded_packages();
}

namespace lazaret::audit {

Result<std::vector<KnownBadPackage>> parse_known_bad_packages(std::string_view text, std::string_view file_name) {
  toml::table root;
  try {
    root = toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description())};
  }
  const auto problem = [&](const toml::node& node, std::string_view what) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {}", file_name, node.source().begin.line, what)};
  };
  std::vector<KnownBadPackage> packages;
  for (const auto& [key, node] : root) {
    if (key.str() != "package" || !node.is_array_of_tables()) return problem(node, "only [[package]] entries may stand here");
    for (const toml::node& item : *node.as_array()) {
      KnownBadPackage package;
      for (const auto& [name, value] : *item.as_table()) {
        std::vector<std::string>* list = name.str() == "managers" ? &package.managers : name.str() == "names" ? &package.names : name.str() == "versions" ? &package.versions : nullptr;
        std::string* field = name.str() == "why" ? &package.why : name.str() == "source" ? &package.source : nullptr;
        if (field != nullptr && value.is_string()) {
          *field = value.as_string()->get();
        } else if (list != nullptr && value.is_array()) {
          for (const toml::node& element : *value.as_array()) {
            if (!element.is_string()) return problem(element, "a list of texts is expected here");
            list->push_back(element.as_string()->get());
          }
        } else {
          return problem(value, "an entry has the lists managers, names and versions, and the texts why and source");
        }
      }
      if (package.managers.empty() || package.names.empty() || package.versions.empty() || package.why.empty() || package.source.empty()) {
        return problem(item, "an entry needs managers, names, versions, why and source");
      }
      packages.push_back(std::move(package));
    }
  }
  return packages;
}

const KnownBadPackage* find_known_bad_package(std::string_view manager, std::string_view name, std::string_view version) {
  static const std::vector<KnownBadPackage> packages = [] {
    auto parsed = parse_known_bad_packages(embedded_packages().front().content(), "rules/packages.toml");
    assert(parsed.ok());
    return std::move(*parsed);
  }();
  const auto has = [](const std::vector<std::string>& list, std::string_view text) { return std::find(list.begin(), list.end(), text) != list.end(); };
  for (const KnownBadPackage& package : packages) {
    if (!has(package.managers, manager) || !has(package.names, name)) continue;
    for (const std::string& pattern : package.versions) {
      if (glob_match(pattern, version)) return &package;
    }
  }
  return nullptr;
}

}  // namespace lazaret::audit
