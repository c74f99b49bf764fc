#include "host/process_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "audit/paths.h"
#include "base/text.h"

namespace lazaret::host {
namespace {

// A command line that imitates a title ("nginx: worker process") is one argument; there is no command in it.
constexpr std::size_t evidence_bytes = 300;

constexpr std::array shells = {std::string_view("sh"),  std::string_view("bash"), std::string_view("dash"), std::string_view("ash"),  std::string_view("zsh"),  std::string_view("ksh"), std::string_view("mksh"),
                               std::string_view("csh"), std::string_view("tcsh"), std::string_view("fish"), std::string_view("rbash"), std::string_view("pwsh"), std::string_view("busybox")};
constexpr std::array interpreters = {std::string_view("python"), std::string_view("perl"), std::string_view("ruby"), std::string_view("php"), std::string_view("node"), std::string_view("lua")};

// "/usr/bin/python3.11" -> "python3.11", "-bash" of a login shell -> "bash"
std::string_view program_name(std::string_view path) {
  std::string_view name = audit::name_of_path(path);
  if (name.starts_with('-')) name.remove_prefix(1);
  return name;
}

enum class Kind { other, shell, interpreter };
Kind kind_of(const Process& process) {
  // What the file is called, what it calls itself, and what the kernel calls it: any of them may be a lie, and none makes a shell of something else.
  const std::string_view names[] = {program_name(process.program), process.arguments.empty() ? std::string_view() : program_name(process.arguments.front()), process.name};
  for (const std::string_view name : names) {
    if (std::find(shells.begin(), shells.end(), name) != shells.end()) return Kind::shell;
  }
  for (const std::string_view name : names) {
    for (const std::string_view known : interpreters) {
      if (name.starts_with(known) && name.find_first_not_of("0123456789.", known.size()) == std::string_view::npos) return Kind::interpreter;
    }
  }
  return Kind::other;
}

// A file that the shell or interpreter runs, as inetd and its kin start services: `sh /usr/sbin/service`. Code in an argument (-c, -e) is none.
bool runs_a_file(const Process& process) {
  for (std::size_t i = 1; i < process.arguments.size(); ++i) {
    const std::string& argument = process.arguments[i];
    if (argument.empty()) continue;
    if (argument[0] != '-') return true;
    if (argument.size() > 1 && argument[1] != '-' && (argument.find('c') != std::string::npos || argument.find('e') != std::string::npos)) return false;
  }
  return false;
}

const TcpSocket* find_socket(const std::vector<TcpSocket>& sockets, std::uint64_t inode) {
  if (inode == 0) return nullptr;
  const auto found = std::find_if(sockets.begin(), sockets.end(), [&](const TcpSocket& socket) { return socket.inode == inode; });
  return found == sockets.end() ? nullptr : &*found;
}

std::string command_of(const Process& process) {
  std::string text;
  for (const std::string& argument : process.arguments) {
    if (text.size() > evidence_bytes) break;
    text += (text.empty() ? "" : " ") + argument;
  }
  return text.empty() ? process.program : text.substr(0, evidence_bytes);
}

// The addresses of known servers, without ports.
std::map<std::string, const detect::KnownIndicator*> known_addresses(const CheckMachine& machine) {
  std::map<std::string, const detect::KnownIndicator*> addresses;
  for (const detect::IncidentData* data : {&detect::incident_data(), machine.more_incidents}) {
    if (data == nullptr) continue;
    for (const detect::KnownIndicator& indicator : data->indicators) {
      if (indicator.type != "c2") continue;
      std::string_view host = indicator.value;
      if (host.starts_with('[')) {
        host = host.substr(1, host.find(']') == std::string_view::npos ? 0 : host.find(']') - 1);
      } else if (std::count(host.begin(), host.end(), ':') == 1) {
        host = host.substr(0, host.find(':'));
      }
      addresses.emplace(host, &indicator);
    }
  }
  return addresses;
}

}  // namespace

bool is_temporary_path(std::string_view path) {
  for (const std::string_view folder : {"/tmp/", "/var/tmp/", "/dev/shm/"}) {
    if (path.starts_with(folder)) return true;
  }
  return false;
}

bool is_hidden_path(std::string_view path) { return path.find("/.") != std::string_view::npos; }

void ProcessCheck::look(ProcessList& list, const std::map<std::string, std::vector<TcpSocket>>& sockets) {
  static const std::vector<TcpSocket> none;
  const auto self = static_cast<std::uint64_t>(getpid());
  for (const Process& process : list.processes) {
    if (root_.is_live() && process.id == self) continue;
    Subject subject;
    subject.kind = SubjectKind::process;
    subject.id = std::to_string(process.id);
    subject.name = process.title();
    subject.report.target = subject.name;
    audit_command(*machine_.ruleset, machine_.machine.limits, "command line", process.arguments, subject);
    // What a container had better not do when it starts is an administrator's daily work.
    std::erase_if(subject.report.findings, [](const audit::Finding& finding) { return finding.rule == "dropper.install-at-start"; });
    judge_program(process, subject);
    const auto table = sockets.find(process.network);
    judge_streams(process, table == sockets.end() ? none : table->second, subject);
    if (!subject.report.findings.empty() || !subject.report.incomplete.empty()) report_.subjects.push_back(std::move(subject));
  }
  judge_connections(list, sockets);
  for (auto& unread : list.unread) report_.not_looked_at.push_back(std::move(unread));
  if (list.unreadable > 0) report_.not_looked_at.emplace_back("processes", fmt::format("{} may not be looked at{}", list.unreadable, geteuid() == 0 ? ": they are guarded even from root" : ": run this as root"));
  if (list.has_proc) report_.looked_at.push_back({"processes", "", list.processes.size()});
}

void ProcessCheck::judge_program(const Process& process, Subject& subject) {
  if (process.program.empty()) return;
  FindingWriter writer(*machine_.ruleset, subject);
  const bool in_memory = process.program.starts_with("/memfd:"), temporary = is_temporary_path(process.program);
  if (in_memory) {
    // runc and crun run from a copy of themselves in memory while they start a container (CVE-2019-5736).
    const bool runtime = process.program.starts_with("/memfd:runc_cloned:") || process.program.starts_with("/memfd:crun");
    FindingWriter::More more;
    if (runtime) {
      more.severity = detect::Severity::info;
      more.confidence = detect::Confidence::low;
    }
    writer.add("dropper.deleted-program", process.program, command_of(process), std::move(more));
  } else if (process.is_deleted && temporary) {
    writer.add("dropper.deleted-program", process.program, command_of(process));
  } else if (process.is_deleted && !root_.exists(process.program)) {
    writer.add("anomaly.replaced-program", process.program, command_of(process));
  } else if (temporary && is_hidden_path(process.program)) {
    writer.add("impersonation.hidden-executable", process.program, command_of(process));
  }
  if (in_memory || temporary || (is_hidden_path(process.program) && process.is_deleted)) audit_program(process, subject);
}

void ProcessCheck::audit_program(const Process& process, Subject& subject) {
  const auto file = root_.open_program(process.id);
  if (!file) return;  // it ended, or the root is a disk whose processes are gone
  struct stat status{};
  if (fstat(file->get(), &status) != 0 || !audited_.emplace(status.st_dev, status.st_ino).second) return;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const Limits& limits = machine_.machine.limits;
  if (size > limits.whole_file_bytes) {
    subject.report.incomplete.push_back({"", process.program, size, "the program is larger than what is looked at as a whole"});
    return;
  }
  std::string content(static_cast<std::size_t>(size), '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = pread(file->get(), content.data() + done, content.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  content.resize(done);
  audit::FileInput input;
  input.path = process.program;
  input.content = as_bytes(content);
  input.file_size = content.size();
  input.type = format::classify(clamp(input.content, 0, 4096), content.size(), process.program);
  input.mode = static_cast<std::uint32_t>(status.st_mode & 07777);
  input.sha256 = sha256(input.content);
  audit::FileOutcome outcome;
  audit::FileAuditor(*machine_.ruleset, limits, outcome).audit(input);
  // That a program lies in a folder for temporary files has been said by whoever asked for this.
  std::erase_if(outcome.findings, [](const audit::LayerFinding& finding) { return finding.rule.starts_with("impersonation."); });
  FindingWriter(*machine_.ruleset, subject).add(outcome);
}

void ProcessCheck::judge_streams(const Process& process, const std::vector<TcpSocket>& sockets, Subject& subject) {
  const Kind kind = kind_of(process);
  if (kind == Kind::other) return;
  const TcpSocket* input = find_socket(sockets, process.streams[0]);
  if (input == nullptr || input->listening) return;
  const bool answers = find_socket(sockets, process.streams[1]) != nullptr || find_socket(sockets, process.streams[2]) != nullptr;
  // Somebody outside asked for the connection: a shell behind a port, or a service that a super-server started.
  const bool accepted = std::any_of(sockets.begin(), sockets.end(), [&](const TcpSocket& other) { return other.listening && other.local_port == input->local_port; });
  const bool file = runs_a_file(process);
  FindingWriter::More more;
  if (file && (accepted || kind == Kind::interpreter)) {
    more.severity = detect::Severity::low;
    more.confidence = detect::Confidence::low;
  } else if (is_loopback(input->remote)) {
    more.severity = detect::Severity::high;
    more.confidence = detect::Confidence::medium;
  } else if (accepted || !answers || kind == Kind::interpreter) {
    more.confidence = detect::Confidence::medium;
  }
  if (!is_loopback(input->remote)) more.indicators.push_back({"c2", input->remote_text(), false});
  FindingWriter(*machine_.ruleset, subject).add("reverse-shell.socket-streams", "standard input", fmt::format("{} talks with {}{}", command_of(process), input->remote_text(), accepted ? ", which asked for it" : ""), std::move(more));
}

void ProcessCheck::judge_connections(const ProcessList& list, const std::map<std::string, std::vector<TcpSocket>>& tables) {
  const auto known = known_addresses(machine_);
  for (const auto& [network, sockets] : tables) {
    for (const TcpSocket& socket : sockets) {
      if (socket.listening) continue;
      const auto found = known.find(socket.remote);
      if (found == known.end()) continue;
      const detect::KnownIndicator& indicator = *found->second;
      const Process* owner = owner_of(root_, list, network, socket.inode);
      const std::string id = owner == nullptr ? "" : std::to_string(owner->id);
      auto subject = std::find_if(report_.subjects.begin(), report_.subjects.end(), [&](const Subject& other) { return other.kind == SubjectKind::process && other.id == id; });
      if (subject == report_.subjects.end()) {
        Subject made;
        made.kind = SubjectKind::process;
        made.id = id;
        made.name = owner == nullptr ? "that is not known" : owner->title();
        made.report.target = made.name;
        report_.subjects.push_back(std::move(made));
        subject = std::prev(report_.subjects.end());
      }
      FindingWriter(*machine_.ruleset, *subject)
          .add("known-bad.connection", network, fmt::format("{} (incident {}: {}; source: {})", socket.remote_text(), indicator.incident->id, indicator.incident->title, indicator.source),
               {{}, {{"c2", indicator.value, true}}, {}, indicator.confidence});
    }
  }
}

}  // namespace lazaret::host
