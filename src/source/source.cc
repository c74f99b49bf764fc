#include "source/source.h"

#include "source/registry.h"
#include "source/sources.h"

namespace lazaret::source {

std::string local_reference(const Target& target) {
  std::string path = target.path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto slash = path.rfind('/');
  if (slash != std::string::npos && path.size() > 1) path = path.substr(slash + 1);
  std::string text(target.any_archive ? std::string_view("archive") : name_of(target.transport));
  text += ":" + path;
  if (!target.reference.empty()) text += ":" + target.reference;
  return text;
}

Result<std::unique_ptr<ImageSource>> open_source(const Target& target) {
  switch (target.transport) {
    case Transport::docker_archive:
    case Transport::oci_archive:
      return open_archive(target);
    case Transport::oci:
      return open_layout(target);
    case Transport::registry:
      return open_registry(target);
    case Transport::docker_daemon:
      return open_docker_daemon(target);
    case Transport::containers_storage:
      return open_containers_storage(target);
    case Transport::containerd:
      return open_containerd(target);
    case Transport::rootfs:
      return open_root_folder(target);
  }
  return Error{ErrorCode::unsupported, target.text};
}

}  // namespace lazaret::source
