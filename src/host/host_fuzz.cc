// Any bytes as what a hostile user of a host can write for lazaret check: settings of containers, keys, sshd_config, tables of sockets, settings of engines.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "host/container_settings.h"
#include "host/engine_check.h"
#include "host/socket_table.h"
#include "host/ssh_keys.h"

using namespace lazaret::host;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view half = text.substr(0, size / 2);
  for (const ContainerSettings& settings : {read_oci_settings(text), read_docker_settings(text, half), read_docker_settings(half, text)}) {
    if (settings.mounts.size() > 1000 || settings.command.size() > 10'001) std::abort();
    for (const ContainerSettings::Mount& mount : settings.mounts) place_of_mount(mount.source);
  }
  for (const AuthorizedKey& key : read_authorized_keys(text)) {
    if (key.type.empty() || key.body.empty() || !key.fingerprint.starts_with("SHA256:") || key.line == 0) std::abort();
    if (forced_command(key.options).size() > size) std::abort();
  }
  forced_command(text);
  const auto files = authorized_keys_files(text);
  if (files.empty() || files.size() > 32) std::abort();
  bool more = false;
  for (const TcpSocket& socket : read_socket_table(text, 1000, more)) {
    if (socket.local.empty() || socket.remote.empty() || socket.remote_text().empty()) std::abort();
  }
  if (read_daemon_json(text).addresses.size() > 100) std::abort();
  return 0;
}
