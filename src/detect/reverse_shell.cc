// Reverse and bind shells by mechanism: whatever the language, a shell's input and output are
// joined to a socket.
//
// Shell text is judged on parsed commands, so that quoting does not hide it. Source of other
// languages is judged by the mechanism's parts standing together: a connection, descriptors passed
// on, a shell started. One of them alone is what every network program has.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "detect/reverse_shell_support.h"
#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;
using format::ShellRedirection;

constexpr std::string_view remove =
    "Do not run the image. If it has run, treat the host as taken over: isolate it, look for what "
    "was installed, change its credentials.";

constexpr Rule rules[] = {
    {"reverse-shell.dev-tcp",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "Shell over /dev/tcp",
     "A shell's input and output are redirected to bash's network device, so that whoever listens "
     "at the other end types commands into this container. Health checks open "
     "/dev/tcp too, but give it no shell.",
     remove,
     {"T1059.004", "T1095"}},
    {"reverse-shell.netcat",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "Netcat starts a shell",
     "nc, ncat or busybox nc is told to run a shell for its peer. There is hardly an honest use in "
     "an image.",
     remove,
     {"T1059.004", "T1095"}},
    {"reverse-shell.socat",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "socat joins a shell to the network",
     "socat runs a shell and joins it to a network address.",
     remove,
     {"T1059.004", "T1095"}},
    {"reverse-shell.pipe-loop",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "Shell in a loop of pipes to the network",
     "The output of a network client is a shell's input, and the shell's output goes back: a "
     "reverse shell without any special option.",
     remove,
     {"T1059.004", "T1095"}},
    {"reverse-shell.interpreter",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "Reverse shell in a scripting language",
     "The program connects to a host, makes the connection its standard input and output, and "
     "starts a shell.",
     remove,
     {"T1059.006", "T1059", "T1095"}},
    {"reverse-shell.awk",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "awk runs commands from the network",
     "awk's /inet device is read and what comes is run as commands.",
     remove,
     {"T1059.004", "T1095"}},
    {"reverse-shell.network-commands",
     Category::reverse_shell,
     Severity::critical,
     Confidence::high,
     "Runs commands that come from the network",
     "What a raw connection gives is run by a shell: whoever is at the other end decides what this "
     "container does.",
     remove,
     {"T1059.004", "T1095"}},
    {"bind-shell.listener",
     Category::bind_shell,
     Severity::critical,
     Confidence::high,
     "Shell for whoever connects",
     "A listener gives every caller a shell.",
     remove,
     {"T1059.004", "T1095"}},
};
enum : std::size_t {
  dev_tcp,
  netcat,
  socat,
  pipe_loop,
  interpreter,
  awk,
  network_commands,
  listener
};

constexpr engine::Pattern patterns[] = {
    engine::literal("/dev/tcp/"),
    engine::literal("/dev/udp/"),
    engine::literal("socat"),
    engine::literal("mkfifo"),
    engine::literal("mknod "),
    engine::literal("s_client"),
    engine::literal("/inet/tcp/"),
    engine::literal("ztcp"),
    engine::regex("\\b(nc|ncat|netcat|nc\\.traditional|nc\\.openbsd)\\s+-?[a-z0-9]"),
    engine::literal("dup2"),
    engine::literal("pty.spawn"),
    engine::literal("fsockopen"),
    engine::literal("stream_socket_client"),
    engine::literal("TCPSocket"),
    engine::literal(">&S"),
    engine::literal("net.Socket"),
    engine::literal("createConnection"),
    engine::literal("net.connect"),
    engine::literal("net.Dial"),
    engine::literal("ProcessBuilder"),
    engine::literal(".exec("),
    engine::literal("TCPClient"),
    engine::literal("socket.tcp"),
    engine::literal("IO::Socket"),
    engine::literal("execve("),
    engine::literal("execl("),
    engine::literal("telnet "),
    engine::literal("popen("),
    engine::literal("socket.socket("),
    engine::literal("socket(S"),
    engine::literal("socket_accept"),
    engine::literal("TCPServer"),
    engine::literal("TcpClient"),
    engine::literal("TcpStream::connect"),
    engine::literal("Socket.connect("),
    engine::literal("Socket.tcp("),
    engine::literal("[socket "),
    engine::literal("using Sockets"),
    engine::literal("net.Listen("),
    engine::literal("net.createServer"),
    engine::literal("require('net')"),
    engine::literal("require(\"net\")"),
};

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_shell_word(std::string_view word) {
  return format::is_shell(base_name(word));
}

