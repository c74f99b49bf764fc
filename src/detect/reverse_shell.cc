// Reverse and bind shells by mechanism: whatever the language, a shell's input and output are joined to a socket.
//
// Shell text is judged on parsed commands, so that quoting does not hide it. Source of other languages is judged by the mechanism's parts standing together:
// a connection, descriptors passed on, a shell started. One of them alone is what every network program has.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;
using format::ShellRedirection;

constexpr std::string_view remove = "Do not run the image. If it has run, treat the host as taken over: isolate it, look for what was installed, change its credentials.";

constexpr Rule rules[] = {
    {"reverse-shell.dev-tcp", Category::reverse_shell, Severity::critical, Confidence::high, "Shell over /dev/tcp",
     "A shell's input and output are redirected to bash's network device, so that whoever listens at the other end types commands into this container. Health checks open "
     "/dev/tcp too, but give it no shell.",
     remove, {"T1059.004", "T1095"}},
    {"reverse-shell.netcat", Category::reverse_shell, Severity::critical, Confidence::high, "Netcat starts a shell",
     "nc, ncat or busybox nc is told to run a shell for its peer. There is hardly an honest use in an image.", remove, {"T1059.004", "T1095"}},
    {"reverse-shell.socat", Category::reverse_shell, Severity::critical, Confidence::high, "socat joins a shell to the network", "socat runs a shell and joins it to a network address.",
     remove, {"T1059.004", "T1095"}},
    {"reverse-shell.pipe-loop", Category::reverse_shell, Severity::critical, Confidence::high, "Shell in a loop of pipes to the network",
     "The output of a network client is a shell's input, and the shell's output goes back: a reverse shell without any special option.", remove, {"T1059.004", "T1095"}},
    {"reverse-shell.interpreter", Category::reverse_shell, Severity::critical, Confidence::high, "Reverse shell in a scripting language",
     "The program connects to a host, makes the connection its standard input and output, and starts a shell.", remove, {"T1059.006", "T1059", "T1095"}},
    {"reverse-shell.awk", Category::reverse_shell, Severity::critical, Confidence::high, "awk runs commands from the network",
     "awk's /inet device is read and what comes is run as commands.", remove, {"T1059.004", "T1095"}},
    {"bind-shell.listener", Category::bind_shell, Severity::critical, Confidence::high, "Shell for whoever connects", "A listener gives every caller a shell.", remove, {"T1059.004", "T1095"}},
};
enum : std::size_t { dev_tcp, netcat, socat, pipe_loop, interpreter, awk, listener };

constexpr engine::Pattern patterns[] = {
    engine::literal("/dev/tcp/"),       engine::literal("/dev/udp/"),     engine::literal("socat"),         engine::literal("mkfifo"),
    engine::literal("mknod "),          engine::literal("s_client"),      engine::literal("/inet/tcp/"),    engine::literal("ztcp"),
    engine::regex("\\b(nc|ncat|netcat|nc\\.traditional|nc\\.openbsd)\\s+-?[a-z0-9]"), engine::literal("dup2"),  engine::literal("pty.spawn"),
    engine::literal("fsockopen"),       engine::literal("stream_socket_client"), engine::literal("TCPSocket"), engine::literal(">&S"),
    engine::literal("net.Socket"),      engine::literal("createConnection"), engine::literal("net.connect"), engine::literal("net.Dial"),
    engine::literal("ProcessBuilder"),  engine::literal(".exec("),        engine::literal("TCPClient"),     engine::literal("socket.tcp"),
    engine::literal("IO::Socket"),      engine::literal("execve("),       engine::literal("execl("),        engine::literal("telnet "),
    engine::literal("popen("),
};

bool is_shell_word(std::string_view word) {
  const auto slash = word.rfind('/');
  return format::is_shell(slash == std::string_view::npos ? word : word.substr(slash + 1));
}

bool mentions_shell(std::string_view text) {
  for (const std::string_view shell : {"/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ash", "bash -", "sh -i", "\"sh\"", "'sh'", "\"bash\"", "'bash'", "cmd.exe"}) {
    if (text.find(shell) != std::string_view::npos) return true;
  }
  return false;
}

void add(FileReport& report, const Rule& rule, const ShellText& text, const ShellCommand& command, std::string endpoint) {
  FileFinding finding = finding_at(rule, text, command);
  if (!endpoint.empty()) {
    finding.indicators.push_back({"c2", std::move(endpoint), false});
  } else if (!text.is_script) {
    // A line of prose or of another language, and no fixed peer: how-tos look like this.
    finding.severity = Severity::medium;
    finding.confidence = Confidence::low;
  }
  if (!text.is_script && !finding.confidence) finding.confidence = Confidence::medium;
  report.add(std::move(finding));
}

