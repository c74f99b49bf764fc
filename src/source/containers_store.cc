#include "source/containers_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "format/json.h"
#include "source/reference.h"

namespace lazaret::source {
namespace {

struct Driver {
  std::string_view name, folder, below;  // layers lie in <folder>/<id>/<below>
  bool full_copies;
};
constexpr std::array drivers = {Driver{"overlay", "overlay", "diff", false},
                                Driver{"vfs", "vfs/dir", "", true}};

const Driver* find_driver(std::string_view name) {
  const auto found = std::find_if(drivers.begin(), drivers.end(),
                                  [&](const Driver& driver) { return driver.name == name; });
  return found == drivers.end() ? nullptr : found;
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What may stand for one file or folder. IDs are 64 hex digits, but those of layers may be chosen.
bool is_store_id(std::string_view id) {
  return !id.empty() && id.size() <= 200 && id.front() != '.' &&
         id.find_first_not_of(
             "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") ==
             std::string_view::npos;
}

std::vector<std::string> texts(const format::JsonValue* list) {
  std::vector<std::string> result;
  if (list == nullptr || list->as_array() == nullptr) return result;
  for (const auto& item : *list->as_array()) {
    if (const std::string* text = item.as_string()) result.push_back(*text);
  }
  return result;
}

// The array that a file of the store holds; nothing when there is no such file.
std::optional<format::JsonValue> read_list(int root, const std::string& path,
                                           const SourceOptions& options, Unaudited& unread) {
  const auto file = LocalFile::open_below(root, path);
  if (!file) {
    if (file.error().code != ErrorCode::not_found) unread.emplace_back(path, file.error().message);
    return std::nullopt;
  }
  const auto text = read_whole(*file, options.limits.store_document_bytes);
  if (!text) {
    unread.emplace_back(path, text.error().message);
    return std::nullopt;
  }
  auto document = format::parse_json(*text, {16, 1'000'000, false});
  if (!document.valid || document.value.as_array() == nullptr) {
    unread.emplace_back(path, "is not the list that a store keeps");
    return std::nullopt;
  }
  return std::move(document.value);
}

}  // namespace

std::string big_data_file(std::string_view key) {
  // The last character is not looked at, in the original either.
  for (std::size_t i = 0; i + 1 < key.size(); ++i) {
    const char c = key[i];
    if (c != '.' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z'))
      return "=" + encode_base64(key);
  }
  return std::string(key);
}

Result<ContainersStore> ContainersStore::open(const std::vector<StoreLocation>& locations,
                                              const SourceOptions& options) {
  ContainersStore store;
  std::string looked, other_drivers;
  for (const StoreLocation& location : locations) {
    looked += (looked.empty() ? "" : ", ") + location.root;
    if (!location.driver.empty() && find_driver(location.driver) == nullptr)
      return Error{
          ErrorCode::unsupported,
          fmt::format("the storage driver {} is not read: use \"podman save\" and scan the "
                      "archive",
                      location.driver)};
    auto root = location.folder >= 0 ? open_folder_below(location.folder, ".") : open_folder(location.root);
    if (!root) {
      if (root.error().code == ErrorCode::not_found && !location.is_named) continue;
      return root.error();
    }
    bool more = false;
    const auto names = list_folder(root->get(), 10'000, more);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      constexpr std::string_view suffix = "-images";
      if (!name.ends_with(suffix)) continue;
      const std::string driver = name.substr(0, name.size() - suffix.size());
      if (!location.driver.empty() && driver != location.driver) continue;
      if (find_driver(driver) == nullptr) {
        other_drivers += (other_drivers.empty() ? "" : ", ") + driver;
        continue;
      }
      auto folder = open_folder_below(root->get(), ".");
      if (!folder) return folder.error();
      store.stores_.push_back({std::move(*folder), driver});
    }
  }
  if (store.stores_.empty()) {
    if (!other_drivers.empty())
      return Error{
          ErrorCode::unsupported,
          fmt::format("the store has the driver {}, which is not read: use \"podman save\" "
                      "and scan the archive",
                      other_drivers)};
    return Error{ErrorCode::not_found, fmt::format("there is no containers store in {}", looked)};
  }
  for (std::size_t i = 0; i < store.stores_.size(); ++i) {
    store.read_images(i, options);
    const std::string folder = store.stores_[i].driver + "-layers/";
    store.read_layers(i, folder + "layers.json", options);
    store.read_layers(i, folder + "volatile-layers.json", options);
    const std::string containers = store.stores_[i].driver + "-containers/";
    store.read_containers(i, containers + "containers.json", options);
    store.read_containers(i, containers + "volatile-containers.json", options);
  }
  return store;
}

void ContainersStore::read_images(std::size_t store, const SourceOptions& options) {
  const std::string path = stores_[store].driver + "-images/images.json";
  const auto list = read_list(stores_[store].root.get(), path, options, unread_);
  if (!list) return;
  for (const auto& item : *list->as_array()) {
    StoreImage image;
    image.store = store;
    image.id = item.text("id");
    image.digest = item.text("digest");
    image.top_layer = item.text("layer");
    image.names = texts(item.find("names"));
    image.big_data = texts(item.find("big-data-names"));
    if (!is_store_id(image.id)) {
      unread_.emplace_back(path, fmt::format("an image with the ID \"{}\"", escape(image.id, 100)));
      continue;
    }
    // The store itself comes before the read-only ones.
    if (std::none_of(images_.begin(), images_.end(),
                     [&](const StoreImage& known) { return known.id == image.id; }))
      images_.push_back(std::move(image));
  }
}

void ContainersStore::read_layers(std::size_t store, const std::string& file,
                                  const SourceOptions& options) {
  const auto list = read_list(stores_[store].root.get(), file, options, unread_);
  if (!list) return;
  for (const auto& item : *list->as_array()) {
    StoreLayer layer;
    layer.store = store;
    layer.id = item.text("id");
    layer.parent = item.text("parent");
    layer.diff_id = Digest::parse(item.text("diff-digest")).value_or(Digest());
    if (const auto* size = item.find("diff-size"); size != nullptr)
      layer.size = size->as_size().value_or(0);
    if (!is_store_id(layer.id)) {
      unread_.emplace_back(file, fmt::format("a layer with the ID \"{}\"", escape(layer.id, 100)));
      continue;
    }
    layers_.try_emplace(layer.id, std::move(layer));
  }
}

void ContainersStore::read_containers(std::size_t store, const std::string& file,
                                      const SourceOptions& options) {
  const auto list = read_list(stores_[store].root.get(), file, options, unread_);
  if (!list) return;
  for (const auto& item : *list->as_array()) {
    StoreContainer container;
    container.store = store;
    container.id = item.text("id");
    container.image_id = item.text("image");
    container.layer = item.text("layer");
    container.names = texts(item.find("names"));
    // What Podman and CRI-O note for themselves is a JSON text inside of the JSON.
    const auto metadata = format::parse_json(item.text("metadata"), {16, 10'000, false});
    container.image_name = metadata.value.text("image-name");
    if (!is_store_id(container.id)) {
      unread_.emplace_back(file,
                           fmt::format("a container with the ID \"{}\"", escape(container.id, 100)));
      continue;
    }
    containers_.push_back(std::move(container));
  }
}

Result<std::string> ContainersStore::container_spec(const StoreContainer& container,
                                                    const SourceOptions& options) {
  const Store& store = stores_[container.store];
  const auto file = LocalFile::open_below(
      store.root.get(),
      fmt::format("{}-containers/{}/userdata/config.json", store.driver, container.id));
  if (file) return read_whole(*file, options.limits.config_bytes);
  if (file.error().code != ErrorCode::not_found) return file.error();
  return spec_of_podman(container, options);
}

// Podman keeps what it knows of its containers in libpod/bolt_state.db (libpod/boltdb_state.go):
// bucket "ctr", in it one for each container, whose "config" is a JSON document with the "spec".
Result<std::string> ContainersStore::spec_of_podman(const StoreContainer& container,
                                                    const SourceOptions& options) {
  auto& database = databases_[container.store];
  if (!database) {
    auto opened =
        BoltFile::read(stores_[container.store].root.get(), "libpod/bolt_state.db", options);
    if (!opened) return opened.error();
    database = std::move(*opened);
  }
  const std::string_view path[] = {"ctr", container.id};
  const auto config = database->bolt.get(path, "config");
  if (!config)
    return Error{ErrorCode::not_found, "Podman's database does not know the container"};
  return std::string(*config);
}

const StoreLayer* ContainersStore::layer(const std::string& id) const {
  const auto found = layers_.find(id);
  return found == layers_.end() ? nullptr : &found->second;
}

Result<const StoreImage*> ContainersStore::find(std::string_view reference,
                                                std::string* name) const {
  const auto by_id = [&](std::string_view id) -> const StoreImage* {
    for (const StoreImage& image : images_) {
      if (image.id == id) return &image;
    }
    return nullptr;
  };
  const auto is_of_digest = [](const StoreImage& image, const std::string& digest) {
    return image.digest == digest || std::find(image.big_data.begin(), image.big_data.end(),
                                               "manifest-" + digest) != image.big_data.end();
  };
  // "NAME@ID" and "@ID": the ID says all.
  const auto at = reference.rfind('@');
  const std::string_view last = at == std::string_view::npos ? reference : reference.substr(at + 1);
  if (last.size() == 64 && is_hex(last)) {
    if (const StoreImage* image = by_id(last)) return image;
    if (at != std::string_view::npos)
      return Error{ErrorCode::not_found,
                   fmt::format("the store has no image with the ID {}", last)};
  }
  if (const auto digest = Digest::parse(reference)) {
    if (const StoreImage* image = by_id(digest->hex())) return image;
    for (const StoreImage& image : images_) {
      if (is_of_digest(image, digest->str())) return &image;
    }
  }

  // As podman does: a name without a registry is first one that was built here.
  std::vector<std::string> wanted = {std::string(reference)};
  const auto first = reference.substr(0, reference.find('/'));
  const bool is_short =
      first.size() == reference.size() ||
      (first.find_first_of(".:") == std::string_view::npos && first != "localhost");
  if (is_short) {
    if (const auto local = parse_image_name("localhost/" + std::string(reference)))
      wanted.push_back(local->str());
  }
  const auto full = parse_image_name(reference);
  if (full) wanted.push_back(full->str());
  for (const std::string& candidate : wanted) {
    for (const StoreImage& image : images_) {
      for (const std::string& known : image.names) {
        if (known != candidate && full_image_name(known) != candidate) continue;
        *name = known;
        return &image;
      }
    }
  }
  if (full && !full->digest.empty()) {
    for (const StoreImage& image : images_) {
      if (!is_of_digest(image, full->digest.str())) continue;
      for (const std::string& known : image.names) {
        const auto parsed = parse_image_name(known);
        if (!parsed || parsed->name() != full->name()) continue;
        *name = full->str();
        return &image;
      }
    }
  }

  // Any registry, and the beginning of an ID: when only one image fits.
  std::vector<std::pair<const StoreImage*, std::string>> found;
  if (is_short && full) {
    const std::string end =
        "/" + std::string(reference) +
        (full->tag == "latest" && !reference.ends_with(":latest") ? ":latest" : "");
    for (const StoreImage& image : images_) {
      for (const std::string& known : image.names) {
        if (known.ends_with(end)) found.emplace_back(&image, known);
      }
    }
  }
  if (found.empty() && reference.size() >= 3 && is_hex(reference)) {
    for (const StoreImage& image : images_) {
      if (image.id.starts_with(reference)) found.emplace_back(&image, "");
    }
  }
  if (found.size() == 1) {
    *name = found.front().second;
    return found.front().first;
  }
  std::string there;
  if (found.size() > 1) {
    for (const auto& [image, known] : found) {
      if (there.size() < 500)
        there += (there.empty() ? "" : ", ") + (known.empty() ? image->id : known);
    }
    return Error{ErrorCode::invalid,
                 fmt::format("several images are called {}: say which of {}", reference, there)};
  }
  for (const StoreImage& image : images_) {
    for (const std::string& known : image.names) {
      if (there.size() < 300) there += (there.empty() ? "; there is " : ", ") + known;
    }
  }
  return Error{ErrorCode::not_found, fmt::format("the store has no image {}{}", reference, there)};
}

Result<std::string> ContainersStore::big_data(const StoreImage& image, std::string_view key,
                                              std::uint64_t limit) const {
  const Store& store = stores_[image.store];
  const auto file = LocalFile::open_below(
      store.root.get(), fmt::format("{}-images/{}/{}", store.driver, image.id, big_data_file(key)));
  if (!file) return file.error();
  return read_whole(*file, limit);
}

Result<UnpackedLayer> ContainersStore::open_layer(const StoreLayer& layer) const {
  const Store& store = stores_[layer.store];
  const Driver& driver = *find_driver(store.driver);
  UnpackedLayer unpacked;
  unpacked.overlay = !driver.full_copies;
  auto folder = open_folder_below(store.root.get(),
                                  fmt::format("{}/{}/{}", driver.folder, layer.id, driver.below));
  if (!folder) return folder.error();
  unpacked.folder = std::move(*folder);
  auto record = LocalFile::open_below(
      store.root.get(), fmt::format("{}-layers/{}.tar-split.gz", store.driver, layer.id));
  if (record) {
    unpacked.tar_split.emplace(std::move(*record));
  } else if (record.error().code != ErrorCode::not_found) {
    return record.error();
  }
  return unpacked;
}

}  // namespace lazaret::source
