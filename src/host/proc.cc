#include "host/proc.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace lazaret::host {
namespace {

constexpr std::size_t max_processes = 4'200'000;  // PID_MAX_LIMIT is 4,194,304
constexpr std::size_t max_descriptors = 1'048'576, max_sockets = 1'000'000;
constexpr std::uint64_t command_bytes = 2 << 20, status_bytes = 64 << 10, table_bytes = 256 << 20;

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value == 0) return std::nullopt;
  return value;
}

// "socket:[123]"
std::uint64_t socket_of(std::string_view link) {
  constexpr std::string_view prefix = "socket:[";
  if (!link.starts_with(prefix) || !link.ends_with(']')) return 0;
  return number_of(link.substr(prefix.size(), link.size() - prefix.size() - 1)).value_or(0);
}

void read_program(const std::string& link, Process& process) {
  constexpr std::string_view mark = " (deleted)";
  process.program = link;
  if (!link.ends_with(mark)) return;
  process.is_deleted = true;
  process.program.resize(link.size() - mark.size());
}

}  // namespace

std::string Process::title() const { return fmt::format("{} ({})", name.empty() ? program : name, id); }

ProcessList read_processes(const HostRoot& root) {
  ProcessList list;
  const auto names = root.list("/proc", max_processes);
  if (!names) {
    if (names.error().code != ErrorCode::not_found) list.unread.emplace_back("processes", names.error().message);
    return list;
  }
  std::vector<std::uint64_t> ids;
  for (const std::string& name : *names) {
    if (const auto id = number_of(name)) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  list.has_proc = !ids.empty();
  for (const std::uint64_t id : ids) {
    const std::string folder = fmt::format("/proc/{}/", id);
    Process process;
    process.id = id;
    const auto program = root.link(folder + "exe");
    if (program) {
      read_program(*program, process);
    } else if (program.error().code == ErrorCode::unauthorized) {
      ++list.unreadable;
    }
    const auto command = root.read(folder + "cmdline", command_bytes);
    if (!command) {
      if (command.error().code == ErrorCode::limit) list.unread.emplace_back(fmt::format("command line of process {}", id), command.error().message);
      if (command.error().code == ErrorCode::not_found) continue;  // it ended meanwhile
    } else if (!command->empty()) {
      std::string_view text = *command;
      if (text.back() == '\0') text.remove_suffix(1);
      for (const std::string_view argument : split(text, '\0')) process.arguments.emplace_back(argument);
    }
    if (const auto name = root.read(folder + "comm", status_bytes)) process.name = trim(*name);
    for (std::size_t stream = 0; stream < process.streams.size(); ++stream) {
      if (const auto link = root.link(fmt::format("{}fd/{}", folder, stream))) process.streams[stream] = socket_of(*link);
    }
    if (const auto link = root.link(folder + "ns/net")) process.network = *link;
    list.processes.push_back(std::move(process));
  }
  return list;
}

std::map<std::string, std::vector<TcpSocket>> read_sockets(const HostRoot& root, ProcessList& list) {
  std::map<std::string, std::vector<TcpSocket>> tables;
  for (const Process& process : list.processes) {
    // Without the name of its namespace it may be in any.
    if (process.network.empty() || tables.contains(process.network)) continue;
    std::vector<TcpSocket> sockets;
    bool read = false;
    for (const char* name : {"tcp", "tcp6"}) {
      const auto text = root.read(fmt::format("/proc/{}/net/{}", process.id, name), table_bytes);
      if (!text) {
        if (text.error().code == ErrorCode::limit) list.unread.emplace_back(fmt::format("sockets of {}", process.network), text.error().message);
        continue;
      }
      read = true;
      bool more = false;
      auto some = read_socket_table(*text, max_sockets, more);
      if (more) list.unread.emplace_back(fmt::format("sockets of {}", process.network), "there are more than are looked at");
      sockets.insert(sockets.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
    if (read) tables.emplace(process.network, std::move(sockets));
  }
  return tables;
}

const Process* owner_of(const HostRoot& root, const ProcessList& list, std::string_view network, std::uint64_t inode) {
  for (const Process& process : list.processes) {
    if (process.network != network) continue;
    const std::string folder = fmt::format("/proc/{}/fd", process.id);
    const auto names = root.list(folder, max_descriptors);
    if (!names) continue;
    for (const std::string& name : *names) {
      const auto link = root.link(folder + "/" + name);
      if (link && socket_of(*link) == inode) return &process;
    }
  }
  return nullptr;
}

}  // namespace lazaret::host
