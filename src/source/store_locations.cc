// Where containers stores lie: storage specifiers of containers-transports(5), storage.conf of
// containers-storage.conf(5).

#include <fmt/core.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <cstdlib>

#include "source/containers_store.h"

namespace lazaret::source {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// $HOME, $UID, $USER in paths of storage.conf.
std::string expand(std::string path) {
  const std::pair<std::string, std::string> variables[] = {{"$HOME", environment("HOME")},
                                                           {"$UID", std::to_string(geteuid())},
                                                           {"$USER", environment("USER")}};
  for (const auto& [name, value] : variables) {
    for (auto at = path.find(name); at != std::string::npos;
         at = path.find(name, at + value.size()))
      path.replace(at, name.size(), value);
  }
  return path;
}

// False when there is no such file.
Result<bool> read_config(const std::string& path, StorageConfig& config) {
  const auto file = LocalFile::open(path);
  if (!file) {
    if (file.error().code == ErrorCode::not_found) return false;
    return file.error();
  }
  const auto text = read_whole(*file, 1 << 20);
  if (!text) return text.error();
  auto parsed = parse_storage_config(*text, path);
  if (!parsed) return parsed.error();
  config = std::move(*parsed);
  return true;
}

}  // namespace

Result<StorageConfig> parse_storage_config(std::string_view text, const std::string& path) {
  StorageConfig config;
  try {
    const toml::table root = toml::parse(text);
    const auto storage = root["storage"];
    config.driver = storage["driver"].value_or(std::string());
    config.graph_root = expand(storage["graphroot"].value_or(std::string()));
    config.image_store = expand(storage["imagestore"].value_or(std::string()));
    config.rootless_path = expand(storage["rootless_storage_path"].value_or(std::string()));
    if (const toml::array* list = storage["options"]["additionalimagestores"].as_array()) {
      for (const toml::node& node : *list) {
        if (const auto store = node.value<std::string>())
          config.additional.push_back(expand(*store));
      }
    }
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid,
                 fmt::format("{}:{}: {}", path, error.source().begin.line, error.description())};
  }
  return config;
}

Result<std::vector<StoreLocation>> default_store_locations() {
  const bool rootless = geteuid() != 0;
  StorageConfig config;
  std::string home = environment("XDG_CONFIG_HOME"), data = environment("XDG_DATA_HOME");
  if (home.empty()) home = environment("HOME") + "/.config";
  if (data.empty()) data = environment("HOME") + "/.local/share";

  // The first file that is there; a user's own says where his store is, the system's does not.
  std::vector<std::string> files;
  if (const std::string named = environment("CONTAINERS_STORAGE_CONF"); !named.empty()) {
    files.push_back(named);
  } else {
    if (rootless) files.push_back(home + "/containers/storage.conf");
    files.push_back("/etc/containers/storage.conf");
    files.push_back("/usr/share/containers/storage.conf");
  }
  for (const std::string& file : files) {
    const auto found = read_config(file, config);
    if (!found) return found.error();
    if (!*found) continue;
    if (rootless && file.starts_with("/etc/")) config.graph_root = config.rootless_path;
    if (rootless && file.starts_with("/usr/")) config.graph_root = config.rootless_path;
    break;
  }
  if (config.graph_root.empty())
    config.graph_root = rootless ? data + "/containers/storage" : "/var/lib/containers/storage";

  std::vector<StoreLocation> locations = {{config.graph_root, config.driver, false}};
  if (!config.image_store.empty()) locations.push_back({config.image_store, config.driver, false});
  for (const std::string& store : config.additional) locations.push_back({store, "", false});
  return locations;
}

Result<StoreSpecifier> parse_store_specifier(std::string_view text) {
  StoreSpecifier result;
  if (!text.starts_with('[')) {
    result.reference = text;
    auto locations = default_store_locations();
    if (!locations) return locations.error();
    result.locations = std::move(*locations);
    return result;
  }
  const auto end = text.find(']');
  if (end == std::string_view::npos)
    return Error{ErrorCode::invalid, "a \"]\" is missing: containers-storage:[overlay@/ROOT]IMAGE"};
  std::string_view inside = text.substr(1, end - 1);
  result.reference = text.substr(end + 1);
  StoreLocation location;
  location.is_named = true;
  if (const auto at = inside.find('@'); at != std::string_view::npos) {
    location.driver = inside.substr(0, at);
    inside = inside.substr(at + 1);
  }
  // What follows "+" (the run root) and ":" (options of the driver) is of no use for reading
  // images.
  inside = inside.substr(0, inside.find(':'));
  location.root = inside.substr(0, inside.find('+'));
  if (!location.root.starts_with('/'))
    return Error{ErrorCode::invalid,
                 "the store's root is an absolute path: containers-storage:[overlay@/ROOT]IMAGE"};
  result.locations.push_back(std::move(location));
  return result;
}

}  // namespace lazaret::source
