// containers-storage: and containerd:, the stores of Podman, CRI-O and containerd.
//
// Their images can be had through the archives that the engines write; each answer says how.
#include <fmt/core.h>

#include "source/sources.h"

namespace lazaret::source {

Result<std::unique_ptr<ImageSource>> open_containers_storage(const Target& target) {
  return Error{ErrorCode::unsupported,
               fmt::format("this version does not read Podman's store from disk: use `podman save --format oci-archive {} | lazaret scan oci-archive:-`",
                           target.reference)};
}

Result<std::unique_ptr<ImageSource>> open_containerd(const Target& target) {
  return Error{ErrorCode::unsupported,
               fmt::format("this version does not read containerd's store from disk: use `ctr images export - {} | lazaret scan oci-archive:-`", target.reference)};
}

}  // namespace lazaret::source