std::string_view program_of(const ShellCommand& command) {
  const std::size_t at = format::program_word(command);
  return at < command.words.size() ? base_name(command.words[at].text) : std::string_view();
}

bool has_short_option(const ShellCommand& command, char letter) {
  return std::any_of(command.words.begin(), command.words.end(), [&](const auto& word) {
    return word.text.size() >= 2 && word.text[0] == '-' && word.text[1] != '-' &&
           word.text.find(letter) != std::string::npos;
  });
}

bool is_shell_command(const ShellCommand& command) {
  return format::is_shell(program_of(command));
}

// A shell that is told nothing but to read: no -c, no script.
bool reads_commands(const ShellCommand& command) {
  const std::size_t at = format::program_word(command);
  if (at >= command.words.size() || !is_shell_word(command.words[at].text)) return false;
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    const std::string& word = command.words[i].text;
    if (word == "-" || word == "/dev/stdin" || word == "-s") return true;
    if (!word.starts_with('-')) return false;
    if (!word.starts_with("--") && word.find('c') != std::string::npos) return false;
  }
  return true;
}

// It runs what it is given: a shell, eval, or a word that is only known when the script runs
// ($line).
bool runs_words(const ShellCommand& command) {
  const std::size_t at = format::program_word(command);
  if (at >= command.words.size()) return false;
  const auto& word = command.words[at];
  return is_shell_word(word.text) || word.text == "eval" ||
         (!word.is_static && word.text.empty() && command.words.size() <= 2);
}

bool is_device(std::string_view target) {
  return target.find("/dev/tcp/") != std::string_view::npos ||
         target.find("/dev/udp/") != std::string_view::npos;
}

bool joins_streams(const ShellRedirection& redirection) {
  return (redirection.operation == ">&" || redirection.operation == "<&") &&
         (redirection.target.text == "1" || redirection.target.text == "0" || redirection.fd == 0);
}

// Raw clients and listeners whose streams are the connection. `fetch`: curl speaks telnet:// too.
std::size_t find_network(const ShellCommand& command) {
  const std::size_t at = find_program(
      command, {"nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "cryptcat", "sbd", "telnet",
                "openssl", "socat", "rcat", "websocat", "gs-netcat", "socket", "curl"});
  if (at >= command.words.size()) return at;
  const std::string_view program = base_name(command.words[at].text);
  const auto has = [&](std::string_view what) {
    return std::any_of(command.words.begin(), command.words.end(),
                       [&](const auto& word) { return word.text.starts_with(what); });
  };
  if (program == "openssl" && !has("s_client") && !has("s_server")) return command.words.size();
  if (program == "curl" && !has("telnet://")) return command.words.size();
  return at;
}

bool listens(const ShellCommand& command, std::size_t at) {
  const std::string_view program = base_name(command.words[at].text);
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    const std::string lower = to_lower(command.words[i].text);
    if (program == "openssl" ? lower == "s_server"
        : program == "socat"
            ? lower.find("-listen:") != std::string::npos || lower.find("-l:") != std::string::npos
            : lower == "--listen" || (lower.size() >= 2 && lower[0] == '-' && lower[1] != '-' &&
                                      lower.find('l') != std::string::npos))
      return program != "telnet" && program != "curl";
  }
  return false;
}

void add(FileReport& report, const Rule& rule, const ShellText& text, const ShellCommand& command,
         std::string endpoint) {
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
    if (host.find('.') != std::string::npos || host.find(':') != std::string::npos ||
        is_address_literal(host) || host == "localhost")
      return host + ":" + command.words[i + 1].text;
  }
  return "";
}

