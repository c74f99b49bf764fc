// A folder of this host as a tar stream: the one layer of rootfs:DIR, and a layer of a container
// engine's store that kept no record of its tar form.
//
// The folder's content is hostile and may be alive. Nothing is opened through a link; what is not a
// regular file is never read; file systems that the kernel makes up (proc, sysfs, cgroup, ...) are
// not entered, wherever they are mounted; a file that changes while it is read keeps its place in
// the stream and is reported. The order is that of the sorted names, so that the same folder gives
// the same bytes.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "source/blob_buffer.h"
#include "source/delivery.h"
#include "source/source.h"
#include "source/tar_writer.h"

namespace lazaret::source {

struct FolderTarOptions {
  // The folder is the upper one of an overlay file system: whiteouts (character device 0/0, or the
  // xattr overlay.whiteout) become ".wh.<name>", opaque folders get ".wh..wh..opq" (image-spec,
  // layer.md, "Whiteouts").
  bool overlay = false;
  // Which entries belong to the stream, by path below the folder and what stat(2) says; a folder that
  // does not is not entered. Empty: all.
  std::function<bool(std::string_view path, const struct stat& status)> wanted;
};

// Writes the content of `folder` to `out`. Parts that could not be read are added to `unaudited`
// with a path below the folder. An Error only when cancelled or when the folder itself is
// unreadable.
Result<void> write_folder_tar(int folder, const FolderTarOptions& folder_options,
                              const SourceOptions& options, BlobBuffer& out, Unaudited& unaudited);

}  // namespace lazaret::source
