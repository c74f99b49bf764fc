#include "detect/reverse_shell_support.h"

#include <array>

#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

bool mentions_shell(std::string_view text) {
  for (const std::string_view shell :
       {"/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ash", "bash -", "sh -i", "\"sh\"",
        "'sh'", "\"bash\"", "'bash'", "cmd.exe", "sh <&"}) {
    if (text.find(shell) != std::string_view::npos) return true;
  }
  return false;
}

enum class Proof : std::uint8_t {
  shell,  // a shell is named: it gets the connection
  peer,   // no shell is named, what comes is run: only with a fixed peer is that no tool
  plain,  // the parts are enough
};

struct Mechanism {
  std::array<std::string_view, 6> connect;  // any of them
  std::array<std::string_view, 6> join;     // any of them: descriptors passed on, or streams copied
  std::array<std::string_view, 6> start;    // any of them: a program is started
  Proof proof = Proof::shell;
};
constexpr Mechanism mechanisms[] = {
    // python
    {{"socket.socket", "socket(", "create_connection", "create_server"},
     {"dup2", "pty.spawn", "subprocess.PIPE", "stdin=s"},
     {"subprocess", "os.system", "pty.spawn", "os.exec", "execve", "\"pty\").spawn"}},
    {{"socket.socket", "create_connection"},
     {"recv(", "makefile("},
     {"shell=True", "os.popen(", "os.system(", "getoutput("},
     Proof::peer},
    // perl
    {{"IO::Socket", "socket(S", "socket(", "use Socket"},
     {">&S", ">&C", ">&$", "fdopen", "open(STDIN", "system$_"},
     {"exec", "system", "`$"}},
    {{"IO::Socket", "use Socket"},
     {"while<>", "while <>", "while (<$", "while(<$"},
     {"system$_", "system $_", "`$_`", "qx{$_}", "exec $_"},
     Proof::peer},
    // php
    {{"fsockopen", "stream_socket_client", "socket_create", "stream_socket_server"},
     {"<&3", "proc_open", "$sock", "pipes", "<&"},
     {"exec(", "passthru", "system(", "proc_open", "popen(", "`sh"}},
    {{"fsockopen", "stream_socket_client", "socket_connect"},
     {"fgets(", "fread(", "socket_read("},
     {"shell_exec(", "popen(", "system(", "passthru(", "proc_open("},
     Proof::peer},
    {{"socket_accept", "stream_socket_accept"},
     {"socket_read(", "fgets($"},
     {"popen($", "shell_exec($", "proc_open($", "system($", "passthru($"},
     Proof::plain},
    // ruby
    {{"TCPSocket", "TCPServer"},
     {".to_i", "<&%d", "fileno", "IO.popen", "reopen", ":in,:out"},
     {"exec", "spawn", "IO.popen", "system"}},
    {{"TCPSocket"}, {".gets"}, {"IO.popen(", "Open3", "`#{"}, Proof::peer},
    // node
    {{"net.Socket", "net.connect", "createConnection", "require('net')", "require(\"net\")"},
     {".pipe(", "stdin"},
     {"child_process", "spawn(", "exec("}},
    {{"net.Socket", "net.connect", "createConnection", "require('net')", "require(\"net\")"},
     {"on('data'", "on(\"data\""},
     {"child_process"},
     Proof::peer},
    // lua
    {{"socket.tcp", "socket.connect"}, {"receive", ":send", "<&3"}, {"os.execute", "io.popen"}},
    {{"socket.tcp", "socket.connect"}, {"receive"}, {"io.popen", "os.execute"}, Proof::peer},
    // go
    {{"net.Dial", "net.Listen"}, {".Stdin"}, {"exec.Command"}},
    {{"net.Dial"}, {"ReadString", "NewScanner", "ReadLine"}, {"exec.Command"}, Proof::peer},
    // rust
    {{"TcpStream::connect", "TcpListener::bind"},
     {"as_raw_fd", "from_raw_fd", "read_line", "try_clone", "into_raw_fd"},
     {"Command::new"}},
    // java, groovy
    {{"new Socket(", "java.net.Socket", "Socket(", "ServerSocket("},
     {"getInputStream", "getOutputStream"},
     {"ProcessBuilder", "getRuntime().exec", "Runtime.exec", ".exec("}},
    // c
    {{"connect(", "accept("}, {"dup2("}, {"execve(", "execl(", "execv(", "system("}},
    // powershell, c#
    {{"TCPClient", "TcpClient"}, {"GetStream"}, {"iex", "Invoke-Expression", "Process"}},
    {{"TCPClient", "TcpClient"}, {"GetStream"}, {"iex ", "Invoke-Expression"}, Proof::plain},
    // tcl, crystal, dart, julia
    {{"[socket "}, {"gets "}, {"exec "}, Proof::peer},
    {{"Socket.tcp", "TCPSocket"}, {".receive", ".gets"}, {"shell:true", "shell: true"}, Proof::peer},
    {{"Socket.connect("}, {"listen("}, {"Process.start"}},
    {{"Sockets"}, {"readline("}, {"read(`", "run(`", "pipeline("}},
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

bool is_word_before(std::string_view text, std::size_t at) {
  return at > 0 && (text[at - 1] == '_' || (text[at - 1] >= 'a' && text[at - 1] <= 'z') ||
                    (text[at - 1] >= 'A' && text[at - 1] <= 'Z'));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return text.substr(at, end - at);
}

// An address and a port near each other: ("203.0.113.7",4444), "203.0.113.7:4444",
// (4444,"203.0.113.7").
std::string endpoint_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || (at > 0 && (text[at - 1] == '.' || is_digit(text[at - 1]))))
      continue;
    std::size_t end = at, dots = 0;
    while (end < text.size() && (is_digit(text[end]) || text[end] == '.'))
      dots += text[end++] == '.';
    if (dots == 3 && text[end - 1] != '.') {
      const std::string address(text.substr(at, end - at));
      std::size_t port = end;
      while (port < text.size() && port < end + 24 && !is_digit(text[port])) ++port;
      // Digits that belong to a name or a bracket are no port.
      const bool apart = port < text.size() && is_digit(text[port]) && !is_word_before(text, port) &&
                         text.substr(end, port - end).find_first_of("[{") == std::string_view::npos;
      if (apart && is_port(digits_at(text, port)))
        return address + ":" + std::string(digits_at(text, port));
      std::size_t before = at;
      while (before > 0 && at - before < 4 && !is_digit(text[before - 1])) --before;
      std::size_t begin = before;
      while (begin > 0 && is_digit(text[begin - 1])) --begin;
      if (is_port(text.substr(begin, before - begin)))
        return address + ":" + std::string(text.substr(begin, before - begin));
    }
    at = end;
  }
  return "";
}

}  // namespace

std::optional<SourceShell> shell_in_source(std::string_view text) {
  const bool shell = mentions_shell(text);
  std::optional<std::string> endpoint;
  for (const Mechanism& mechanism : mechanisms) {
    if (mechanism.proof == Proof::shell && !shell) continue;
    if (!has_any(text, mechanism.connect) || !has_any(text, mechanism.join) ||
        !has_any(text, mechanism.start))
      continue;
    if (!endpoint) endpoint = endpoint_in(text);
    if (mechanism.proof == Proof::peer && (endpoint->empty() || endpoint->starts_with("127.") ||
                                           endpoint->starts_with("0.0.0.0")))
      continue;
    SourceShell found;
    found.endpoint = *endpoint;
    found.listens = has_any(text, listening) && text.find("connect(") == std::string_view::npos &&
                    text.find("fsockopen") == std::string_view::npos;
    return found;
  }
  return std::nullopt;
}

}  // namespace lazaret::detect
