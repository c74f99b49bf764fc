// A layer that a container engine unpacked into a folder, as the tar stream it came from.
//
// Where the engine kept the layer's tar form (format/tar_split.h), headers come from there and
// contents from the folder, and the result is the exact layer, whose diff_id proves it. Where it
// did not, or where the folder is no longer what the record says, a tar is made of the folder as it
// is: that is what containers get, but its digest says nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/blob_buffer.h"
#include "source/delivery.h"
#include "source/local_file.h"
#include "source/source.h"

namespace lazaret::source {

struct UnpackedLayer {
  FileHandle folder;
  // Whether `folder` is the upper folder of an overlay file system; else it is a full copy, with
  // all that lower layers brought.
  bool overlay = true;
  std::optional<LocalFile> tar_split;  // compressed
};

// How close what was delivered is to what was pulled.
struct LayerOutcome {
  bool exact = false;  // the bytes of the layer, unless its diff_id says otherwise
  // Why not: "" when the engine kept no record, which is no one's fault; else what does not fit.
  std::string changed;
  Unaudited unaudited;
};

// Names of files in `tar_split` are not followed out of the folder, whatever links are in it. An
// Error only when cancelled or when the folder is unreadable.
Result<LayerOutcome> write_unpacked_layer(const UnpackedLayer& layer, const SourceOptions& options,
                                          BlobWriter& writer);

// Says in the description what the outcome means for the layer of that name. What an engine keeps
// no record of is a note; what was changed behind its back makes the audit incomplete, since what
// was pulled is gone.
void tell_outcome(const std::string& layer, LayerOutcome& outcome,
                  format::ImageDescription& description);

}  // namespace lazaret::source