std::string endpoint_of_arguments(const ShellCommand& command, std::size_t from) {
  for (std::size_t i = from; i + 1 < command.words.size(); ++i) {
    const std::string& host = command.words[i].text;
    if (host.starts_with('-') || host.empty() || !is_port(command.words[i + 1].text)) continue;
    if (host.find('.') != std::string::npos || host.find(':') != std::string::npos || is_address_literal(host) || host == "localhost") return host + ":" + command.words[i + 1].text;
  }
  return "";
}

bool is_socat_network(std::string_view kind) {
  const std::string lower = to_lower(kind);
  return lower == "tcp" || lower == "tcp4" || lower == "tcp6" || lower == "tcp-connect" || lower == "udp" || lower == "openssl" || lower == "openssl-connect" || lower == "ssl";
}

// exec:'bash -li',pty,stderr
bool starts_shell(std::string_view command) {
  return is_shell_word(command.substr(0, command.find_first_of(" ,'\"")));
}

// "tcp:203.0.113.7:4444", "openssl:host:443,verify=0"
std::string endpoint_of_socat(const ShellCommand& command) {
  for (const auto& word : command.words) {
    const auto colon = word.text.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view kind = std::string_view(word.text).substr(0, colon);
    if (!is_socat_network(kind)) continue;
    return word.text.substr(colon + 1, word.text.find(',') == std::string::npos ? std::string::npos : word.text.find(',') - colon - 1);
  }
  return "";
}

