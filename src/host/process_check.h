// The processes of the host: command lines, programs that were deleted or lie where nothing should run, shells on network connections, connections to known addresses.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/check.h"
#include "host/host_root.h"
#include "host/proc.h"

namespace lazaret::host {

class ProcessCheck {
 public:
  ProcessCheck(const HostRoot& root, const CheckMachine& machine, CheckReport& report) : root_(root), machine_(machine), report_(report) {}

  // Adds a subject for each process in which something was found.
  void look(ProcessList& list, const std::map<std::string, std::vector<TcpSocket>>& sockets);

 private:
  void judge_program(const Process& process, Subject& subject);
  void judge_streams(const Process& process, const std::vector<TcpSocket>& sockets, Subject& subject);
  void judge_connections(const ProcessList& list, const std::map<std::string, std::vector<TcpSocket>>& tables);
  void audit_program(const Process& process, Subject& subject);

  const HostRoot& root_;
  const CheckMachine& machine_;
  CheckReport& report_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> audited_;  // device and inode of programs
};

// Where everybody may write: /tmp, /var/tmp, /dev/shm and what lies below.
bool is_temporary_path(std::string_view path);
// A component of the path begins with a dot.
bool is_hidden_path(std::string_view path);

}  // namespace lazaret::host
