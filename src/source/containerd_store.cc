#include "source/containerd_store.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>

#include "base/text.h"
#include "source/delivery.h"
#include "source/reference.h"

namespace lazaret::source {
namespace {

constexpr std::string_view meta_path = "io.containerd.metadata.v1.bolt/meta.db";
constexpr std::string_view content_path = "io.containerd.content.v1.content/blobs/";
constexpr std::string_view overlay_path = "io.containerd.snapshotter.v1.overlayfs/";
constexpr std::string_view default_root = "/var/lib/containerd";

// binary.PutUvarint and, zigzag, binary.PutVarint of Go.
std::optional<std::uint64_t> read_uvarint(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    if (i == 9 && byte > 1) return std::nullopt;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}
std::uint64_t read_size(std::string_view bytes) {
  const std::uint64_t value = read_uvarint(bytes).value_or(0);
  return (value & 1) != 0 ? 0 : value >> 1;  // a negative size is none
}

std::string text_of(std::optional<std::string_view> value) {
  return std::string(value.value_or(""));
}

// The value of a google.protobuf.Any: field 2, bytes. Both fields are length-delimited.
std::string value_of_any(std::string_view message) {
  while (message.size() > 1) {
    const auto tag = static_cast<std::uint8_t>(message.front());
    message.remove_prefix(1);
    const auto length = read_uvarint(message);
    if ((tag & 7) != 2 || !length) return "";
    const auto header = std::find_if(message.begin(), message.end(), [](char c) {
      return static_cast<std::uint8_t>(c) < 0x80;
    });
    message.remove_prefix(static_cast<std::size_t>(header - message.begin()) + 1);
    if (*length > message.size()) return "";
    const auto size = static_cast<std::size_t>(*length);
    if (tag >> 3 == 2) return std::string(message.substr(0, size));
    message.remove_prefix(size);
  }
  return "";
}

}  // namespace

Result<std::string> default_containerd_root() {
  const std::string path = "/etc/containerd/config.toml";
  const auto file = LocalFile::open(path);
  if (!file) return std::string(default_root);
  const auto text = read_whole(*file, 1 << 20);
  if (!text) return text.error();
  return containerd_root_of(*text, path);
}

Result<std::string> containerd_root_of(std::string_view text, const std::string& path) {
  try {
    return toml::parse(text)["root"].value_or(std::string(default_root));
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid,
                 fmt::format("{}:{}: {}", path, error.source().begin.line, error.description())};
  }
}

Result<ContainerdSpecifier> parse_containerd_specifier(std::string_view text) {
  ContainerdSpecifier result;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !text.starts_with("[/"))
      return Error{ErrorCode::invalid,
                   "containerd's root stands in brackets and is an absolute path: "
                   "containerd:[/ROOT]namespace/IMAGE"};
    result.root = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  } else {
    auto root = default_containerd_root();
    if (!root) return root.error();
    result.root = std::move(*root);
  }
  result.reference = text;
  if (result.reference.empty())
    return Error{ErrorCode::invalid, "name an image, as in containerd:k8s.io/nginx:latest"};
  return result;
}

Result<ContainerdStore> ContainerdStore::open(const std::string& root,
                                              const SourceOptions& options) {
  auto folder = open_folder(root);
  if (!folder) return folder.error();
  return open(std::move(*folder), root, options);
}

Result<ContainerdStore> ContainerdStore::open(FileHandle folder, const std::string& root,
                                              const SourceOptions& options) {
  ContainerdStore store;
  store.root_ = std::move(folder);
  auto meta = BoltFile::read(store.root_.get(), std::string(meta_path), options);
  if (!meta)
    return Error{meta.error().code, fmt::format("{} is not a readable containerd root: {}", root,
                                                meta.error().message)};
  store.meta_ = std::move(*meta);
  return store;
}

std::vector<std::string> ContainerdStore::name_spaces() {
  std::vector<std::string> result;
  const std::string_view path[] = {"v1"};
  meta_->bolt.list(path, [&](const format::BoltDatabase::Item& item) {
    if (item.is_bucket) result.emplace_back(item.key);
    return true;
  });
  // In the order in which they are searched.
  std::stable_partition(result.begin(), result.end(),
                        [](const std::string& name) { return name == "default"; });
  return result;
}

std::vector<std::string> ContainerdStore::names_in(std::string_view space, std::string_view bucket) {
  std::vector<std::string> names;
  const std::string_view path[] = {"v1", space, bucket};
  meta_->bolt.list(path, [&](const format::BoltDatabase::Item& item) {
    if (item.is_bucket) names.emplace_back(item.key);
    return true;
  });
  return names;
}

ContainerdImage ContainerdStore::image_of(const std::string& space, const std::string& name) {
  const std::string_view target[] = {"v1", space, "images", name, "target"};
  ContainerdImage image;
  image.name_space = space;
  image.name = name;
  image.target.digest =
      Digest::parse(text_of(meta_->bolt.get(target, "digest"))).value_or(Digest());
  image.target.media_type = text_of(meta_->bolt.get(target, "mediatype"));
  image.target.size = read_size(text_of(meta_->bolt.get(target, "size")));
  return image;
}

std::vector<ContainerdImage> ContainerdStore::images() {
  std::vector<ContainerdImage> images;
  for (const std::string& space : name_spaces()) {
    for (const std::string& name : names_in(space, "images")) images.push_back(image_of(space, name));
  }
  return images;
}

