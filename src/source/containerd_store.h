// containerd's folder on disk: its names of images (a bbolt database), its content store, and the
// folders of its overlayfs snapshotter.
//
// containerd holds a lock on the database as long as it runs, and writes to it. It is neither
// locked nor written here: the file is copied, and the copy counts when no transaction ended
// meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/bolt.h"
#include "format/image.h"
#include "source/local_file.h"
#include "source/source.h"

namespace lazaret::source {

struct ContainerdImage {
  std::string name_space, name;
  format::Descriptor target;
};

// [ROOT][namespace/]REF
struct ContainerdSpecifier {
  std::string root;
  std::string reference;
};
Result<ContainerdSpecifier> parse_containerd_specifier(std::string_view text);
// What /etc/containerd/config.toml says, or /var/lib/containerd.
Result<std::string> default_containerd_root();

class ContainerdStore {
 public:
  static Result<ContainerdStore> open(const std::string& root, const SourceOptions& options);

  // "namespace/name", or a name or digest: then the namespace "default" comes first, and in the
  // others it must be one image only.
  Result<ContainerdImage> find(std::string_view reference);

  // Where a blob lies below root(); "" for digests that cannot be there.
  static std::string path_of(const Digest& digest);
  // The folder into which the layers up to this chain ID (image-spec, config.md) were unpacked.
  Result<FileHandle> open_snapshot(std::string_view name_space, const Digest& chain_id,
                                   const SourceOptions& options);
  int root() const { return root_.get(); }

  const std::vector<Diagnostic>& diagnostics() const { return meta_->bolt.diagnostics(); }

 private:
  struct Database {
    explicit Database(std::string content) : bytes(std::move(content)), bolt(as_bytes(bytes)) {}
    const std::string bytes;
    format::BoltDatabase bolt;
  };
  static Result<std::unique_ptr<Database>> read(int root, const std::string& path,
                                                const SourceOptions& options);
  std::vector<std::string> name_spaces();

  FileHandle root_;
  std::unique_ptr<Database> meta_;
  std::unique_ptr<Database> snapshots_;  // read when it is needed first
  std::string no_snapshots_;             // why it cannot be
};

}  // namespace lazaret::source
