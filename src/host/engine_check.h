// Docker APIs that anybody on the network may use: what daemon.json and the units say, and what runs.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/check.h"
#include "host/host_root.h"
#include "host/proc.h"

namespace lazaret::host {

// Where an engine listens, as its settings say.
struct EngineSettings {
  std::vector<std::string> addresses;  // of tcp:// hosts: "0.0.0.0:2375", ":2375"
  bool verifies = false;               // clients need a certificate
};
EngineSettings read_daemon_json(std::string_view text);
// `dockerd -H tcp://0.0.0.0:2375 --tlsverify`, `podman system service tcp:0.0.0.0:8080`; nothing of other commands.
EngineSettings read_engine_command(const std::vector<std::string>& arguments);

// Adds a subject for each engine that is open.
void check_engines(const HostRoot& root, const CheckMachine& machine, const ProcessList& list, const std::map<std::string, std::vector<TcpSocket>>& sockets, CheckReport& report);

}  // namespace lazaret::host