std::vector<ContainerdContainer> ContainerdStore::containers() {
  std::vector<ContainerdContainer> containers;
  for (const std::string& space : name_spaces()) {
    for (const std::string& id : names_in(space, "containers")) {
      const std::string_view path[] = {"v1", space, "containers", id};
      ContainerdContainer container;
      container.name_space = space;
      container.id = id;
      container.image = text_of(meta_->bolt.get(path, "image"));
      container.snapshotter = text_of(meta_->bolt.get(path, "snapshotter"));
      container.snapshot = text_of(meta_->bolt.get(path, "snapshotKey"));
      container.spec = value_of_any(text_of(meta_->bolt.get(path, "spec")));
      const std::string_view labels[] = {"v1", space, "containers", id, "labels"};
      container.pod_name = text_of(meta_->bolt.get(labels, "io.kubernetes.pod.name"));
      container.container_name = text_of(meta_->bolt.get(labels, "io.kubernetes.container.name"));
      containers.push_back(std::move(container));
    }
  }
  return containers;
}

Result<ContainerdImage> ContainerdStore::find(std::string_view reference) {
  const auto spaces = name_spaces();
  std::vector<ContainerdImage> found;
  std::string there;
  for (const std::string& space : spaces) {
    // "namespace/name" for this one, or the name alone for any.
    const bool is_named = reference.starts_with(space + "/");
    std::vector<std::string> wanted = {std::string(reference)};
    if (is_named) wanted.emplace_back(reference.substr(space.size() + 1));
    const std::size_t plain = wanted.size();
    for (std::size_t i = 0; i < plain; ++i) wanted.push_back(full_image_name(wanted[i]));
    std::vector<ContainerdImage> here;
    for (const std::string& name : names_in(space, "images")) {
      const std::string_view target[] = {"v1", space, "images", name, "target"};
      const std::string digest = text_of(meta_->bolt.get(target, "digest"));
      if (there.size() < 300)
        there += fmt::format("{}{}/{}", there.empty() ? "" : ", ", space, name);
      const auto is_wanted = [&](const std::string& candidate) {
        return candidate == name || candidate == digest || candidate == full_image_name(name);
      };
      if (std::none_of(wanted.begin(), wanted.end(), is_wanted)) continue;
      here.push_back(image_of(space, name));
    }
    for (auto& image : here) found.push_back(std::move(image));
    if (!here.empty() && (is_named || space == "default")) break;
  }
  if (found.empty())
    return Error{ErrorCode::not_found, fmt::format("containerd has no image {}{}", reference,
                                                   there.empty() ? "" : "; there is " + there)};
  const auto& first = found.front();
  const bool one = std::all_of(found.begin(), found.end(), [&](const ContainerdImage& image) {
    return image.target.digest == first.target.digest;
  });
  if (!one) {
    std::string names;
    for (const auto& image : found)
      if (names.size() < 500)
        names += fmt::format("{}containerd:{}/{}", names.empty() ? "" : ", ", image.name_space,
                             image.name);
    return Error{ErrorCode::invalid,
                 fmt::format("several images are called {}: say which of {}", reference, names)};
  }
  if (first.target.digest.empty())
    return Error{ErrorCode::corrupt,
                 fmt::format("containerd's database has no digest for {}", first.name)};
  return first;
}

std::string ContainerdStore::path_of(const Digest& digest) {
  const std::string text = digest.str();
  const auto colon = text.find(':');
  if (colon == std::string::npos) return "";
  return fmt::format("{}{}/{}", content_path, text.substr(0, colon), text.substr(colon + 1));
}

Result<FileHandle> ContainerdStore::open_snapshot(std::string_view name_space,
                                                  const Digest& chain_id,
                                                  const SourceOptions& options) {
  std::vector<std::string> spaces = name_spaces();
  std::stable_partition(spaces.begin(), spaces.end(),
                        [&](const std::string& space) { return space == name_space; });
  return open_snapshot(spaces, chain_id.str(), options);
}

Result<FileHandle> ContainerdStore::open_snapshot(const ContainerdContainer& container,
                                                  const SourceOptions& options) {
  if (container.snapshotter != "overlayfs")
    return Error{
        ErrorCode::unsupported,
        fmt::format("snapshots of \"{}\" are not read", escape(container.snapshotter, 100))};
  return open_snapshot({container.name_space}, container.snapshot, options);
}

Result<FileHandle> ContainerdStore::open_snapshot(const std::vector<std::string>& spaces,
                                                  const std::string& key,
                                                  const SourceOptions& options) {
  if (!snapshots_ && no_snapshots_.empty()) {
    auto snapshots =
        BoltFile::read(root_.get(), std::string(overlay_path) + "metadata.db", options);
    if (snapshots) {
      snapshots_ = std::move(*snapshots);
    } else {
      no_snapshots_ = snapshots.error().message;
    }
  }
  if (!snapshots_) return Error{ErrorCode::not_found, no_snapshots_};
  for (const std::string& space : spaces) {
    const std::string_view path[] = {"v1", space, "snapshots", "overlayfs", key};
    const auto name = meta_->bolt.get(path, "name");
    if (!name) continue;
    const std::string_view place[] = {"v1", "snapshots", *name};
    const auto id = read_uvarint(text_of(snapshots_->bolt.get(place, "id")));
    if (!id) continue;
    return open_folder_below(root_.get(), fmt::format("{}snapshots/{}/fs", overlay_path, *id));
  }
  return Error{ErrorCode::not_found, fmt::format("there is no snapshot {}", key)};
}

}  // namespace lazaret::source
