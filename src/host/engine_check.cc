#include "host/engine_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/paths.h"
#include "base/text.h"
#include "format/json.h"
#include "format/service_config.h"
#include "format/shell.h"

namespace lazaret::host {
namespace {

constexpr std::uint64_t settings_bytes = 1 << 20;
constexpr std::size_t max_units = 10'000, max_addresses = 100;

void add_host(std::string_view host, EngineSettings& settings) {
  for (const std::string_view scheme : {"tcp://", "tcp:", "http://"}) {
    if (!host.starts_with(scheme)) continue;
    if (settings.addresses.size() < max_addresses) settings.addresses.emplace_back(host.substr(scheme.size()));
    return;
  }
}

bool is_local(std::string_view address) { return address.starts_with("127.") || address.starts_with("localhost") || address.starts_with("[::1]") || address.starts_with("::1"); }

void report_open(const CheckMachine& machine, const std::string& name, const std::string& place, const std::vector<std::string>& addresses, CheckReport& report) {
  if (addresses.empty()) return;
  Subject* subject = nullptr;
  for (Subject& known : report.subjects) {
    if (known.kind == SubjectKind::engine && known.name == name) subject = &known;
  }
  if (subject == nullptr) {
    Subject made;
    made.kind = SubjectKind::engine;
    made.name = name;
    made.report.target = name;
    report.subjects.push_back(std::move(made));
    subject = &report.subjects.back();
  }
  FindingWriter writer(*machine.ruleset, *subject);
  for (const std::string& address : addresses) {
    FindingWriter::More more;
    // Reached by every program of the host, but by nobody outside.
    if (is_local(address)) {
      more.severity = detect::Severity::medium;
      more.confidence = detect::Confidence::medium;
    }
    writer.add("container-escape.exposed-engine", place, fmt::format("listens on {} without asking for a certificate", address), std::move(more));
  }
}

// Words of a command as a shell would make them, as far as they are static.
std::vector<std::vector<std::string>> commands_of(std::string_view text) {
  std::vector<std::vector<std::string>> commands;
  for (const format::ShellCommand& command : format::parse_shell(text).commands) {
    std::vector<std::string> words;
    for (const auto& word : command.words) words.push_back(word.text);
    commands.push_back(std::move(words));
  }
  return commands;
}

}  // namespace

EngineSettings read_daemon_json(std::string_view text) {
  EngineSettings settings;
  const auto document = format::parse_json(text);
  if (const auto* hosts = document.value.find("hosts"); hosts != nullptr && hosts->as_array() != nullptr) {
    for (const auto& host : *hosts->as_array()) {
      if (host.as_string() != nullptr) add_host(*host.as_string(), settings);
    }
  }
  const auto* verify = document.value.find("tlsverify");
  settings.verifies = verify != nullptr && verify->as_bool() != nullptr && *verify->as_bool();
  return settings;
}

EngineSettings read_engine_command(const std::vector<std::string>& arguments) {
  EngineSettings settings;
  std::size_t program = 0;
  while (program < arguments.size() && audit::name_of_path(arguments[program]) != "dockerd" && audit::name_of_path(arguments[program]) != "podman" && audit::name_of_path(arguments[program]) != "dockerd-rootless.sh") {
    // `docker daemon` and `exec dockerd`; nothing further in.
    if (program == 2) return settings;
    ++program;
  }
  if (program >= arguments.size()) return settings;
  if (audit::name_of_path(arguments[program]) == "podman") {
    const auto service = std::find(arguments.begin(), arguments.end(), "service");
    if (service == arguments.begin() || service == arguments.end() || *std::prev(service) != "system") return settings;
    for (auto word = service; word != arguments.end(); ++word) add_host(*word, settings);
    return settings;
  }
  for (std::size_t i = program + 1; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if ((word == "-H" || word == "--host") && i + 1 < arguments.size()) {
      add_host(arguments[++i], settings);
    } else if (word.starts_with("--host=")) {
      add_host(word.substr(7), settings);
    } else if (word.starts_with("-H") && word.size() > 2) {
      add_host(word.substr(word[2] == '=' ? 3 : 2), settings);
    } else if (word == "--tlsverify" || word == "--tlsverify=true" || word == "--tlsverify=1") {
      settings.verifies = true;
    }
  }
  return settings;
}

void check_engines(const HostRoot& root, const CheckMachine& machine, const ProcessList& list, const std::map<std::string, std::vector<TcpSocket>>& sockets, CheckReport& report) {
  EngineSettings file;
  constexpr const char* daemon_json = "/etc/docker/daemon.json";
  if (const auto text = root.read(daemon_json, settings_bytes)) file = read_daemon_json(*text);
  if (!file.verifies) report_open(machine, "docker", daemon_json, file.addresses, report);

  // Units, with their drop-ins, and what the packages of other systems read.
  std::vector<std::string> places;
  for (const char* folder : {"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}) {
    for (const char* unit : {"docker.service", "podman.service"}) {
      places.push_back(fmt::format("{}/{}", folder, unit));
      const std::string drop_ins = fmt::format("{}/{}.d", folder, unit);
      const auto names = root.list(drop_ins, max_units);
      if (!names) continue;
      for (const std::string& name : *names) places.push_back(drop_ins + "/" + name);
    }
  }
  for (const std::string& place : places) {
    const auto text = root.read(place, settings_bytes);
    if (!text) continue;
    for (const format::ServiceCommand& command : format::unit_commands(*text)) {
      for (const auto& words : commands_of(command.text)) {
        if (words.empty()) continue;
        const EngineSettings settings = read_engine_command(words);
        if (!settings.verifies && !file.verifies) report_open(machine, audit::name_of_path(words.front()) == "podman" ? "podman" : "docker", place, settings.addresses, report);
      }
    }
  }
  for (const char* place : {"/etc/default/docker", "/etc/sysconfig/docker", "/etc/conf.d/docker"}) {
    const auto text = root.read(place, settings_bytes);
    if (!text) continue;
    for (const std::string_view raw : split(*text, '\n')) {
      const std::string_view line = trim(raw);
      if (line.starts_with('#')) continue;
      for (const std::string_view name : {"DOCKER_OPTS=", "OPTIONS="}) {
        if (!line.starts_with(name)) continue;
        std::string_view value = line.substr(name.size());
        if (value.size() > 1 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) value = value.substr(1, value.size() - 2);
        for (const auto& words : commands_of("dockerd " + std::string(value))) {
          const EngineSettings settings = read_engine_command(words);
          if (!settings.verifies && !file.verifies) report_open(machine, "docker", place, settings.addresses, report);
        }
      }
    }
  }

  // What runs: its command line, and where it really listens.
  for (const Process& process : list.processes) {
    const EngineSettings settings = read_engine_command(process.arguments);
    const bool is_engine = process.name == "dockerd" || audit::name_of_path(process.program) == "dockerd";
    const std::string name = is_engine ? "docker" : "podman";
    if (settings.verifies || (is_engine && file.verifies)) continue;
    report_open(machine, name, fmt::format("process {}", process.id), settings.addresses, report);
    if (!is_engine || !settings.addresses.empty()) continue;
    const auto table = sockets.find(process.network);
    if (table == sockets.end()) continue;
    for (const TcpSocket& socket : table->second) {
      if (!socket.listening || (socket.local_port != 2375 && socket.local_port != 2376 && socket.local_port != 4243)) continue;
      const Process* owner = owner_of(root, list, process.network, socket.inode);
      if (owner == nullptr || owner->id != process.id) continue;
      report_open(machine, name, fmt::format("process {}", process.id), {fmt::format("{}:{}", socket.local, socket.local_port)}, report);
    }
  }
}

}  // namespace lazaret::host
