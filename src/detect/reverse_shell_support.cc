#include "detect/reverse_shell_support.h"

#include <array>

#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

bool mentions_shell(std::string_view text) {
  for (const std::string_view shell :
       {"/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ash", "bash -", "sh -i", "\"sh\"",
        "'sh'", "\"bash\"", "'bash'", "cmd.exe"}) {
    if (text.find(shell) != std::string_view::npos) return true;
  }
  return false;
}

struct Mechanism {
  std::array<std::string_view, 5> connect;  // any of them
  std::array<std::string_view, 5> join;     // any of them: descriptors passed on, or streams copied
  std::array<std::string_view, 5> start;    // any of them: a program is started
};
constexpr Mechanism mechanisms[] = {
    // python
    {{"socket.socket", "socket(", "create_connection", "create_server", ""},
     {"os.dup2", "dup2(", "pty.spawn", "subprocess.PIPE", "stdin=s"},
     {"subprocess", "os.system", "pty.spawn", "os.exec", "execve"}},
    // perl
    {{"IO::Socket", "socket(S", "socket(", "use Socket"},
     {">&S", ">&$", "fdopen", "open(STDIN", "system$_"},
     {"exec", "system", "`$", "", ""}},
    // php
    {{"fsockopen", "stream_socket_client", "socket_create", "stream_socket_server", ""},
     {"<&3", "proc_open", "$sock", "pipes", "<&"},
     {"exec(", "shell_exec", "system(", "proc_open", "popen("}},
    // ruby
    {{"TCPSocket", "TCPServer", "", "", ""},
     {".to_i", "<&%d", "fileno", "IO.popen", "reopen"},
     {"exec", "spawn", "IO.popen", "system", ""}},
    // node
    {{"net.Socket", "net.connect", "createConnection", "require('net')", "require(\"net\")"},
     {".pipe(", "stdin", "", "", ""},
     {"child_process", "spawn(", "exec(", "", ""}},
    // lua
    {{"socket.tcp", "socket.connect", "", ""},
     {"receive", ":send", "", "", ""},
     {"os.execute", "io.popen", "", "", ""}},
    // go
    {{"net.Dial", "net.Listen", "", "", ""},
     {".Stdin", "", "", "", ""},
     {"exec.Command", "", "", "", ""}},
    // java, groovy
    {{"new Socket(", "java.net.Socket", "Socket(", "ServerSocket(", ""},
     {"getInputStream", "getOutputStream", "", "", ""},
     {"ProcessBuilder", "getRuntime().exec", "Runtime.exec", ".exec(", ""}},
    // c
    {{"connect(", "accept(", "", "", ""},
     {"dup2(", "", "", "", ""},
     {"execve(", "execl(", "execv(", "system(", ""}},
    // powershell, c#
    {{"TCPClient", "TcpClient", "", ""},
     {"GetStream", "", "", "", ""},
     {"iex", "Invoke-Expression", "Process", "", ""}},
};

// What waits for a peer; with a connect() beside it, it is a library or a proxy that does both.
constexpr std::array<std::string_view, 9> listening = {"listen(",
                                                       ".listen",
                                                       "Listen",
                                                       "TCPServer",
                                                       "createServer",
                                                       "ServerSocket",
                                                       "stream_socket_server",
                                                       "create_server",
                                                       "socket_bind"};

template <std::size_t N>
bool has_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  for (const std::string_view part : parts) {
    if (!part.empty() && text.find(part) != std::string_view::npos) return true;
  }
  return false;
}

// An address and a port near each other: ("203.0.113.7",4444), "203.0.113.7:4444".
std::string endpoint_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] < '0' || text[at] > '9' ||
        (at > 0 && (text[at - 1] == '.' || (text[at - 1] >= '0' && text[at - 1] <= '9'))))
      continue;
    std::size_t end = at, dots = 0;
    while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.'))
      dots += text[end++] == '.';
    if (dots == 3 && text[end - 1] != '.') {
      std::size_t port = end;
      while (port < text.size() && port < end + 24 && (text[port] < '0' || text[port] > '9'))
        ++port;
      std::size_t port_end = port;
      while (port_end < text.size() && text[port_end] >= '0' && text[port_end] <= '9') ++port_end;
      if (is_port(text.substr(port, port_end - port)))
        return std::string(text.substr(at, end - at)) + ":" +
               std::string(text.substr(port, port_end - port));
    }
    at = end;
  }
  return "";
}

}  // namespace

std::optional<SourceShell> shell_in_source(std::string_view text) {
  if (!mentions_shell(text)) return std::nullopt;
  for (const Mechanism& mechanism : mechanisms) {
    if (!has_any(text, mechanism.connect) || !has_any(text, mechanism.join) ||
        !has_any(text, mechanism.start))
      continue;
    SourceShell found;
    found.endpoint = endpoint_in(text);
    found.listens = has_any(text, listening) && text.find("connect(") == std::string_view::npos &&
                    text.find("fsockopen") == std::string_view::npos;
    return found;
  }
  return std::nullopt;
}

}  // namespace lazaret::detect
