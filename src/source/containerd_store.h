// containerd's folder on disk: its names of images (a bbolt database), its content store, and the
// folders of its overlayfs snapshotter.
//
// containerd holds a lock on the database as long as it runs: see source/bolt_file.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/image.h"
#include "source/bolt_file.h"
#include "source/local_file.h"
#include "source/source.h"

namespace lazaret::source {

struct ContainerdImage {
  std::string name_space, name;
  format::Descriptor target;
};

struct ContainerdContainer {
  std::string name_space, id;
  std::string image;  // as it was named when the container was made; "" is possible
  std::string pod_name, container_name;  // Kubernetes' names for it
  std::string spec;   // a runtime's config.json (OCI runtime-spec)
  std::string snapshotter, snapshot;  // what the container wrote, and who keeps it
};

// [ROOT][namespace/]REF
struct ContainerdSpecifier {
  std::string root;
  std::string reference;
};
Result<ContainerdSpecifier> parse_containerd_specifier(std::string_view text);
// What /etc/containerd/config.toml says, or /var/lib/containerd.
Result<std::string> default_containerd_root();
// What a config.toml says; `path` is its name for messages.
Result<std::string> containerd_root_of(std::string_view text, const std::string& path);

class ContainerdStore {
 public:
  static Result<ContainerdStore> open(const std::string& root, const SourceOptions& options);
  // The same of a folder that is open already; `root` is how messages call it.
  static Result<ContainerdStore> open(FileHandle folder, const std::string& root,
                                      const SourceOptions& options);

  // All of all namespaces.
  std::vector<ContainerdImage> images();
  std::vector<ContainerdContainer> containers();

  // "namespace/name", or a name or digest: then the namespace "default" comes first, and in the
  // others it must be one image only.
  Result<ContainerdImage> find(std::string_view reference);

  // Where a blob lies below root(); "" for digests that cannot be there.
  static std::string path_of(const Digest& digest);
  // The folder into which the layers up to this chain ID (image-spec, config.md) were unpacked.
  Result<FileHandle> open_snapshot(std::string_view name_space, const Digest& chain_id,
                                   const SourceOptions& options);
  // The folder with what the container wrote: the upper one of an overlay file system.
  Result<FileHandle> open_snapshot(const ContainerdContainer& container,
                                   const SourceOptions& options);
  int root() const { return root_.get(); }

  const std::vector<Diagnostic>& diagnostics() const { return meta_->bolt.diagnostics(); }

 private:
  std::vector<std::string> name_spaces();
  std::vector<std::string> names_in(std::string_view space, std::string_view bucket);
  ContainerdImage image_of(const std::string& space, const std::string& name);
  Result<FileHandle> open_snapshot(const std::vector<std::string>& spaces, const std::string& key,
                                   const SourceOptions& options);

  FileHandle root_;
  std::unique_ptr<BoltFile> meta_;
  std::unique_ptr<BoltFile> snapshots_;  // read when it is needed first
  std::string no_snapshots_;             // why it cannot be
};

}  // namespace lazaret::source