void inspect_command(const ShellText& text, const ShellCommand& command, FileReport& report) {
  const auto& words = command.words;
  // A device as redirection: of a shell, of exec, or joined with 0>&1.
  for (const ShellRedirection& redirection : command.redirections) {
    const std::string& target = redirection.target.text;
    if (target.find("/dev/tcp/") == std::string::npos && target.find("/dev/udp/") == std::string::npos) continue;
    const std::size_t program = format::program_word(command);
    const bool shell = program < words.size() && is_shell_word(words[program].text);
    const bool both_ways = std::any_of(command.redirections.begin(), command.redirections.end(), [](const ShellRedirection& other) {
      return (other.operation == ">&" || other.operation == "<&") && (other.target.text == "1" || other.target.text == "0" || other.fd == 0);
    });
    const bool interactive = shell && (both_ways || std::any_of(words.begin(), words.end(), [](const auto& w) { return w.text.starts_with('-') && w.text.find('i') != std::string::npos; }));
    if (shell && (interactive || redirection.operation == ">&" || redirection.operation == "&>" || redirection.operation == "<>" || redirection.operation == "<")) {
      add(report, rules[dev_tcp], text, command, endpoint_of_device(target));
      return;
    }
    // exec 5<>/dev/tcp/...: a shell only when something reads commands from that descriptor.
    const bool opens = redirection.operation == "<>" || (!words.empty() && words[0].text == "exec");
    if (opens) {
      const std::string fd = std::to_string(redirection.fd);
      for (const ShellCommand& other : text.script.commands) {
        const std::size_t at = format::program_word(other);
        const bool runs = at < other.words.size() && (is_shell_word(other.words[at].text) || other.words[at].text == "eval" || (!other.words[at].is_static && other.words.size() <= 2));
        const bool from_fd = std::any_of(other.redirections.begin(), other.redirections.end(), [&](const ShellRedirection& r) {
          return (r.operation == "<&" || r.operation == ">&") && r.target.text == fd;
        });
        if (runs && from_fd) {
          add(report, rules[dev_tcp], text, command, endpoint_of_device(target));
          return;
        }
      }
    }
  }

  if (const std::size_t nc = find_program(command, {"nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "rcat", "pwncat"}); nc < words.size()) {
    bool listens = false;
    std::string started;
    for (std::size_t i = nc + 1; i < words.size(); ++i) {
      const std::string& word = words[i].text;
      if (word == "--exec" || word == "--sh-exec") {
        started = i + 1 < words.size() ? words[i + 1].text : "?";
      } else if (word.starts_with("--exec=") || word.starts_with("--sh-exec=")) {
        started = word.substr(word.find('=') + 1);
      } else if (word.size() >= 2 && word[0] == '-' && word[1] != '-') {
        if (word.find('l') != std::string::npos) listens = true;
        if (word.find('e') != std::string::npos || word.find('c') != std::string::npos) {
          const auto at = word.find_first_of("ec");
          if (at + 1 < word.size() && word[at + 1] == '/') {
            started = word.substr(at + 1);
          } else if (i + 1 < words.size()) {
            started = words[i + 1].text;
          }
        }
      } else if (word == "--listen") {
        listens = true;
      }
    }
    if (!started.empty()) {
      const std::string_view program = std::string_view(started).substr(0, started.find(' '));
      if (is_shell_word(program) || program == "cmd.exe" || format::is_interpreter(program)) {
        add(report, rules[listens ? listener : netcat], text, command, listens ? "" : endpoint_of_arguments(command, nc + 1));
        return;
      }
    }
  }

  if (const std::size_t at = find_program(command, {"socat"}); at < words.size()) {
    bool shell = false, listens = false, network = false;
    for (std::size_t i = at + 1; i < words.size(); ++i) {
      const std::string lower = to_lower(words[i].text);
      if ((lower.starts_with("exec:") || lower.starts_with("system:")) && starts_shell(std::string_view(lower).substr(lower.find(':') + 1))) shell = true;
      if (lower.find("-listen:") != std::string::npos || lower.starts_with("tcp-l:") || lower.find("-l:") != std::string::npos) listens = true;
      if (lower.starts_with("tcp") || lower.starts_with("udp") || lower.starts_with("openssl") || lower.starts_with("ssl") || lower.starts_with("sctp")) network = true;
    }
    if (shell && network) {
      add(report, rules[listens ? listener : socat], text, command, listens ? "" : endpoint_of_socat(command));
      return;
    }
  }

  if (find_program(command, {"awk", "gawk", "mawk", "nawk"}) < words.size()) {
    for (const auto& word : words) {
      const auto at = word.text.find("/inet/tcp/");
      if (at == std::string::npos || word.text.find("|&") == std::string::npos || word.text.find("getline") == std::string::npos) continue;
      std::string rest = word.text.substr(at + 10);  // local port, host, port
      const auto first = rest.find('/');
      const auto second = first == std::string::npos ? first : rest.find('/', first + 1);
      std::string endpoint;
      if (second != std::string::npos) {
        endpoint = rest.substr(first + 1, second - first - 1) + ":" + rest.substr(second + 1, rest.find_first_not_of("0123456789", second + 1) - second - 1);
      }
      add(report, rules[awk], text, command, endpoint);
      return;
    }
  }
}

// A pipeline in which a network client stands in front of a shell, or a shell between two of them, or with a FIFO that closes the loop.
void inspect_pipelines(const ShellText& text, FileReport& report) {
  const auto& commands = text.script.commands;
  bool has_fifo = false;
  for (const ShellCommand& command : commands) {
    has_fifo |= find_program(command, {"mkfifo", "mknod"}) < command.words.size();
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::size_t network = find_program(commands[i], {"nc", "ncat", "netcat", "telnet", "openssl", "nc.traditional", "nc.openbsd", "socat"});
    if (network >= commands[i].words.size()) continue;
    const std::string& program = commands[i].words[network].text;
    const bool openssl = program.ends_with("openssl");
    if (openssl && std::none_of(commands[i].words.begin(), commands[i].words.end(), [](const auto& w) { return w.text == "s_client"; })) continue;
    bool shell_before = false, shell_behind = false, other_network = false;
    for (std::size_t j = 0; j < commands.size(); ++j) {
      if (j == i || commands[j].pipeline != commands[i].pipeline) continue;
      const std::size_t at = format::program_word(commands[j]);
      const bool shell = at < commands[j].words.size() && is_shell_word(commands[j].words[at].text) &&
                         std::none_of(commands[j].words.begin(), commands[j].words.end(), [](const auto& w) { return w.text == "-c" || w.text.ends_with(".sh"); });
      if (shell && j < i) shell_before = true;
      if (shell && j > i) shell_behind = true;
      if (find_program(commands[j], {"nc", "ncat", "netcat", "telnet"}) < commands[j].words.size()) other_network = true;
    }
    std::string endpoint = endpoint_of_arguments(commands[i], network + 1);
    for (std::size_t w = 0; openssl && w + 1 < commands[i].words.size(); ++w) {
      if (commands[i].words[w].text == "-connect") endpoint = commands[i].words[w + 1].text;
    }
    if ((shell_before && has_fifo) || (shell_before && shell_behind) || (shell_behind && other_network) || (shell_behind && (openssl || program.ends_with("telnet")))) {
      add(report, rules[pipe_loop], text, commands[i], endpoint);
      return;
    }
  }
}

// --- other languages ------------------------------------------------------------------------------------------------------------------------

struct Mechanism {
  std::array<std::string_view, 4> connect;  // any of them
  std::array<std::string_view, 5> join;     // any of them: descriptors passed on, or streams copied
  std::array<std::string_view, 5> start;    // any of them: a program is started
};
constexpr Mechanism mechanisms[] = {
    // python
    {{"socket.socket", "socket(", "create_connection", ""}, {"os.dup2", "dup2(", "pty.spawn", "subprocess.PIPE", "stdin=s"}, {"subprocess", "os.system", "pty.spawn", "os.exec", "execve"}},
    // perl
    {{"IO::Socket", "socket(S", "socket(", "use Socket"}, {">&S", ">&$", "fdopen", "open(STDIN", "system$_"}, {"exec", "system", "`$", "", ""}},
    // php
    {{"fsockopen", "stream_socket_client", "socket_create", ""}, {"<&3", "proc_open", "$sock", "pipes", "<&"}, {"exec(", "shell_exec", "system(", "proc_open", "popen("}},
    // ruby
    {{"TCPSocket", "TCPSocket.new", "TCPSocket.open", ""}, {".to_i", "<&%d", "fileno", "IO.popen", "reopen"}, {"exec", "spawn", "IO.popen", "system", ""}},
    // node
    {{"net.Socket", "net.connect", "createConnection", "require('net')"}, {".pipe(", "stdin", "", "", ""}, {"child_process", "spawn(", "exec(", "", ""}},
    // lua
    {{"socket.tcp", "socket.connect", "", ""}, {"receive", ":send", "", "", ""}, {"os.execute", "io.popen", "", "", ""}},
    // go
    {{"net.Dial", "", "", ""}, {".Stdin", "", "", "", ""}, {"exec.Command", "", "", "", ""}},
    // java, groovy
    {{"new Socket(", "java.net.Socket", "Socket(", ""}, {"getInputStream", "getOutputStream", "", "", ""}, {"ProcessBuilder", "getRuntime().exec", "Runtime.exec", ".exec(", ""}},
    // c
    {{"connect(", "", "", ""}, {"dup2(", "", "", "", ""}, {"execve(", "execl(", "execv(", "system(", ""}},
    // powershell, c#
    {{"TCPClient", "TcpClient", "", ""}, {"GetStream", "", "", "", ""}, {"iex", "Invoke-Expression", "Process", "", ""}},
};

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
    if (text[at] < '0' || text[at] > '9' || (at > 0 && (text[at - 1] == '.' || (text[at - 1] >= '0' && text[at - 1] <= '9')))) continue;
    std::size_t end = at, dots = 0;
    while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) dots += text[end++] == '.';
    if (dots == 3 && text[end - 1] != '.') {
      std::size_t port = end;
      while (port < text.size() && port < end + 24 && (text[port] < '0' || text[port] > '9')) ++port;
      std::size_t port_end = port;
      while (port_end < text.size() && text[port_end] >= '0' && text[port_end] <= '9') ++port_end;
      if (is_port(text.substr(port, port_end - port))) return std::string(text.substr(at, end - at)) + ":" + std::string(text.substr(port, port_end - port));
    }
    at = end;
  }
  return "";
}

