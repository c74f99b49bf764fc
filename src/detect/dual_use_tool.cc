// Tools that attackers bring along and administrators use too: port scanners, tunnels, remote
// terminals, escape and credential kits. A tool alone is a matter of policy and scores low; a scan
// for open Docker or Kubernetes ports is what worms do.
//
// Programs are recognised by what their build leaves in them (Go modules, Rust crates, their own
// addresses and banners; rules/programs.toml), never by file name. Go's linker writes the list of
// modules into every program; who removes it leaves the same paths in the names of functions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/program_data_support.h"
#include "detect/text_context_support.h"
#include "format/go_build_info.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "anomaly.network-scanner",
     .category = Category::anomaly,
     .severity = Severity::low,
     .confidence = Confidence::high,
     .title = "Network scanner",
     .explanation = "The program scans networks for open ports. Worms carry it to find their next "
                    "victims; security teams use it too.",
     .remediation = "Remove it, unless the image is meant for scanning.",
     .attack = {"T1046"}},
    {.id = "anomaly.tunnel-tool",
     .category = Category::anomaly,
     .severity = Severity::low,
     .confidence = Confidence::high,
     .title = "Tunnel or remote terminal",
     .explanation = "The program opens a way into the network from outside, past its firewall.",
     .remediation = "Remove it, unless this way in is wanted.",
     .attack = {"T1572", "T1219"}},
    {.id = "container-escape.toolkit",
     .category = Category::container_escape,
     .severity = Severity::medium,
     .confidence = Confidence::high,
     .title = "Toolkit for breaking out of containers",
     .explanation = "The program collects ways out of containers and clusters. Testers use it "
                    "too.",
     .remediation = "Remove it, unless the image is meant for penetration tests.",
     .attack = {"T1611", "T1613"}},
    {.id = "container-escape.docker-api-scan",
     .category = Category::container_escape,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Scans for open Docker, Kubernetes or database ports",
     .explanation = "The command scans networks for ports through which containers can be started "
                    "without a password. This is how container worms spread.",
     .remediation = "Do not run the image.",
     .attack = {"T1046", "T1610"}},
    {.id = "reverse-shell.c2-program",
     .category = Category::reverse_shell,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Command and control program",
     .explanation = "The program belongs to a framework by which machines of others are controlled. "
                    "Critical when it is the part that runs on the victim. Testers use the "
                    "frameworks with consent.",
     .remediation = "Do not run the image, unless it is meant for penetration tests.",
     .attack = {"T1071", "T1219", "T1588.002"}},
    {.id = "miner.known-program",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Known cryptocurrency miner",
     .explanation = "What its build left in the program says that it is a miner.",
     .remediation = "Do not run the image. Declared miner images are a matter of policy: allow "
                    "them by an ignore entry.",
     .attack = {"T1496.001"}},
};

// Scanners as commands. The port list is checked in code.
constexpr std::array<std::string_view, 6> scanners = {"masscan", "zgrab", "pnscan",
                                                      "zmap",    "naabu", "rustscan"};

// What a pattern stands for. The first is the mark of Go's build information.
struct Clue {
  enum class Kind : std::uint8_t { go_build_info, module, crate, mark, scanner } kind{};
  std::size_t program = 0;  // in known_programs(), or in `scanners`
  std::string text;
};

const std::vector<Clue>& clues() {
  static const std::vector<Clue> list = [] {
    std::vector<Clue> result;
    result.push_back({Clue::Kind::go_build_info, 0, std::string(format::go_build_info_mark)});
    for (std::size_t i = 0; i < known_programs().size(); ++i) {
      const KnownProgram& program = known_programs()[i];
      for (const auto* names : {&program.modules, &program.packages}) {
        for (const std::string& name : *names) result.push_back({Clue::Kind::module, i, name});
      }
      for (const std::string& name : program.crates) result.push_back({Clue::Kind::crate, i, name});
      for (const std::string& mark : program.marks) result.push_back({Clue::Kind::mark, i, mark});
    }
    for (std::size_t i = 0; i < scanners.size(); ++i) result.push_back({Clue::Kind::scanner, i, std::string(scanners[i])});
    return result;
  }();
  return list;
}

std::span<const engine::Pattern> patterns() {
  static const std::vector<std::string> expressions = [] {
    std::vector<std::string> result;
    for (const Clue& clue : clues()) {
      // Where cargo unpacks the source of a crate: the paths of panic messages have it.
      result.push_back(clue.kind == Clue::Kind::crate ? "/registry/src/[^/\\x00]{1,100}/" + clue.text + "-[0-9]" : "");
    }
    return result;
  }();
  static const std::vector<engine::Pattern> list = [] {
    std::vector<engine::Pattern> result;
    for (std::size_t i = 0; i < clues().size(); ++i)
      result.push_back(expressions[i].empty() ? engine::literal(clues()[i].text) : engine::regex(expressions[i]));
    return result;
  }();
  return list;
}

