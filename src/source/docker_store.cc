#include "source/docker_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "format/json.h"
#include "source/reference.h"

namespace lazaret::source {
namespace {

struct Driver {
  std::string_view name, folder, below;  // layers lie in <folder>/<cache ID>/<below>
  bool full_copies;
};
constexpr std::array drivers = {Driver{"overlay2", "overlay2", "diff", false},
                                Driver{"fuse-overlayfs", "fuse-overlayfs", "diff", false},
                                Driver{"vfs", "vfs/dir", "", true}};

constexpr std::size_t max_images = 100'000, max_containers = 100'000, small_file = 64 << 10;

// What may stand for one file or folder: hexadecimal, with what Docker appends ("-init").
bool is_store_id(std::string_view id) {
  return !id.empty() && id.size() <= 200 && id.front() != '.' &&
         id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz_-") == std::string_view::npos;
}

std::string layer_folder(std::string_view driver, const Digest& chain_id) {
  return fmt::format("image/{}/layerdb/sha256/{}/", driver, chain_id.hex());
}

}  // namespace

Result<std::string> DockerStore::read(const std::string& path, std::uint64_t limit) const {
  const auto file = LocalFile::open_below(root_.get(), path);
  if (!file) return file.error();
  auto text = read_whole(*file, limit);
  if (!text) return Error{text.error().code, fmt::format("{}: {}", path, text.error().message)};
  return text;
}

Result<DockerStore> DockerStore::open(FileHandle folder, const std::string& root,
                                      const SourceOptions& options) {
  DockerStore store;
  store.root_ = std::move(folder);
  const auto image = open_folder_below(store.root_.get(), "image");
  const auto containers = open_folder_below(store.root_.get(), "containers");
  if (!image && !containers) {
    if (image.error().code != ErrorCode::not_found) return image.error();
    return Error{ErrorCode::not_found, fmt::format("{} is not Docker's folder", root)};
  }
  if (image) {
    bool more = false;
    const auto names = list_folder(image->get(), 100, more);
    if (!names) return names.error();
    for (const std::string& driver : *names) {
      if (is_store_id(driver)) store.read_images(driver, options);
    }
  }
  store.read_containers(options);
  return store;
}

void DockerStore::read_images(const std::string& driver, const SourceOptions& options) {
  const std::string place = "image/" + driver + "/";
  std::map<Digest, DockerImage> images;
  const auto content = open_folder_below(root_.get(), place + "imagedb/content/sha256");
  if (content) {
    bool more = false;
    const auto names = list_folder(content->get(), max_images, more);
    if (!names) unread_.emplace_back(place + "imagedb", names.error().message);
    if (more) unread_.emplace_back(place + "imagedb", "more images than are looked at");
    if (names) {
      for (const std::string& name : *names) {
        const auto id = Digest::parse("sha256:" + name);
        if (!id) continue;
        images[*id].id = *id;
      }
    }
  } else if (content.error().code != ErrorCode::not_found) {
    unread_.emplace_back(place + "imagedb", content.error().message);
  }

  const auto text = read(place + "repositories.json", options.limits.store_document_bytes);
  if (!text) {
    if (text.error().code != ErrorCode::not_found)
      unread_.emplace_back(place + "repositories.json", text.error().message);
  } else {
    const auto document = format::parse_json(*text, {8, 1'000'000, false});
    const auto* repositories = document.value.find("Repositories");
    if (!document.valid || repositories == nullptr || repositories->as_object() == nullptr) {
      unread_.emplace_back(place + "repositories.json", "is not the list of names that Docker keeps");
    } else {
      for (const auto& [repository, references] : *repositories->as_object()) {
        if (references.as_object() == nullptr) continue;
        for (const auto& [reference, value] : *references.as_object()) {
          const auto id =
              value.as_string() == nullptr ? std::nullopt : Digest::parse(*value.as_string());
          if (!id) continue;
          DockerImage& image = images[*id];
          image.id = *id;
          const auto name = parse_image_name(reference);
          if (name && !name->digest.empty()) image.digests.push_back(name->digest);
          image.names.push_back(full_image_name(reference));
        }
      }
    }
  }
  for (auto& [id, image] : images) {
    image.driver = driver;
    std::sort(image.names.begin(), image.names.end());
    images_.push_back(std::move(image));
  }
}

void DockerStore::read_containers(const SourceOptions& options) {
  const auto folder = open_folder_below(root_.get(), "containers");
  if (!folder) {
    if (folder.error().code != ErrorCode::not_found)
      unread_.emplace_back("containers", folder.error().message);
    return;
  }
  bool more = false;
  const auto names = list_folder(folder->get(), max_containers, more);
  if (!names) return unread_.emplace_back("containers", names.error().message), void();
  if (more) unread_.emplace_back("containers", "more containers than are looked at");
  for (const std::string& id : *names) {
    const std::string path = "containers/" + id + "/";
    auto config = read(path + "config.v2.json", options.limits.config_bytes);
    if (!config) {
      unread_.emplace_back(path + "config.v2.json", config.error().message);
      continue;
    }
    const auto document = format::parse_json(*config);
    if (!document.valid) {
      unread_.emplace_back(path + "config.v2.json", "is not the JSON that Docker writes");
      continue;
    }
    DockerContainer container;
    container.id = id;
    container.driver = document.value.text("Driver");
    std::string_view name = document.value.text("Name");
    if (name.starts_with('/')) name.remove_prefix(1);
    container.name = name;
    container.image_id = Digest::parse(document.value.text("Image")).value_or(Digest());
    if (const auto* inner = document.value.find("Config")) container.image_name = inner->text("Image");
    if (const auto* state = document.value.find("State")) {
      const auto* running = state->find("Running");
      container.running = running != nullptr && running->as_bool() != nullptr && *running->as_bool();
    }
    auto host_config = read(path + "hostconfig.json", options.limits.config_bytes);
    if (host_config) {
      container.host_config = std::move(*host_config);
    } else if (host_config.error().code != ErrorCode::not_found) {
      unread_.emplace_back(path + "hostconfig.json", host_config.error().message);
    }
    container.config = std::move(*config);
    containers_.push_back(std::move(container));
  }
}

Result<std::string> DockerStore::config(const DockerImage& image,
                                        const SourceOptions& options) const {
  return read(fmt::format("image/{}/imagedb/content/sha256/{}", image.driver, image.id.hex()),
              options.limits.config_bytes);
}

Result<UnpackedLayer> DockerStore::open_unpacked(std::string_view driver,
                                                 std::string_view cache_id) const {
  const auto known = std::find_if(drivers.begin(), drivers.end(),
                                  [&](const Driver& one) { return one.name == driver; });
  if (known == drivers.end())
    return Error{ErrorCode::unsupported,
                 fmt::format("the storage driver {} is not read: use \"docker save\" and scan the "
                             "archive",
                             escape(driver, 100))};
  if (!is_store_id(cache_id))
    return Error{ErrorCode::corrupt,
                 fmt::format("\"{}\" is not a layer's folder", escape(cache_id, 100))};
  UnpackedLayer unpacked;
  unpacked.overlay = !known->full_copies;
  auto folder = open_folder_below(
      root_.get(), fmt::format("{}/{}/{}", known->folder, cache_id, known->below));
  if (!folder) return folder.error();
  unpacked.folder = std::move(*folder);
  return unpacked;
}

Result<UnpackedLayer> DockerStore::open_layer(std::string_view driver,
                                              const Digest& chain_id) const {
  const std::string place = layer_folder(driver, chain_id);
  const auto cache_id = read(place + "cache-id", small_file);
  if (!cache_id) return cache_id.error();
  auto unpacked = open_unpacked(driver, trim(*cache_id));
  if (!unpacked) return unpacked.error();
  auto record = LocalFile::open_below(root_.get(), place + "tar-split.json.gz");
  if (record) {
    unpacked->tar_split.emplace(std::move(*record));
  } else if (record.error().code != ErrorCode::not_found) {
    return record.error();
  }
  return unpacked;
}

Result<UnpackedLayer> DockerStore::open_layer(const DockerContainer& container) const {
  if (!is_store_id(container.driver) || !is_store_id(container.id))
    return Error{ErrorCode::corrupt, "the container's record names no storage driver"};
  const auto mount_id = read(
      fmt::format("image/{}/layerdb/mounts/{}/mount-id", container.driver, container.id), small_file);
  if (!mount_id) return mount_id.error();
  return open_unpacked(container.driver, trim(*mount_id));
}

std::vector<Digest> DockerStore::layer_digests(std::string_view driver,
                                               const Digest& diff_id) const {
  std::vector<Digest> digests;
  const auto text = read(fmt::format("image/{}/distribution/v2metadata-by-diffid/sha256/{}", driver,
                                     diff_id.hex()),
                         1 << 20);
  if (!text) return digests;  // an image that was loaded or built has none
  const auto document = format::parse_json(*text, {8, 100'000, false});
  if (document.value.as_array() == nullptr) return digests;
  for (const auto& item : *document.value.as_array()) {
    if (const auto digest = Digest::parse(item.text("Digest"));
        digest && std::find(digests.begin(), digests.end(), *digest) == digests.end())
      digests.push_back(*digest);
  }
  return digests;
}

}  // namespace lazaret::source