void inspect_source(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  for (const engine::PatternHit& hit : file.hits) {
    // The parts of a reverse shell stand close together: in one line or in a short function.
    const std::size_t begin = hit.end > 600 ? static_cast<std::size_t>(hit.end) - 600 : 0;
    const std::string_view near = text.substr(begin, 1200);
    if (!mentions_shell(near)) continue;
    for (const Mechanism& mechanism : mechanisms) {
      if (!has_any(near, mechanism.connect) || !has_any(near, mechanism.join) || !has_any(near, mechanism.start)) continue;
      const std::string endpoint = endpoint_in(near);
      FileFinding finding;
      finding.rule = &rules[interpreter];
      finding.offset = hit.end;
      finding.evidence = shell_line_at(text, hit.end);
      if (!endpoint.empty()) {
        finding.indicators.push_back({"c2", endpoint, false});
      } else {
        // Tools that take the peer from their arguments, and libraries that wrap all of this.
        finding.severity = Severity::medium;
        finding.confidence = Confidence::low;
      }
      report.add(std::move(finding));
      return;
    }
  }
}

// Scripts are parsed even without a hit, since quoting can hide every literal from the pattern pass.
void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) {
    for (const ShellCommand& command : text.script.commands) inspect_command(text, command, report);
    inspect_pipelines(text, report);
  });
  inspect_source(file, report);
}

}  // namespace

extern const Detector reverse_shell_detector;
const Detector reverse_shell_detector = {.name = "reverse-shell",
                                         .summary = "Shells joined to the network, outgoing or listening, in shell text and in the source of other languages.",
                                         .rules = rules,
                                         .patterns = patterns,
                                         .kinds = format::KindSet::texts(),
                                         .trigger = Trigger::always,
                                         .inspect = inspect};

}  // namespace lazaret::detect