bool is_socat_network(std::string_view kind) {
  const std::string lower = to_lower(kind);
  return lower == "tcp" || lower == "tcp4" || lower == "tcp6" || lower == "tcp-connect" ||
         lower == "udp" || lower == "openssl" || lower == "openssl-connect" || lower == "ssl";
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
    return word.text.substr(colon + 1, word.text.find(',') == std::string::npos
                                           ? std::string::npos
                                           : word.text.find(',') - colon - 1);
  }
  return "";
}

std::string endpoint_of_network(const ShellCommand& command, std::size_t at) {
  const std::string_view program = base_name(command.words[at].text);
  if (program == "socat") return endpoint_of_socat(command);
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    const std::string& word = command.words[i].text;
    if (word == "-connect" && i + 1 < command.words.size()) return command.words[i + 1].text;
    if (word.starts_with("telnet://")) return word.substr(9);
  }
  return endpoint_of_arguments(command, at + 1);
}

// What is looked for in all commands, gathered once.
struct Facts {
  bool has_fifo = false, has_network = false, has_ztcp = false;
  std::set<std::string, std::less<>>
      run_descriptors;  // something runs what they give: sh <&5, cat <&5 | sh
  std::map<std::size_t, std::vector<std::size_t>> pipelines;
  std::size_t outputs = 256;  // that may still be worked out
};

Facts facts_of(const format::ShellScript& script) {
  Facts facts;
  const auto& commands = script.commands;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ShellCommand& command = commands[i];
    facts.pipelines[command.pipeline].push_back(i);
    facts.has_fifo |= find_program(command, {"mkfifo", "mknod"}) < command.words.size();
    facts.has_network |= find_network(command) < command.words.size();
    facts.has_ztcp |= find_program(command, {"ztcp"}) < command.words.size();
  }
  for (const auto& [number, members] : facts.pipelines) {
    // From the end of the pipeline: does anything at or behind a command run words?
    bool runs = false;
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
      const ShellCommand& command = commands[*member];
      const bool own =
          runs_words(command) &&
          (!is_shell_command(command) || reads_commands(command) || has_short_option(command, 'i'));
      runs |= own;
      if (!runs) continue;
      for (const ShellRedirection& redirection : command.redirections) {
        const bool reads = redirection.operation == "<&" || (redirection.operation == ">&" && own);
        if (reads && !redirection.target.text.empty())
          facts.run_descriptors.insert(redirection.target.text);
      }
    }
  }
  return facts;
}

// A device as redirection: of a shell, of exec, or joined with 0>&1.
bool inspect_device(const ShellText& text, const ShellCommand& command, const Facts& facts,
                    FileReport& report) {
  const bool shell = is_shell_command(command);
  const std::string_view program = program_of(command);
  const auto joined =
      std::any_of(command.redirections.begin(), command.redirections.end(), joins_streams);
  for (const ShellRedirection& redirection : command.redirections) {
    const std::string& target = redirection.target.text;
    if (!is_device(target)) continue;
    const bool reads = redirection.operation == "<" || redirection.operation == "<>";
    const bool both = redirection.operation == ">&" || redirection.operation == "&>" ||
                      redirection.operation == "<>" || joined;
    bool found =
        shell && (has_short_option(command, 'i') || both || (reads && reads_commands(command)));
    // while read line; do $line; done < /dev/tcp/...
    found |= !shell && runs_words(command) && reads;
    const bool is_exec =
        program.empty() && !command.words.empty() && command.words[0].text == "exec";
    if (is_exec || (command.words.empty() && redirection.operation == "<>") ||
        redirection.operation == "<>") {
      // exec 5<>/dev/tcp/...: a shell only when something runs what that descriptor gives.
      found |= facts.run_descriptors.count(std::to_string(redirection.fd)) > 0;
      // exec 0<>/dev/tcp/... 1>&0: what follows talks to the network.
      found |= is_exec && joined && (redirection.fd <= 1) && (reads || both);
    }
    if (!found) continue;
    add(report, rules[dev_tcp], text, command, endpoint_of_device(target));
    return true;
  }
  if (facts.has_ztcp && find_program(command, {"ztcp"}) < command.words.size()) {
    const auto& commands = text.script.commands;
    const bool given = std::any_of(commands.begin(), commands.end(), [](const ShellCommand& other) {
      return is_shell_command(other) &&
             std::any_of(other.redirections.begin(), other.redirections.end(),
                         [](const ShellRedirection& redirection) {
                           return redirection.operation.ends_with('&') &&
                                  !redirection.target.is_static;
                         });
    });
    if (given) {
      add(report, rules[dev_tcp], text, command, endpoint_of_arguments(command, 1));
      return true;
    }
  }
  return false;
}

