// The sources, one function each. open_source() picks; see source.h for what they promise.
#pragma once

#include <memory>

#include "source/source.h"

namespace lazaret::source {

Result<std::unique_ptr<ImageSource>> open_archive(const Target& target);
Result<std::unique_ptr<ImageSource>> open_layout(const Target& target);
Result<std::unique_ptr<ImageSource>> open_root_folder(const Target& target);
Result<std::unique_ptr<ImageSource>> open_docker_daemon(const Target& target);
Result<std::unique_ptr<ImageSource>> open_containers_storage(const Target& target);
Result<std::unique_ptr<ImageSource>> open_containerd(const Target& target);

// "docker-archive:nginx.tar:ref": a local target without the folders that lead to it, which are the
// host's affair and would make reports of the same image differ.
std::string local_reference(const Target& target);

}  // namespace lazaret::source
