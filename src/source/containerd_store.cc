#include "source/containerd_store.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "source/delivery.h"
#include "source/reference.h"

namespace lazaret::source {
namespace {

constexpr std::string_view meta_path = "io.containerd.metadata.v1.bolt/meta.db";
constexpr std::string_view content_path = "io.containerd.content.v1.content/blobs/";
constexpr std::string_view overlay_path = "io.containerd.snapshotter.v1.overlayfs/";
constexpr std::string_view default_root = "/var/lib/containerd";
constexpr unsigned attempts = 20;
// Holds both meta pages, whatever the page size.
constexpr std::size_t head_bytes = 128 * 1024;

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

std::uint64_t transaction_of(Bytes bytes) {
  const format::BoltDatabase database(bytes);
  return database.valid() ? database.transaction() : 0;
}

std::string text_of(std::optional<std::string_view> value) {
  return std::string(value.value_or(""));
}

}  // namespace

Result<std::string> default_containerd_root() {
  const std::string path = "/etc/containerd/config.toml";
  const auto file = LocalFile::open(path);
  if (!file) return std::string(default_root);
  const auto text = read_whole(*file, 1 << 20);
  if (!text) return text.error();
  try {
    return toml::parse(*text)["root"].value_or(std::string(default_root));
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

Result<std::unique_ptr<ContainerdStore::Database>> ContainerdStore::read(
    int root, const std::string& path, const SourceOptions& options) {
  // bbolt never writes to a page of the tree that the current meta page names. The pages of the
  // tree before it are free for the transaction after it: when the number of the last transaction
  // is the same before and after, no page of its tree was touched between.
  std::string why;
  for (unsigned attempt = 0; attempt < attempts; ++attempt) {
    if (is_cancelled(options)) return cancelled_error();
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20 * attempt));
    const auto file = LocalFile::open_below(root, path);
    if (!file) return file.error();
    std::vector<std::uint8_t> head(head_bytes);
    const auto before_size = file->read_at(0, head);
    if (!before_size) return before_size.error();
    const std::uint64_t before = transaction_of({head.data(), *before_size});
    auto whole = read_whole(*file, options.limits.store_database_bytes);
    if (!whole)
      return Error{whole.error().code, fmt::format("{}: {}", path, whole.error().message)};
    const auto after_size = file->read_at(0, head);
    if (!after_size) return after_size.error();
    const std::uint64_t after = transaction_of({head.data(), *after_size});
    auto database = std::make_unique<Database>(std::move(*whole));
    if (!database->bolt.valid()) {
      why = "is not a database of containerd";
      continue;
    }
    if (before == after && database->bolt.transaction() == after) return database;
    why = "is being written all the time; try again";
  }
  return Error{ErrorCode::busy, fmt::format("{} {}", path, why)};
}

Result<ContainerdStore> ContainerdStore::open(const std::string& root,
                                              const SourceOptions& options) {
  ContainerdStore store;
  auto folder = open_folder(root);
  if (!folder) return folder.error();
  store.root_ = std::move(*folder);
  auto meta = read(store.root_.get(), std::string(meta_path), options);
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
    const std::string_view path[] = {"v1", space, "images"};
    std::vector<std::string> names;
    meta_->bolt.list(path, [&](const format::BoltDatabase::Item& item) {
      if (item.is_bucket) names.emplace_back(item.key);
      return true;
    });
    std::vector<ContainerdImage> here;
    for (const std::string& name : names) {
      const std::string_view target[] = {"v1", space, "images", name, "target"};
      const std::string digest = text_of(meta_->bolt.get(target, "digest"));
      if (there.size() < 300)
        there += fmt::format("{}{}/{}", there.empty() ? "" : ", ", space, name);
      const auto is_wanted = [&](const std::string& candidate) {
        return candidate == name || candidate == digest || candidate == full_image_name(name);
      };
      if (std::none_of(wanted.begin(), wanted.end(), is_wanted)) continue;
      ContainerdImage image;
      image.name_space = space;
      image.name = name;
      image.target.digest = Digest::parse(digest).value_or(Digest());
      image.target.media_type = text_of(meta_->bolt.get(target, "mediatype"));
      image.target.size = read_size(text_of(meta_->bolt.get(target, "size")));
      here.push_back(std::move(image));
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
  if (!snapshots_ && no_snapshots_.empty()) {
    auto snapshots = read(root_.get(), std::string(overlay_path) + "metadata.db", options);
    if (snapshots) {
      snapshots_ = std::move(*snapshots);
    } else {
      no_snapshots_ = snapshots.error().message;
    }
  }
  if (!snapshots_) return Error{ErrorCode::not_found, no_snapshots_};
  const std::string chain = chain_id.str();
  std::vector<std::string> spaces = name_spaces();
  std::stable_partition(spaces.begin(), spaces.end(),
                        [&](const std::string& space) { return space == name_space; });
  for (const std::string& space : spaces) {
    const std::string_view path[] = {"v1", space, "snapshots", "overlayfs", chain};
    const auto key = meta_->bolt.get(path, "name");
    if (!key) continue;
    const std::string_view place[] = {"v1", "snapshots", *key};
    const auto id = read_uvarint(text_of(snapshots_->bolt.get(place, "id")));
    if (!id) continue;
    return open_folder_below(root_.get(), fmt::format("{}snapshots/{}/fs", overlay_path, *id));
  }
  return Error{ErrorCode::not_found, fmt::format("there is no snapshot {}", chain)};
}

}  // namespace lazaret::source