constexpr std::size_t rule_of(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::scanner: return 0;
    case ProgramKind::tunnel: return 1;
    case ProgramKind::escape: return 2;
    case ProgramKind::c2: return 4;
    case ProgramKind::miner: return 5;
  }
  return 0;
}

// One finding a program, the first clue that comes.
class Programs {
 public:
  explicit Programs(FileReport& report) : report_(report) {}

  void add(std::size_t index, std::uint64_t offset, std::string evidence, Confidence confidence, bool implant = false) {
    if (!reported_.insert(index).second) return;
    const KnownProgram& program = known_programs()[index];
    FileFinding finding;
    finding.rule = &rules[rule_of(program.kind)];
    finding.offset = offset;
    finding.evidence = program.name + ": " + std::move(evidence);
    if (confidence != finding.rule->confidence) finding.confidence = confidence;
    if (implant) finding.severity = Severity::critical;
    report_.add(std::move(finding));
  }

 private:
  FileReport& report_;
  std::set<std::size_t> reported_;
};

bool any_below(std::string_view path, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) { return is_below(path, prefix); });
}

// True when the program's modules are known, so that names of modules elsewhere in it are mentions.
bool inspect_build_info(const FileView& file, std::uint64_t offset, Programs& programs) {
  const format::GoBuildInfo info = format::read_go_build_info(file.content, *file.elf, offset);
  if (!info.found || info.path.empty()) return false;
  for (std::size_t i = 0; i < known_programs().size(); ++i) {
    const KnownProgram& program = known_programs()[i];
    const bool implant = any_below(info.path, program.implants);
    if (implant || any_below(info.path, program.packages) || any_below(info.path, program.modules) || any_below(info.main.path, program.modules)) {
      programs.add(i, offset, fmt::format("Go main package {} ({} {})", info.path, info.version, info.main.version), Confidence::high, implant);
      continue;
    }
    for (const format::GoModule& module : info.dependencies) {
      if (!any_below(module.path, program.modules)) continue;
      programs.add(i, offset, fmt::format("Go module {} {} in {}", module.path, module.version, info.path), Confidence::medium);
      break;
    }
  }
  return true;
}

// Docker, Swarm, old and new Docker ports, kubelet, API server, etcd, Redis.
bool scans_control_ports(std::string_view line) {
  static constexpr std::array<std::string_view, 10> ports = {
      "2375", "2376", "2377", "4243", "4244", "10250", "10255", "6443", "2379", "6379"};
  return std::any_of(ports.begin(), ports.end(), [&](std::string_view port) {
    for (auto at = line.find(port); at != std::string_view::npos; at = line.find(port, at + 1)) {
      if (stands_alone(line, at, at + port.size(), ".")) return true;
    }
    return false;
  });
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  const bool is_elf = file.type.kind == format::FileKind::elf && file.elf != nullptr;
  bool modules_known = false;
  Programs programs(report);
  if (is_elf) {
    for (const engine::PatternHit& hit : file.hits) {
      if (hit.pattern == 0 && hit.end <= text.size() && hit.end >= format::go_build_info_mark.size())
        modules_known = inspect_build_info(file, hit.end - format::go_build_info_mark.size(), programs) || modules_known;
    }
  }
  bool scan_reported = false;
  std::optional<bool> is_go;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    const Clue& clue = clues()[hit.pattern];
    const std::uint64_t begin = hit.end - std::min<std::uint64_t>(hit.end, clue.text.size());
    if (clue.kind == Clue::Kind::scanner) {
      if (is_elf || scan_reported || role_of(file, begin) != Role::runs) continue;
      if (!scans_control_ports(logical_line_at(text, begin, 600))) continue;
      scan_reported = true;
      FileFinding finding;
      finding.rule = &rules[3];
      finding.offset = begin;
      finding.evidence = evidence_of(text, begin, hit.end);
      report.add(std::move(finding));
      continue;
    }
    // Only in executables; a path of a module in source or a lock file is a dependency.
    if (!is_elf || clue.kind == Clue::Kind::go_build_info) continue;
    if (clue.kind == Clue::Kind::module) {
      // The names of functions keep the paths of packages where the list of modules was removed.
      if (modules_known) continue;
      if (!is_go) {
        is_go = file.elf->has_go_build_info || !file.elf->go_build_id.empty() || text.find("runtime.goexit") != std::string_view::npos;
      }
      if (!*is_go) continue;
      programs.add(clue.program, begin, clue.text + " (the list of modules was removed)", Confidence::medium);
      continue;
    }
    programs.add(clue.program, begin, clue.kind == Clue::Kind::crate ? "Rust crate " + clue.text : clue.text, Confidence::high);
  }
}

}  // namespace

extern const Detector dual_use_tool_detector;
const Detector dual_use_tool_detector = {
    .name = "dual-use-tool",
    .summary = "Finds scanners, tunnels, escape kits and command and control programs, and scans for open container ports.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf, format::FileKind::script, format::FileKind::text},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
    .late_patterns = patterns,
};

}  // namespace lazaret::detect
