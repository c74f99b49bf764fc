// The processes of a root, as its /proc shows them (proc(5)). All of it may be what a hostile process wants to be seen, and any of them may be gone at the next look.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/host_root.h"
#include "host/socket_table.h"

namespace lazaret::host {

struct Process {
  std::uint64_t id = 0;
  std::string name;                     // of the program, as the kernel has it ("bash")
  std::string program;                  // path, without " (deleted)"; "" of kernel threads
  bool is_deleted = false;
  std::vector<std::string> arguments;   // raw
  std::array<std::uint64_t, 3> streams{};  // inode of the socket that standard input, output and error are; 0 for anything else
  std::string network;                  // its network namespace, "net:[4026531840]"

  std::string title() const;            // "bash (12)"
};

struct ProcessList {
  std::vector<Process> processes;  // by number
  std::uint64_t unreadable = 0;    // belong to other users
  bool has_proc = false;           // the root has processes to look at
  std::vector<std::pair<std::string, std::string>> unread;  // (what, why)
};
ProcessList read_processes(const HostRoot& root);

// The sockets of each network namespace that a process is in.
std::map<std::string, std::vector<TcpSocket>> read_sockets(const HostRoot& root, ProcessList& list);

// The process that holds the socket, by looking through all descriptors; null when none does or it may not be seen.
const Process* owner_of(const HostRoot& root, const ProcessList& list, std::string_view network, std::uint64_t inode);

}  // namespace lazaret::host