// nc -e sh, ncat --sh-exec sh, rcat connect -s sh, socket -p "sh -i"
bool inspect_exec_option(const ShellText& text, const ShellCommand& command, FileReport& report) {
  const auto& words = command.words;
  const std::size_t nc =
      find_program(command, {"nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "cryptcat",
                             "sbd", "dbd", "rcat", "pwncat", "gs-netcat", "socket"});
  if (nc >= words.size()) return false;
  const std::string_view program = base_name(words[nc].text);
  const std::string_view letters = program == "rcat" ? "sr" : program == "socket" ? "p" : "ec";
  bool waits = false;
  std::string started;
  for (std::size_t i = nc + 1; i < words.size(); ++i) {
    const std::string& word = words[i].text;
    if (word == "--exec" || word == "--sh-exec" || word == "--shell") {
      started = i + 1 < words.size() ? words[i + 1].text : "?";
    } else if (word.starts_with("--exec=") || word.starts_with("--sh-exec=") ||
               word.starts_with("--shell=")) {
      started = word.substr(word.find('=') + 1);
    } else if (word.size() >= 2 && word[0] == '-' && word[1] != '-') {
      if (word.find('l') != std::string::npos) waits = true;
      if (program == "socket" && word.find('s') != std::string::npos) waits = true;
      const auto at = word.find_first_of(letters);
      if (at == std::string::npos) continue;
      if (at + 1 < word.size() && (word[at + 1] == '/' || is_shell_word(word.substr(at + 1)))) {
        started = word.substr(at + 1);
      } else if (i + 1 < words.size()) {
        started = words[i + 1].text;
      }
    } else if (word == "--listen" || (program == "rcat" && word == "listen")) {
      waits = true;
    }
  }
  // "exec sh", "busybox sh"
  std::string_view rest = started;
  for (;;) {
    const std::string_view first = base_name(rest.substr(0, rest.find(' ')));
    if (is_shell_word(first) || first == "cmd.exe" || format::is_interpreter(first)) break;
    const auto blank = rest.find(' ');
    if ((first != "exec" && first != "busybox" && first != "env") ||
        blank == std::string_view::npos)
      return false;
    rest.remove_prefix(blank + 1);
  }
  add(report, rules[waits ? listener : netcat], text, command,
      waits ? "" : endpoint_of_arguments(command, nc + 1));
  return true;
}

bool inspect_socat(const ShellText& text, const ShellCommand& command, FileReport& report) {
  const std::size_t at = find_program(command, {"socat", "websocat"});
  if (at >= command.words.size()) return false;
  const bool web = base_name(command.words[at].text) == "websocat";
  bool shell = false, waits = false, network = web;
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    std::string lower = to_lower(command.words[i].text);
    if (lower == "-s" && web) waits = true;
    for (const std::string_view start : {"exec:", "system:", "shell:", "cmd:", "sh-c:"}) {
      if (!lower.starts_with(start)) continue;
      std::string_view started = std::string_view(lower).substr(start.size());
      while (!started.empty() && (started[0] == '"' || started[0] == '\''))
        started.remove_prefix(1);
      shell |= starts_shell(started);
    }
    if (lower.find("-listen:") != std::string::npos || lower.starts_with("tcp-l:") ||
        lower.find("-l:") != std::string::npos)
      waits = true;
    for (const std::string_view kind : {"tcp", "udp", "openssl", "ssl", "sctp", "socks", "proxy:"})
      network |= lower.starts_with(kind);
  }
  if (!shell || !network) return false;
  add(report, rules[waits ? listener : socat], text, command,
      waits ? "" : endpoint_of_socat(command));
  return true;
}

