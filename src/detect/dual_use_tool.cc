// Tools that attackers bring along and administrators use too: port scanners, tunnels, remote
// terminals, escape and credential kits. A tool alone is a matter of policy and scores low; a scan
// for open Docker or Kubernetes ports is what worms do.
//
// Programs are recognised by what their build leaves in them (Go module paths, their own addresses
// and banners), never by file name.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

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
};

struct Tool {
  std::string_view name;
  std::string_view mark;  // in the executable
  std::size_t rule;
};
constexpr std::array<Tool, 24> tools = {{
    {"masscan", "https://github.com/robertdavidgraham/masscan", 0},
    {"zgrab2", "github.com/zmap/zgrab2", 0},
    {"naabu", "github.com/projectdiscovery/naabu", 0},
    {"fscan", "github.com/shadow1ng/fscan", 0},
    {"RustScan", "rustscan::", 0},
    {"ngrok", "tunnel.ngrok.com", 1},
    {"ngrok", "go.ngrok.com/", 1},
    {"tmate", "ssh.tmate.io", 1},
    {"frp", "github.com/fatedier/frp", 1},
    {"chisel", "github.com/jpillora/chisel", 1},
    {"gost", "github.com/go-gost/gost", 1},
    {"gost", "github.com/ginuerzh/gost", 1},
    {"cloudflared", "github.com/cloudflare/cloudflared", 1},
    {"Global Socket", "gs-netcat", 1},
    {"nps", "github.com/ehang/nps", 1},
    {"ligolo-ng", "github.com/nicocha30/ligolo-ng", 1},
    {"wstunnel", "wstunnel::", 1},
    {"proxychains", "proxychains config file", 1},
    {"Peirates", "github.com/inguardians/peirates", 2},
    {"CDK", "github.com/cdk-team/CDK", 2},
    {"BOtB", "github.com/brompwnie/botb", 2},
    {"kubeletctl", "github.com/cyberark/kubeletctl", 2},
    {"Sliver", "github.com/bishopfox/sliver", 2},
    {"Merlin", "github.com/Ne0nd0g/merlin", 2},
}};

// Scanners as commands. The port list is checked in code.
constexpr std::array<std::string_view, 6> scanners = {"masscan", "zgrab", "pnscan",
                                                      "zmap",    "naabu", "rustscan"};

constexpr auto patterns = [] {
  std::array<engine::Pattern, tools.size() + scanners.size()> list{};
  for (std::size_t i = 0; i < tools.size(); ++i) list[i] = engine::literal(tools[i].mark);
  for (std::size_t i = 0; i < scanners.size(); ++i)
    list[tools.size() + i] = engine::literal(scanners[i]);
  return list;
}();

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
  const bool is_elf = file.type.kind == format::FileKind::elf;
  bool scan_reported = false;
  std::array<bool, tools.size()> reported{};
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    if (hit.pattern < tools.size()) {
      // Only in executables; a path of a module in source or a lock file is a dependency.
      const Tool& tool = tools[hit.pattern];
      if (!is_elf || hit.end < tool.mark.size()) continue;
      if (tool.mark.starts_with("github.com/") && !file.elf->has_go_build_info) continue;
      const bool seen = std::any_of(tools.begin(), tools.end(), [&](const Tool& other) {
        return other.name == tool.name && reported[static_cast<std::size_t>(&other - tools.data())];
      });
      if (seen) continue;
      reported[hit.pattern] = true;
      FileFinding finding;
      finding.rule = &rules[tool.rule];
      finding.offset = hit.end - tool.mark.size();
      finding.evidence = std::string(tool.name) + ": " + std::string(tool.mark);
      report.add(std::move(finding));
      continue;
    }
    const std::string_view name = scanners[hit.pattern - tools.size()];
    if (is_elf || scan_reported || hit.end < name.size()) continue;
    const std::uint64_t begin = hit.end - name.size();
    if (role_of(file, begin) != Role::runs) continue;
    const std::string_view line = logical_line_at(text, begin, 600);
    if (!scans_control_ports(line)) continue;
    scan_reported = true;
    FileFinding finding;
    finding.rule = &rules[3];
    finding.offset = begin;
    finding.evidence = evidence_of(text, begin, hit.end);
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector dual_use_tool_detector;
const Detector dual_use_tool_detector = {
    .name = "dual-use-tool",
    .summary = "Finds scanners, tunnels and escape kits, and scans for open container ports.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::elf, format::FileKind::script, format::FileKind::text},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
};

}  // namespace lazaret::detect
