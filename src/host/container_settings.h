// How a container is run: what its engine wrote down, in Docker's form or as an OCI runtime's config.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lazaret::host {

struct ContainerSettings {
  struct Mount {
    std::string source, target;  // paths of the host and of the container
    bool writable = true;
  };
  bool read = false;  // something could be read of it
  bool privileged = false;
  bool host_processes = false;
  std::vector<Mount> mounts;          // of folders and files of the host
  std::vector<std::string> command;   // program and arguments
};

// config.v2.json and hostconfig.json (moby, container/container.go, api/types/container). Either may be empty.
ContainerSettings read_docker_settings(std::string_view config, std::string_view host_config);

// config.json of OCI runtime-spec, or Podman's own document that has it as "spec". What is malformed is left out.
ContainerSettings read_oci_settings(std::string_view spec);

// What is mounted from the host, for judging: its root, the folders that control it, the engine's socket; "" for anything else.
enum class HostPlace { other, root, control, socket };
HostPlace place_of_mount(std::string_view source);

}  // namespace lazaret::host