// telnetd -l /bin/sh: no login, a shell at once.
bool inspect_telnetd(const ShellText& text, const ShellCommand& command, FileReport& report) {
  const std::size_t at = find_program(command, {"telnetd", "in.telnetd", "utelnetd"});
  for (std::size_t i = at; i + 1 < command.words.size(); ++i) {
    if (command.words[i].text == "-l" && is_shell_word(command.words[i + 1].text)) {
      add(report, rules[listener], text, command, "");
      return true;
    }
  }
  return false;
}

bool inspect_awk(const ShellText& text, const ShellCommand& command, FileReport& report) {
  const auto& words = command.words;
  if (find_program(command, {"awk", "gawk", "mawk", "nawk"}) < words.size()) {
    for (const auto& word : words) {
      const auto at = word.text.find("/inet/tcp/");
      if (at == std::string::npos || word.text.find("|&") == std::string::npos ||
          word.text.find("getline") == std::string::npos)
        continue;
      std::string rest = word.text.substr(at + 10);  // local port, host, port
      const auto first = rest.find('/');
      const auto second = first == std::string::npos ? first : rest.find('/', first + 1);
      std::string endpoint;
      if (second != std::string::npos) {
        endpoint =
            rest.substr(first + 1, second - first - 1) + ":" +
            rest.substr(second + 1, rest.find_first_not_of("0123456789", second + 1) - second - 1);
      }
      add(report, rules[awk], text, command, endpoint);
      return true;
    }
  }
  return false;
}

// python -c, perl -e, php -r, ruby -e, node -e: what stands in the word is a program.
bool inspect_code(const ShellText& text, const ShellCommand& command, std::string_view code,
                  FileReport& report) {
  const auto found = shell_in_source(code.substr(0, 4096));
  if (!found) return false;
  add(report, rules[found->listens ? listener : interpreter], text, command, found->endpoint);
  return true;
}

void inspect_command(const ShellText& text, std::size_t index, Facts& facts, FileReport& report) {
  const ShellCommand& command = text.script.commands[index];
  if (inspect_device(text, command, facts, report) || inspect_exec_option(text, command, report) ||
      inspect_socat(text, command, report) || inspect_telnetd(text, command, report) ||
      inspect_awk(text, command, report))
    return;
  const std::string_view program = program_of(command);
  if (!format::is_interpreter(program) || format::is_shell(program)) return;
  for (const auto& word : command.words) {
    if (word.text.size() > 40 && inspect_code(text, command, word.text, report)) return;
  }
  for (const ShellRedirection& redirection : command.redirections) {
    if (redirection.operation.starts_with("<<") &&
        inspect_code(text, command, redirection.target.text, report))
      return;
  }
  if (command.previous == ShellCommand::no_command || facts.outputs == 0) return;
  --facts.outputs;
  bool known = false;
  const std::string code = format::static_output(text.script, command.previous, &known);
  if (known) inspect_code(text, command, code, report);
}

// A pipeline in which a network client stands in front of a shell, or a shell between two of them,
// or with a FIFO that closes the loop.
void inspect_pipelines(const ShellText& text, const Facts& facts, FileReport& report) {
  const auto& commands = text.script.commands;
  for (const auto& [number, members] : facts.pipelines) {
    std::size_t first_shell = ShellCommand::no_command, last_runner = 0, networks = 0;
    for (const std::size_t i : members) {
      const bool shell = reads_commands(commands[i]);
      if (shell) first_shell = std::min(first_shell, commands[i].stage);
      if (shell || (!is_shell_command(commands[i]) && runs_words(commands[i])))
        last_runner = std::max(last_runner, commands[i].stage);
      networks += find_network(commands[i]) < commands[i].words.size();
    }
    for (const std::size_t i : members) {
      const ShellCommand& command = commands[i];
      const std::size_t network = find_network(command);
      // cat < /dev/tcp/host/port | sh
      std::string_view device;
      for (const ShellRedirection& redirection : command.redirections) {
        if (redirection.operation.starts_with('<') && is_device(redirection.target.text))
          device = redirection.target.text;
      }
      if (network >= command.words.size() && device.empty()) continue;
      const bool shell_before = first_shell < command.stage;
      const bool shell_behind = last_runner > command.stage;
      const bool other_network = networks > 1;
      if (!device.empty()) {
        if (!shell_behind) continue;
        add(report, rules[dev_tcp], text, command, endpoint_of_device(device));
        return;
      }
      const bool waits = listens(command, network);
      const bool loop = (shell_before && (facts.has_fifo || shell_behind)) ||
                        (shell_behind && (other_network || facts.has_fifo));
      if (!loop && !shell_behind) continue;
      add(report,
          rules[waits  ? listener
                : loop ? pipe_loop
                       : network_commands],
          text, command, waits ? "" : endpoint_of_network(command, network));
      return;
    }
  }
  // sh <(nc host port), sh < <(nc host port), eval "$(nc host port)"; coproc nc ...; sh
  // <&${COPROC[0]}
  for (const ShellCommand& command : commands) {
    const std::size_t network = find_network(command);
    if (network >= command.words.size()) continue;
    bool runs = false;
    if ((command.nesting == format::ShellNesting::process ||
         command.nesting == format::ShellNesting::substitution) &&
        command.outer < commands.size()) {
      const ShellCommand& outer = commands[command.outer];
      const std::string_view program = program_of(outer);
      runs = program == "eval" || program == "." || program == "source" || is_shell_command(outer);
      // $(nc ... | head -1): one line of an answer is data.
      runs = runs && (command.nesting == format::ShellNesting::process || !outer.words.empty());
    }
    if (!runs) continue;
    add(report, rules[listens(command, network) ? listener : network_commands], text, command,
        endpoint_of_network(command, network));
    return;
  }
  if (!facts.has_network) return;
  for (const ShellCommand& command : commands) {
    if (!is_shell_command(command)) continue;
    std::size_t unknown = 0;
    for (const ShellRedirection& redirection : command.redirections)
      unknown += redirection.operation.ends_with('&') && !redirection.target.is_static;
    if (unknown < 2) continue;
    add(report, rules[pipe_loop], text, command, "");
    return;
  }
}

void inspect_source(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  for (const engine::PatternHit& hit : file.hits) {
    // The parts of a reverse shell stand close together: in one line or in a short function.
    const std::size_t begin = hit.end > 600 ? static_cast<std::size_t>(hit.end) - 600 : 0;
    const auto found = shell_in_source(text.substr(begin, 1200));
    if (!found) continue;
    FileFinding finding;
    finding.rule = &rules[found->listens ? listener : interpreter];
    finding.offset = hit.end;
    finding.evidence = shell_line_at(text, hit.end);
    if (!found->endpoint.empty()) {
      finding.indicators.push_back({"c2", found->endpoint, false});
    } else if (found->listens) {
      finding.confidence = Confidence::medium;
    } else {
      // Tools that take the peer from their arguments, and libraries that wrap all of this.
      finding.severity = Severity::medium;
      finding.confidence = Confidence::low;
    }
    report.add(std::move(finding));
    return;
  }
}

// Scripts are parsed even without a hit, since quoting can hide every literal from the pattern
// pass.
void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) {
    Facts facts = facts_of(text.script);
    for (std::size_t i = 0; i < text.script.commands.size(); ++i)
      inspect_command(text, i, facts, report);
    inspect_pipelines(text, facts, report);
  });
  inspect_source(file, report);
}

}  // namespace

extern const Detector reverse_shell_detector;
const Detector reverse_shell_detector = {.name = "reverse-shell",
                                         .summary =
                                             "Shells joined to the network, outgoing or listening, "
                                             "in shell text and in the source of other languages.",
                                         .rules = rules,
                                         .patterns = patterns,
                                         .kinds = format::KindSet::texts(),
                                         .trigger = Trigger::always,
                                         .inspect = inspect};

}  // namespace lazaret::detect
